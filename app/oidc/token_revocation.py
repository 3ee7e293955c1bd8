"""Sign-in by OIDC: whether the deployment has it, and what the rest of the app needs to know without loading it.

The parts that speak to the provider and check its tokens cost 12 MB of memory (cryptography above all), so nothing
here imports them: a box without OIDC never pays.
"""

import hashlib
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

# Longer than any access token that a provider should give.
ENDED_KEPT_S = 24 * 3600
_NAMES = {"accounts.google.com": "Google", "login.microsoftonline.com": "Microsoft"}


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token says that must still be asked of a stream that outlives its check. Times: epoch seconds."""

    issuer: str
    subject: str
    provider_session: str
    issued: float
    expires: float

    def is_current(self) -> bool:
        """Return whether the token has neither expired nor been signed out of."""
        return self.expires > time.time() and not _ended_after(self)


def oidc_configured() -> bool:
    return bool(settings.OIDC_ISSUER)


def provider_name(issuer: str = "") -> str:
    """What people call a provider, ours unless another is named: on a button."""
    host = urlsplit(issuer or settings.OIDC_ISSUER).hostname or ""
    return _NAMES.get(host, host)


def ended_mark(*, issuer: str, subject: str, provider_session: str) -> None:
    """From now on, access tokens issued before are refused: those of the session, or all of the person's.

    The marks are in Valkey. Without it a token lives until it expires, which is what it was issued for.
    """
    name = _mark(issuer, "session", provider_session) if provider_session else _mark(issuer, "subject", subject)
    try:
        cache.set(name, int(time.time()), timeout=ENDED_KEPT_S)
    except (RedisError, OSError):
        return


def _mark(issuer: str, kind: str, name: str) -> str:
    return "oidc-ended:" + hashlib.sha256(f"{issuer}\n{kind}\n{name}".encode()).hexdigest()


def _ended_after(access: Access) -> bool:
    names = [_mark(access.issuer, "subject", access.subject)]
    if access.provider_session:
        names.append(_mark(access.issuer, "session", access.provider_session))
    try:
        ended = cache.get_many(names)
    except (RedisError, OSError):
        return False
    return any(access.issued <= moment for moment in ended.values())
