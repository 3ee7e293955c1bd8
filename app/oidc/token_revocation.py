"""OIDC for the rest of the app: whether it is configured, the provider's name, revoked tokens.

The modules that call the provider and check its tokens take 12 MB of memory (cryptography above all), so this module
does not import them: a box without OIDC saves that memory.
"""

import hashlib
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

# Longer than any access token that a provider should give.
REVOCATION_S = 24 * 3600
_NAMES = {"accounts.google.com": "Google", "login.microsoftonline.com": "Microsoft"}


@dataclass(frozen=True, slots=True)
class Access:
    """The part of an access token that a long stream must check again. Times: epoch seconds."""

    issuer: str
    subject: str
    provider_session: str
    issued: float
    expires: float

    def is_current(self) -> bool:
        """Return whether the token is neither expired nor revoked by a sign-out."""
        return self.expires > time.time() and not _is_revoked(self)


def oidc_configured() -> bool:
    return bool(settings.OIDC_ISSUER)


def provider_name(issuer: str = "") -> str:
    """Return the name of a provider for a button, by default of the configured one."""
    host = urlsplit(issuer or settings.OIDC_ISSUER).hostname or ""
    return _NAMES.get(host, host)


def tokens_revoke(*, issuer: str, subject: str, provider_session: str) -> None:
    """Refuse access tokens issued until now: those of the session, or all of the person's.

    The marks are in Valkey. Without it a token is valid until it expires.
    """
    name = _mark(issuer, "session", provider_session) if provider_session else _mark(issuer, "subject", subject)
    try:
        cache.set(name, int(time.time()), timeout=REVOCATION_S)
    except (RedisError, OSError):
        return


def _mark(issuer: str, kind: str, name: str) -> str:
    return "oidc-ended:" + hashlib.sha256(f"{issuer}\n{kind}\n{name}".encode()).hexdigest()


def _is_revoked(access: Access) -> bool:
    names = [_mark(access.issuer, "subject", access.subject)]
    if access.provider_session:
        names.append(_mark(access.issuer, "session", access.provider_session))
    try:
        ended = cache.get_many(names)
    except (RedisError, OSError):
        return False
    return any(access.issued <= time_ended for time_ended in ended.values())
