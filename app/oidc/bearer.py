"""Access tokens of the provider on the API: the person by (issuer, subject), who must have signed in here once."""

import time

from app.accounts.auth import CALLER_CACHE_S, CALLER_CACHE_SIZE, Caller, caller_of_user
from app.accounts.key_hash import secret_hash
from app.errors import RefdeskError
from app.oidc.identities import identity_user
from app.oidc.token_revocation import Access
from app.oidc.tokens import access_token_check

# By the token's hash and the organisation asked for: when it was read (monotonic), the token, and whose it is.
_callers: dict[tuple[str, str | None], tuple[float, Access, Caller]] = {}


def caller_of_access_token(token: str, slug: str | None) -> Caller:
    """The caller of a request with an access token, in the organisation that `slug` names.

    Raises:
        RefdeskError: bad_access_token, provider_unavailable or not_found.
    """
    place = (secret_hash(token), slug)
    known = _callers.get(place)
    if known is not None and time.monotonic() - known[0] < CALLER_CACHE_S and known[1].expires > time.time():
        return known[2]
    _callers.pop(place, None)
    now = time.monotonic()
    access = access_token_check(token)
    if not access.is_current():
        raise RefdeskError("bad_access_token")
    user = identity_user(issuer=access.issuer, subject=access.subject)
    if user is None or not user.is_active:
        raise RefdeskError("bad_access_token")
    caller = caller_of_user(user, slug, access=access)
    if len(_callers) >= CALLER_CACHE_SIZE:
        _callers.clear()
    _callers[place] = (now, access, caller)
    return caller
