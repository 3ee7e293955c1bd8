"""Access tokens of the provider on the API, for people (by issuer and subject) who have signed in here before."""

import time

from app.accounts.auth import CALLER_CACHE_S, CALLER_CACHE_SIZE, Caller, caller_for_user
from app.accounts.key_hash import secret_hash
from app.errors import RefdeskError
from app.oidc.identities import identity_user
from app.oidc.token_revocation import Access
from app.oidc.tokens import access_token_check

# The monotonic time of the check, the token and the caller, by the token's hash and the requested organisation.
_callers: dict[tuple[str, str | None], tuple[float, Access, Caller]] = {}


def caller_for_access_token(token: str, slug: str | None) -> Caller:
    """Return the caller of a request with an access token, in the organisation that `slug` names.

    Raises:
        RefdeskError: bad_access_token, provider_unavailable or not_found.
    """
    key = (secret_hash(token), slug)
    entry = _callers.get(key)
    if entry is not None and time.monotonic() - entry[0] < CALLER_CACHE_S and entry[1].expires > time.time():
        return entry[2]
    _callers.pop(key, None)
    now = time.monotonic()
    access = access_token_check(token)
    if not access.is_current():
        raise RefdeskError("bad_access_token")
    user = identity_user(issuer=access.issuer, subject=access.subject)
    if user is None or not user.is_active:
        raise RefdeskError("bad_access_token")
    caller = caller_for_user(user, slug, access=access)
    if len(_callers) >= CALLER_CACHE_SIZE:
        _callers.clear()
    _callers[key] = (now, access, caller)
    return caller
