"""What a provider's tokens must say before they are believed. Three kinds, each refused where another is asked for."""

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

# Two hosts' clocks may differ that much.
LEEWAY_S = 30
# What a login or a logout says is said now.
OLDEST_S = 600
LONGEST_TOKEN = 64 * 1024
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def id_token_check(token: Any, *, nonce: str, access_token: str) -> Claims:
    """The claims of an ID token that was made for this login.

    Raises:
        RefdeskError: sign_in_failed, provider_unavailable.
    """
    claims = _checked(token, audiences=[settings.OIDC_CLIENT_ID], needed=("sub", "aud", "exp", "iat", "nonce"))
    said = claims["nonce"]
    if not nonce or not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        raise _refusal("it belongs to another sign-in")
    _check_party(claims)
    if claims["iat"] < time.time() - OLDEST_S:
        raise _refusal("it is too old")
    if "at_hash" in claims and not _hash_fits(token, access_token, claims["at_hash"]):
        raise _refusal("it belongs to another access token")
    return claims


def access_token_check(token: str) -> Access:
    """What an access token for this Refdesk says. Its audience is our client or our public address.

    Raises:
        RefdeskError: bad_access_token, provider_unavailable.
    """
    public = settings.PUBLIC_URL
    try:
        claims = _checked(
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
    """Whom a logout token is about, and which session of theirs at the provider (empty: all).

    Raises:
        RefdeskError: sign_in_failed, provider_unavailable.
    """
    claims = _checked(token, audiences=[settings.OIDC_CLIENT_ID], needed=("aud", "iat", "jti"))
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise _refusal("it is no logout token")
    subject, provider_session = claim_text(claims, "sub"), claim_text(claims, "sid")
    if "nonce" in claims or not (subject or provider_session):
        raise _refusal("it is no logout token")
    if claims["iat"] < time.time() - OLDEST_S:
        raise _refusal("it is too old")
    return subject, provider_session


def _checked(token: Any, *, audiences: Sequence[str], needed: Sequence[str]) -> Claims:
    """Signature, issuer, audience and times."""
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
    moments = [claims[name] for name in ("iat", "exp") if name in claims]
    if any(isinstance(moment, bool) or not isinstance(moment, int | float) for moment in moments):
        raise _refusal("its times cannot be read")
    if "sub" in needed and not claim_text(claims, "sub"):
        raise _refusal("it names nobody")
    return claims


def _check_party(claims: Claims) -> None:
    """Where a token is for several, the one that asked for it must be us."""
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    if (several or "azp" in claims) and claims.get("azp") != settings.OIDC_CLIENT_ID:
        raise _refusal("it was made for another client")


def _hash_fits(token: str, access_token: str, said: Any) -> bool:
    header = jwt.get_unverified_header(token)
    algorithm = jwt.get_algorithm_by_name(header["alg"])
    try:
        digest = algorithm.compute_hash_digest(access_token.encode())
    except NotImplementedError:  # EdDSA names no hash
        return True
    fits = jwt.utils.base64url_encode(digest[: len(digest) // 2])
    return isinstance(said, str) and hmac.compare_digest(fits, said.encode())


def _is_access_token(token: str, claims: Claims) -> bool:
    """ID and logout tokens have our client as audience too, and are for nobody's API."""
    header = jwt.get_unverified_header(token)
    if str(header.get("typ", "")).lower().removeprefix("application/") == "at+jwt":
        return True
    if "typ" in claims:  # Keycloak says so in the claims
        return bool(claims["typ"] == "Bearer")
    return not {"nonce", "at_hash", "c_hash", "events"} & set(claims) and bool({"scope", "scp"} & set(claims))


def _refusal(why: str) -> RefdeskError:
    return RefdeskError("sign_in_failed", f"The sign-in provider's token is refused: {why}.")
