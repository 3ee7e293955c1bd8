"""Authentication of callers, and the policy of each route.

Every route of the API names its policy: `auth=policy(Role.EDITOR, Scope.BOTS_WRITE)`, or `async_policy(…)` on an
async route. The same checks run for every kind of caller: API key, access token or session.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.db import connections
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja.utils import check_csrf

from app.accounts.choices import Role, Scope
from app.accounts.key_hash import API_KEY_PREFIX, secret_hash
from app.accounts.keys import ALL_SCOPES, key_scopes
from app.accounts.models import ApiKey, Membership, User
from app.errors import NotAllowed, NotFound, NotSignedIn, RefdeskError
from app.lib.tenancy import everything_visible, organisations_visible, scope_enter
from app.plans.rate_limits import Subject, request_count, request_count_in_thread

# Limit for a process's cached callers: a revoked key or a changed role is noticed within this time.
CALLER_CACHE_S = 2.0
CALLER_CACHE_SIZE = 1000
LAST_USED_STEP_S = 60
# Session key, for a person in several organisations: the id of the chosen one.
CHOSEN_ORGANISATION = "organisation"


class Access(Protocol):
    """An access token of a sign-in provider, for streams that outlive its check."""

    def is_current(self) -> bool:
        """Return whether the token has not expired and its session has not been signed out."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The person or key on whose behalf a request runs, in exactly one organisation."""

    organisation_id: UUID
    organisation_slug: str
    role: Role
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    # The key's family, whose conversations the key sees (ApiKey.family).
    key_family: UUID | None = None
    scopes: frozenset[Scope] = ALL_SCOPES
    # The provider's access token, for a person who sent one instead of a session.
    access: Access | None = None

    @property
    def subject(self) -> Subject:
        """Return the subject whose limits apply."""
        return Subject(self.organisation_id, self.api_key_id, self.user_id)


class ApiRequest(HttpRequest):
    """A request that a policy has admitted. Routes annotate with it, so that `request.caller` has its type."""

    caller: Caller


_callers: dict[str, tuple[float, Caller]] = {}


def _valid_keys() -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(Q(expires=None) | Q(expires__gt=timezone.now()), revoked=None)


def _caller_for_key(key: str) -> Caller:
    key_hash = secret_hash(key)
    caller = _cached(key_hash)
    if caller is not None:
        return caller
    now = time.monotonic()
    # The key's organisation is not known yet: this query finds it.
    with everything_visible():
        row = _valid_keys().select_related("organisation").filter(key_hash=key_hash).first()
        if row is None:
            _callers.pop(key_hash, None)
            raise RefdeskError("bad_api_key")
        if row.organisation.suspended is not None:
            raise RefdeskError("organisation_suspended")
        if row.last_used is None or (timezone.now() - row.last_used).total_seconds() > LAST_USED_STEP_S:
            ApiKey.objects.filter(pk=row.pk).update(last_used=timezone.now())
    caller = Caller(
        row.organisation_id,
        row.organisation.slug,
        Role(row.role),
        api_key_id=row.id,
        key_family=row.family,
        scopes=key_scopes(row),
    )
    if len(_callers) >= CALLER_CACHE_SIZE:
        _callers.clear()
    _callers[key_hash] = (now, caller)
    return caller


def caller_for_user(user: User, slug: str | None, *, chosen: str | None = None, access: Access | None = None) -> Caller:
    """Return a person as caller in one organisation: that named `slug`, that with the id `chosen`, or the first joined.

    If the person has left the organisation that the session chose, the first one is used. A suspended organisation is
    skipped, unless it is named or the only one.

    Raises:
        NotFound: no membership there; the error does not depend on whether the organisation exists.
        RefdeskError: organisation_suspended.
    """
    with everything_visible():
        memberships = list(user.memberships.select_related("organisation").order_by("created", "id"))
    if slug is not None:
        memberships = [row for row in memberships if row.organisation.slug == slug]
    else:
        # The sort is stable: among equals the first joined comes first.
        memberships.sort(key=lambda row: (row.organisation.suspended is not None, str(row.organisation_id) != chosen))
    if not memberships:
        raise NotFound("not_found", "You are not a member of an organisation here.")
    membership, organisation = memberships[0], memberships[0].organisation
    if organisation.suspended is not None:
        raise RefdeskError("organisation_suspended")
    return Caller(organisation.id, organisation.slug, Role(membership.role), user_id=user.id, access=access)


def _caller_for_session(request: HttpRequest) -> Caller:
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        raise NotSignedIn
    if check_csrf(request) is not None:
        raise RefdeskError("csrf_failed")
    return caller_for_user(user, request.headers.get("X-Organisation"), chosen=request.session.get(CHOSEN_ORGANISATION))


def caller_identify(request: HttpRequest) -> Caller:
    """Return the caller of an API request.

    Raises:
        RefdeskError: not_signed_in, bad_api_key, bad_access_token, provider_unavailable, csrf_failed, not_found or
            organisation_suspended.
    """
    token = _bearer(request)
    if token is None:
        return _caller_for_session(request)
    if not token.startswith(API_KEY_PREFIX):
        return _caller_for_access_token(token, request.headers.get("X-Organisation"))
    return _caller_for_key(token)


# Reader of a provider's access token: takes the token and the organisation's slug. None on a box without a provider.
_read_access_token: Callable[[str, str | None], Caller] | None = None


def access_tokens_accept(read: Callable[[str, str | None], Caller]) -> None:
    """Accept access tokens of a sign-in provider, read by this function (app/oidc registers it)."""
    global _read_access_token
    _read_access_token = read


def _caller_for_access_token(token: str, slug: str | None) -> Caller:
    if _read_access_token is None:
        raise RefdeskError("bad_api_key")
    return _read_access_token(token, slug)


def caller_is_current(caller: Caller) -> bool:
    """Return whether the caller still has their role, for streams that outlive the check at their start."""
    with organisations_visible(caller.organisation_id):
        return _is_current(caller)


def _is_current(caller: Caller) -> bool:
    role: str | None
    if caller.api_key_id is not None:
        key = _valid_keys().filter(pk=caller.api_key_id, organisation__suspended=None).first()
        if key is None or not caller.scopes <= key_scopes(key):
            return False
        role = key.role
    else:
        members = Membership.objects.filter(
            organisation=caller.organisation_id, organisation__suspended=None, user__is_active=True
        )
        role = members.filter(user=caller.user_id).values_list("role", flat=True).first()
    return role is not None and Role(role).covers(caller.role)


async def stream_allowed(request: ApiRequest) -> bool:
    """Return whether a stream's reader may continue: the key or role is still valid, and so is the session."""
    return await sync_to_async(_stream_allowed, thread_sensitive=False)(request)


def _stream_allowed(request: ApiRequest) -> bool:
    try:
        caller = request.caller
        if caller.access is not None:
            return caller_is_current(caller) and caller.access.is_current()
        return caller_is_current(caller) and (caller.user_id is None or _session_is_current(request))
    finally:
        # The thread may be idle for long.
        connections.close_all()


def _session_is_current(request: HttpRequest) -> bool:
    """Return whether the session still exists and its password mark is right (a new password changes the mark)."""
    probe = HttpRequest()
    probe.session = type(request.session)(request.session.session_key)
    return get_user(probe).is_authenticated


def _bearer(request: HttpRequest) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _cached(key_hash: str) -> Caller | None:
    entry = _callers.get(key_hash)
    return entry[1] if entry is not None and time.monotonic() - entry[0] < CALLER_CACHE_S else None


class policy:  # noqa: N801 (reads as a word on the route)
    """The least role that may use a route, and the scope that a key needs (None: any); sets `request.caller`."""

    openapi_security_schema: ClassVar = {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (rk_…), or an access token of the sign-in provider",
    }

    def __init__(self, role: Role, scope: Scope | None = None) -> None:
        self.role = role
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Any:
        caller = self._admit(request, caller_identify(request))
        request_count_in_thread(request, caller.subject)
        return caller

    def _admit(self, request: HttpRequest, caller: Caller) -> Caller:
        if not caller.role.covers(self.role):
            raise NotAllowed
        if self.scope is not None and self.scope not in caller.scopes:
            raise RefdeskError("scope_missing", details={"scope": self.scope.value})
        cast(ApiRequest, request).caller = caller
        scope_enter(caller.organisation_id)
        return caller


class async_policy(policy):  # noqa: N801
    """The policy of an async route: a cached API key costs no thread and no query."""

    async def __call__(self, request: HttpRequest) -> Any:
        token = _bearer(request)
        caller = _cached(secret_hash(token)) if token else None
        if caller is None:
            caller = await sync_to_async(caller_identify)(request)
        self._admit(request, caller)
        await request_count(request, caller.subject)
        return caller
