"""Checks of a provider's tokens: three kinds, each refused where another kind is expected."""

import hmac
import time
from collections.abc import Sequence
from typing import Any

import jwt
from django.conf import settings

from app.errors import RefdeskError
from app.oidc.claims import Claims, claim_text
from app.oidc.discovery import provider_key
from app.oidc.token_revocation import Access

# The clocks of two hosts may differ by this time.
LEEWAY_S = 30
# A login's or logout's token must be recent.
OLDEST_S = 600
LONGEST_TOKEN = 64 * 1024
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def id_token_check(token: Any, *, nonce: str, access_token: str) -> Claims:
    """Return the claims of an ID token that was made for this login.

    Raises:
        RefdeskError: sign_in_failed, provider_unavailable.
    """
    claims = _decode(token, audiences=[settings.OIDC_CLIENT_ID], needed=("sub", "aud", "exp", "iat", "nonce"))
    value = claims["nonce"]
    if not nonce or not isinstance(value, str) or not hmac.compare_digest(value.encode(), nonce.encode()):
        raise _refusal("it belongs to another sign-in")
    _check_party(claims)
    if claims["iat"] < time.time() - OLDEST_S:
        raise _refusal("it is too old")
    if "at_hash" in claims and not _hash_fits(token, access_token, claims["at_hash"]):
        raise _refusal("it belongs to another access token")
    return claims


def access_token_check(token: str) -> Access:
    """Check an access token for this Refdesk, whose audience is our client or our public address.

    Raises:
        RefdeskError: bad_access_token, provider_unavailable.
    """
    public = settings.PUBLIC_URL
    try:
        claims = _decode(
            token,
            audiences=[settings.OIDC_CLIENT_ID, public, f"{public}/", f"{public}/api/v1"],
            needed=("sub", "aud", "exp", "iat"),
        )
    except RefdeskError as error:
        if error.code == "provider_unavailable":
            raise
        raise RefdeskError("bad_access_token") from error
    if not _is_access_token(token, claims):
        raise RefdeskError("bad_access_token")
    return Access(
        issuer=claims["iss"],
        subject=claims["sub"],
        provider_session=claim_text(claims, "sid"),
        issued=float(claims["iat"]),
        expires=float(claims["exp"]),
    )


def logout_token_check(token: str) -> tuple[str, str]:
    """Return the subject of a logout token and their session at the provider (empty: all).

    Raises:
        RefdeskError: sign_in_failed, provider_unavailable.
    """
    claims = _decode(token, audiences=[settings.OIDC_CLIENT_ID], needed=("aud", "iat", "jti"))
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise _refusal("it is no logout token")
    subject, provider_session = claim_text(claims, "sub"), claim_text(claims, "sid")
    if "nonce" in claims or not (subject or provider_session):
        raise _refusal("it is no logout token")
    if claims["iat"] < time.time() - OLDEST_S:
        raise _refusal("it is too old")
    return subject, provider_session


def _decode(token: Any, *, audiences: Sequence[str], needed: Sequence[str]) -> Claims:
    """Check signature, issuer, audience and times of a token and return its claims."""
    if not isinstance(token, str) or not token or len(token) > LONGEST_TOKEN:
        raise _refusal("it cannot be read")
    key = provider_key(token)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=list(audiences),
            issuer=settings.OIDC_ISSUER,
            leeway=LEEWAY_S,
            options={"require": ["iss", *needed], "verify_iat": True},
        )
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        raise _refusal("its time is over or has not come, unless this server's clock is wrong") from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
        raise _refusal("it was not made for us, or not signed by the provider") from error
    times = [claims[name] for name in ("iat", "exp") if name in claims]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in times):
        raise _refusal("its times cannot be read")
    if "sub" in needed and not claim_text(claims, "sub"):
        raise _refusal("it names nobody")
    return claims


def _check_party(claims: Claims) -> None:
    """Raise unless the token was made for our client, if its audience has several clients."""
    audience = claims["aud"]
    is_shared = isinstance(audience, list) and len(audience) > 1
    if (is_shared or "azp" in claims) and claims.get("azp") != settings.OIDC_CLIENT_ID:
        raise _refusal("it was made for another client")


def _hash_fits(token: str, access_token: str, value: Any) -> bool:
    header = jwt.get_unverified_header(token)
    algorithm = jwt.get_algorithm_by_name(header["alg"])
    try:
        digest = algorithm.compute_hash_digest(access_token.encode())
    except NotImplementedError:  # EdDSA names no hash
        return True
    expected = jwt.utils.base64url_encode(digest[: len(digest) // 2])
    return isinstance(value, str) and hmac.compare_digest(expected, value.encode())


def _is_access_token(token: str, claims: Claims) -> bool:
    """Return whether the token is an access token: ID and logout tokens have our client as audience too."""
    header = jwt.get_unverified_header(token)
    if str(header.get("typ", "")).lower().removeprefix("application/") == "at+jwt":
        return True
    if "typ" in claims:  # Keycloak names the type in the claims
        return bool(claims["typ"] == "Bearer")
    return not {"nonce", "at_hash", "c_hash", "events"} & set(claims) and bool({"scope", "scp"} & set(claims))


def _refusal(why: str) -> RefdeskError:
    return RefdeskError("sign_in_failed", f"The sign-in provider's token is refused: {why}.")
