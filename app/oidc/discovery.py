"""What the provider says about itself: its addresses and the keys that its tokens are signed with.

Both are kept by each process. An address is asked by one thread at a time, and not again for a moment after it failed,
so that a provider that hangs cannot hold up more than the few who wait for it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import jwt
from django.conf import settings

from app.errors import RefdeskError
from app.oidc.provider_client import LIMIT_S, provider_ask

# Signed by a private key that only the provider has. With HS256 our own secret would be the key.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
KEPT_S = 600.0
# A key that was withdrawn must not be believed for long because the provider is away.
KEPT_WHILE_AWAY_S = 3600.0
# After a failure, and between two looks for a key that nobody knows.
PAUSE_S = 10.0
MOST_KEYS = 50

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Provider:
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    end_session_endpoint: str
    token_endpoint_auth_methods: tuple[str, ...]
    says_issuer_in_answer: bool


class CachedFetch(Generic[Found]):
    """One thing that is fetched, kept, and fetched again when it is old."""

    def __init__(self, fetch: Callable[[], Found]) -> None:
        self._fetch = fetch
        self._lock = Lock()
        self._found: Found | None = None
        self._at = self._failed = self._forced = float("-inf")

    def get(self, *, anew: bool = False) -> Found:
        """The thing. `anew`: fetched again first, if that was not done a moment ago.

        Raises:
            RefdeskError: what the fetch raised, when there is nothing young enough to go on with.
        """
        found = self._found
        if found is not None and not anew and time.monotonic() - self._at < KEPT_S:
            return found
        if not self._lock.acquire(timeout=LIMIT_S + 1):
            return self._old()
        try:
            now = time.monotonic()
            if self._found is not None and (now - self._forced < PAUSE_S if anew else now - self._at < KEPT_S):
                return self._found
            if now - self._failed < PAUSE_S:
                return self._old()
            if anew:
                self._forced = now
            return self._refresh()
        finally:
            self._lock.release()

    def _refresh(self) -> Found:
        try:
            self._found = self._fetch()
        except RefdeskError:
            self._failed = time.monotonic()
            if self._found is None:
                raise
            return self._old()
        self._at = time.monotonic()
        return self._found

    def _old(self) -> Found:
        if self._found is None or time.monotonic() - self._at > KEPT_WHILE_AWAY_S:
            raise RefdeskError("provider_unavailable", retry_after_s=PAUSE_S)
        return self._found

    def forget(self) -> None:
        self._found = None
        self._at = self._failed = self._forced = float("-inf")


def provider_get() -> Provider:
    """The configured provider, as its discovery document says.

    Raises:
        RefdeskError: provider_unavailable, or sign_in_failed when the document cannot be used.
    """
    return _provider.get()


def provider_key(token: str) -> jwt.PyJWK:
    """The key that a token says it is signed with. Looks for new keys when none fits.

    Raises:
        RefdeskError: provider_unavailable, or sign_in_failed when there is no such key.
    """
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        raise RefdeskError("sign_in_failed", "The sign-in provider's token cannot be read.") from None
    algorithm, name = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise RefdeskError("sign_in_failed", "The sign-in provider's token is not signed as it must be.")
    key = _fitting(_keys.get(), algorithm, name) or _fitting(_keys.get(anew=True), algorithm, name)
    if key is None:
        raise RefdeskError("sign_in_failed", "The sign-in provider's token is signed with an unknown key.")
    return key


def provider_forget() -> None:
    """Ask everything again."""
    _provider.forget()
    _keys.forget()


def _fitting(keys: list[dict[str, Any]], algorithm: str, name: str | None) -> jwt.PyJWK | None:
    fitting = [
        key
        for key in keys
        if (name is None or key.get("kid") == name)
        and key.get("use", "sig") == "sig"
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("alg", algorithm) == algorithm
    ]
    # A token that does not say which is only believed when there is no choice.
    if len(fitting) != 1:
        return None
    try:
        return jwt.PyJWK(fitting[0], algorithm)
    except jwt.PyJWTError:
        return None


def _provider_fetch() -> Provider:
    issuer: str = settings.OIDC_ISSUER
    asked: str = settings.OIDC_INTERNAL_URL or issuer
    answer = provider_ask("GET", asked.rstrip("/") + "/.well-known/openid-configuration")
    if answer.status != 200:
        raise RefdeskError("provider_unavailable", retry_after_s=PAUSE_S)
    said = answer.json()
    if said.get("issuer") != issuer:
        raise RefdeskError("sign_in_failed", "The sign-in provider says it is another one than the settings name.")
    methods = said.get("token_endpoint_auth_methods_supported")
    return Provider(
        issuer=issuer,
        authorization_endpoint=_endpoint(said, "authorization_endpoint"),
        token_endpoint=_endpoint(said, "token_endpoint"),
        userinfo_endpoint=_endpoint(said, "userinfo_endpoint", needed=False),
        jwks_uri=_endpoint(said, "jwks_uri"),
        end_session_endpoint=_endpoint(said, "end_session_endpoint", needed=False),
        token_endpoint_auth_methods=tuple(map(str, methods)) if isinstance(methods, list) else ("client_secret_basic",),
        says_issuer_in_answer=said.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(said: dict[str, Any], name: str, *, needed: bool = True) -> str:
    address = said.get(name)
    if address is None and not needed:
        return ""
    if not isinstance(address, str) or not _usable(address):
        raise RefdeskError("sign_in_failed", "What the sign-in provider says about itself cannot be used.")
    return address


def _usable(address: str) -> bool:
    """An address on the web, and not an open one where the issuer's is protected."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    # The box's own network may be plain where the public address is not.
    inside = settings.OIDC_INTERNAL_URL and parts[:2] == urlsplit(settings.OIDC_INTERNAL_URL)[:2]
    schemes = ("https",) if settings.OIDC_ISSUER.startswith("https:") and not inside else ("http", "https")
    return parts.scheme in schemes and bool(host) and parts.username is None


def _keys_fetch() -> list[dict[str, Any]]:
    answer = provider_ask("GET", provider_get().jwks_uri)
    if answer.status != 200:
        raise RefdeskError("provider_unavailable", retry_after_s=PAUSE_S)
    keys = answer.json().get("keys")
    if not isinstance(keys, list):
        raise RefdeskError("sign_in_failed", "The sign-in provider's keys cannot be read.")
    return [key for key in keys[:MOST_KEYS] if isinstance(key, dict)]


_provider: CachedFetch[Provider] = CachedFetch(_provider_fetch)
_keys: CachedFetch[list[dict[str, Any]]] = CachedFetch(_keys_fetch)
