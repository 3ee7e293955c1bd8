"""The provider's discovery document and signing keys.

Each process caches both. One thread at a time requests an address, and none does for 10 s after a failure, so that a
provider that hangs delays only the few requests that wait for it.
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
from app.oidc.provider_client import LIMIT_S, provider_request

# Signed by a private key that only the provider has; with HS256 our own client secret would be the key.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
FRESH_S = 600.0
# A withdrawn key must not be trusted for long while the provider is unavailable.
STALE_S = 3600.0
# After a failure, and between two look-ups of an unknown key.
PAUSE_S = 10.0
MOST_KEYS = 50

Fetched = TypeVar("Fetched")


@dataclass(frozen=True, slots=True)
class Provider:
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    end_session_endpoint: str
    token_endpoint_auth_methods: tuple[str, ...]
    returns_issuer: bool


class CachedFetch(Generic[Fetched]):
    """A cached value that is fetched again when it is old."""

    def __init__(self, fetch: Callable[[], Fetched]) -> None:
        self._fetch = fetch
        self._lock = Lock()
        self._value: Fetched | None = None
        self._at = self._failed = self._forced = float("-inf")

    def get(self, *, anew: bool = False) -> Fetched:
        """Return the value. `anew`: fetch it again first, unless that was done within PAUSE_S.

        Raises:
            RefdeskError: the fetch failed, and the cached value is missing or too old.
        """
        value = self._value
        if value is not None and not anew and time.monotonic() - self._at < FRESH_S:
            return value
        if not self._lock.acquire(timeout=LIMIT_S + 1):
            return self._old()
        try:
            now = time.monotonic()
            if self._value is not None and (now - self._forced < PAUSE_S if anew else now - self._at < FRESH_S):
                return self._value
            if now - self._failed < PAUSE_S:
                return self._old()
            if anew:
                self._forced = now
            return self._refresh()
        finally:
            self._lock.release()

    def _refresh(self) -> Fetched:
        try:
            self._value = self._fetch()
        except RefdeskError:
            self._failed = time.monotonic()
            if self._value is None:
                raise
            return self._old()
        self._at = time.monotonic()
        return self._value

    def _old(self) -> Fetched:
        if self._value is None or time.monotonic() - self._at > STALE_S:
            raise RefdeskError("provider_unavailable", retry_after_s=PAUSE_S)
        return self._value

    def forget(self) -> None:
        self._value = None
        self._at = self._failed = self._forced = float("-inf")


def provider_get() -> Provider:
    """Return the configured provider, as its discovery document describes it.

    Raises:
        RefdeskError: provider_unavailable, or sign_in_failed when the document cannot be used.
    """
    return _provider.get()


def provider_key(token: str) -> jwt.PyJWK:
    """Return the key that a token names. Fetches the keys again when none fits.

    Raises:
        RefdeskError: provider_unavailable, or sign_in_failed when the provider has no such key.
    """
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        raise RefdeskError("sign_in_failed", "The sign-in provider's token cannot be read.") from None
    algorithm, name = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise RefdeskError("sign_in_failed", "The sign-in provider's token is not signed as it must be.")
    key = _matching_key(_keys.get(), algorithm, name) or _matching_key(_keys.get(anew=True), algorithm, name)
    if key is None:
        raise RefdeskError("sign_in_failed", "The sign-in provider's token is signed with an unknown key.")
    return key


def provider_forget() -> None:
    """Forget the cached document and keys."""
    _provider.forget()
    _keys.forget()


def _matching_key(keys: list[dict[str, Any]], algorithm: str, name: str | None) -> jwt.PyJWK | None:
    matching = [
        key
        for key in keys
        if (name is None or key.get("kid") == name)
        and key.get("use", "sig") == "sig"
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("alg", algorithm) == algorithm
    ]
    # A token that names no key is accepted only when there is exactly one key.
    if len(matching) != 1:
        return None
    try:
        return jwt.PyJWK(matching[0], algorithm)
    except jwt.PyJWTError:
        return None


def _provider_fetch() -> Provider:
    issuer: str = settings.OIDC_ISSUER
    address: str = settings.OIDC_INTERNAL_URL or issuer
    response = provider_request("GET", address.rstrip("/") + "/.well-known/openid-configuration")
    if response.status != 200:
        raise RefdeskError("provider_unavailable", retry_after_s=PAUSE_S)
    document = response.json()
    if document.get("issuer") != issuer:
        raise RefdeskError("sign_in_failed", "The sign-in provider says it is another one than the settings name.")
    methods = document.get("token_endpoint_auth_methods_supported")
    return Provider(
        issuer=issuer,
        authorization_endpoint=_endpoint(document, "authorization_endpoint"),
        token_endpoint=_endpoint(document, "token_endpoint"),
        userinfo_endpoint=_endpoint(document, "userinfo_endpoint", needed=False),
        jwks_uri=_endpoint(document, "jwks_uri"),
        end_session_endpoint=_endpoint(document, "end_session_endpoint", needed=False),
        token_endpoint_auth_methods=tuple(map(str, methods)) if isinstance(methods, list) else ("client_secret_basic",),
        returns_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(document: dict[str, Any], name: str, *, needed: bool = True) -> str:
    address = document.get(name)
    if address is None and not needed:
        return ""
    if not isinstance(address, str) or not _usable(address):
        raise RefdeskError("sign_in_failed", "What the sign-in provider says about itself cannot be used.")
    return address


def _usable(address: str) -> bool:
    """Return whether an address is a web address, with TLS if the issuer's has TLS."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    # An address in the box's own network may lack TLS even if the public address has it.
    is_internal = settings.OIDC_INTERNAL_URL and parts[:2] == urlsplit(settings.OIDC_INTERNAL_URL)[:2]
    schemes = ("https",) if settings.OIDC_ISSUER.startswith("https:") and not is_internal else ("http", "https")
    return parts.scheme in schemes and bool(host) and parts.username is None


def _keys_fetch() -> list[dict[str, Any]]:
    response = provider_request("GET", provider_get().jwks_uri)
    if response.status != 200:
        raise RefdeskError("provider_unavailable", retry_after_s=PAUSE_S)
    keys = response.json().get("keys")
    if not isinstance(keys, list):
        raise RefdeskError("sign_in_failed", "The sign-in provider's keys cannot be read.")
    return [key for key in keys[:MOST_KEYS] if isinstance(key, dict)]


_provider: CachedFetch[Provider] = CachedFetch(_provider_fetch)
_keys: CachedFetch[list[dict[str, Any]]] = CachedFetch(_keys_fetch)
