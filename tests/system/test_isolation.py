"""Nobody sees or changes another organisation's rows, through any route (I8).

The routes come from the router and the URL conf: a new route is tried without a change here. Values of parameters
are in tests/routes.py, callers in tests/callers.py.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import URLResolver, get_resolver

from app.accounts.auth import _callers
from app.accounts.choices import Role, Scope
from app.accounts.services import membership_create
from app.library.events import document_publish
from app.library.models import Document
from app.library.selectors.documents import documents_describe
from tests.callers import Callers, callers, key_of, key_with_scopes, nowhere, session_of, two_organisations
from tests.factories import Tenant, tenant_make
from tests.people import Person
from tests.routes import Caller, Response, Route, request_for, requests_for, routes
from tests.snapshot import changes, foreign_references, snapshot

__all__ = ["callers"]  # a fixture

ROUTES = routes()
LOWER = [Role.ADMIN, Role.EDITOR, Role.VIEWER]
# Operations that anybody may call, with the reason.
OPEN: dict[str, str] = {}
# Names in a path that say which row, so that another organisation's must answer 404.
ROW_NAMES = {"document_id", "source_id", "conversation_id", "message_id", "chunk_id", "api_key_id", "slug"}
ROW_NAMES |= {"export_id", "erasure_id", "endpoint_id", "run_id", "external_id"}
# Rows that belong to one person or key, not to everybody in the organisation.
PERSONAL_NAMES = {"conversation_id", "message_id"}
# Routes that answer 404 to the owner of the tenant too, with the reason.
NOT_IN_TENANT = {"GET /api/v1/documents/{document_id}/pages/{n}": "the tenant's document is plain text, without pages"}
# Paths that NinjaAPI serves besides operations.
DESCRIPTIONS = {"openapi.json", "docs", ""}


def role_of(route: Route) -> Role:
    assert route.policy is not None, f"{route.name} has no policy"
    return route.policy.role


@dataclass
class Trial:
    """Sends a caller's requests to every route.

    own: ids of organisations where the caller may change things. tenant: whose ids are tried; acme's if not given.
    """

    callers: Callers
    caller: Caller
    own: Collection[str] = ()
    tenant: Tenant | None = None

    async def wrong(
        self, allowed: Callable[[Route], Collection[int]], only: Collection[Route] | None = None
    ) -> list[str]:
        """Return the responses that are not allowed, words that leaked and rows that changed, as sentences."""
        found = []
        before = await sync_to_async(snapshot)()
        chosen = ROUTES if only is None else list(only)
        assert chosen
        for route in chosen:
            for request in self.callers.sample(requests_for(route, self.tenant or self.callers.tenant)):
                response = await self.caller.send(route.method, request)
                found += self._of_response(route, response, allowed(route))
            if route.writes or route is chosen[-1]:
                after = await sync_to_async(snapshot)()
                moved = changes(before, after, but=self.own)
                found += [f"{route.name} as {self.caller.name}, or a read before it, changed {each}" for each in moved]
                before = after
        found += await sync_to_async(lambda: list(foreign_references()))()
        return found

    def _of_response(self, route: Route, response: Response, allowed: Collection[int]) -> Iterator[str]:
        if response.status not in allowed:
            yield f"{route.name} as {self.caller.name}: {response.status} {response.text[:200]}"
        for word in self.callers.words:
            if word in response.text or word in response.headers:
                yield f"{route.name} as {self.caller.name} leaks: {response.text[:200]} {response.headers}"


def foreign(route: Route, role: Role = Role.OWNER) -> set[int]:
    """Return the statuses that a member of another organisation with this role may get."""
    if not role.covers(role_of(route)):
        return {403}
    if ROW_NAMES & set(route.path_names):
        return {404}
    # A foreign id in a query or a body: as if it were not there, or refused.
    # No 503: reaching for an engine, which this test does not start, means that the id was taken.
    return {200, 201, 202, 204, 404, 409, 422}


def signed_out(route: Route) -> set[int]:
    return {200, 422} if route.name in OPEN else {401}


@pytest.fixture(autouse=True)
def _no_remembered_callers() -> None:
    _callers.clear()


def test_every_operation_names_its_policy() -> None:
    assert [route.name for route in ROUTES if route.policy is None and route.name not in OPEN] == []
    assert set(OPEN) <= {route.name for route in ROUTES}


def test_every_operation_for_keys_names_its_scope() -> None:
    unscoped = {route.name for route in ROUTES if route.policy is not None and route.policy.scope is None}
    assert unscoped == UNSCOPED


# A key of any scope may call these: they show only the key itself.
UNSCOPED = {"GET /api/v1/me"}


def test_every_address_of_the_api_is_an_operation() -> None:
    api = next(each for each in get_resolver().url_patterns if str(each.pattern) == "api/v1/")
    assert isinstance(api, URLResolver)
    routes = {"/api/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(each.pattern)) for each in api.url_patterns}
    assert routes == {route.path for route in ROUTES} | {f"/api/v1/{name}" for name in DESCRIPTIONS}


def test_every_id_in_an_address_is_known_as_one() -> None:
    harmless = {"n", "number"}
    unknown = {name for route in ROUTES for name in route.path_names} - ROW_NAMES - harmless
    assert unknown == set(), "say in this file whether these name a row"


async def test_a_visitor_is_asked_to_sign_in(callers: Callers) -> None:
    assert await Trial(callers, Caller("nobody")).wrong(signed_out) == []


@pytest.mark.parametrize("role", [Role.OWNER, *(pytest.param(role, marks=pytest.mark.whole) for role in LOWER)])
@pytest.mark.parametrize("way", ["session", "key"])
async def test_another_organisation_s_people_and_keys_find_nothing(callers: Callers, role: Role, way: str) -> None:
    person = callers.other[role]
    name = f"{role} of another organisation, by {way}"
    caller = session_of(name, person) if way == "session" else key_of(name, person.key)
    assert await Trial(callers, caller, {callers.other_id}).wrong(lambda route: foreign(route, role)) == []


async def test_naming_a_foreign_organisation_opens_nothing(callers: Callers) -> None:
    owner = callers.other[Role.OWNER]
    caller = session_of("its owner naming acme", owner, **{"X-Organisation": "acme"})
    assert await Trial(callers, caller).wrong(lambda route: {404}) == []
    # A key is in one organisation, whatever the header says.
    caller = key_of("its key naming acme", owner.key, **{"X-Organisation": "acme"})
    assert await Trial(callers, caller, {callers.other_id}).wrong(foreign) == []


async def test_who_is_in_two_organisations_sees_one_at_once(callers: Callers) -> None:
    """The owner of the rows herself, in the other organisation: what is personal stays where it is, too."""
    there = await sync_to_async(membership_create)(
        organisation=callers.other[Role.OWNER].organisation, user=callers.owner.user, role=Role.OWNER
    )
    caller = session_of("the owner of both, in the other", callers.owner, **{"X-Organisation": "other"})
    wrong = await Trial(callers, caller, {callers.other_id}).wrong(foreign)
    await sync_to_async(there.delete)()
    assert wrong == []


@pytest.mark.parametrize("role", [Role.ADMIN, Role.EDITOR, Role.VIEWER])
async def test_a_lower_role_is_refused_what_is_above_it(callers: Callers, role: Role) -> None:
    above = [route for route in ROUTES if route.policy is not None and not role.covers(route.policy.role)]
    if not above:
        assert role == Role.ADMIN, "there are routes for owners alone by now: nothing to except"
        return
    person = callers.acme[role]
    for caller in (session_of(f"the {role}", person), key_of(f"the {role}'s key", person.key)):
        assert await refused_trial(callers, caller, above, 403) == []


async def refused_trial(callers: Callers, caller: Caller, only: Collection[Route], status: int) -> list[str]:
    return await Trial(callers, caller).wrong(lambda route: {status}, only)


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_without_a_scope_is_refused_what_needs_it(callers: Callers, scope: Scope) -> None:
    needing = [route for route in ROUTES if route.policy is not None and route.policy.scope == scope]
    assert needing, "no route asks for this scope"
    for scopes in ([each for each in Scope if each != scope], []):
        caller = await sync_to_async(key_with_scopes)(callers.owner, scopes)
        assert await refused_trial(callers, caller, needing, 403) == []


async def test_a_key_with_the_scope_alone_gets_in(callers: Callers) -> None:
    reads = [route for route in ROUTES if route.method == "GET" and not PERSONAL_NAMES & set(route.path_names)]
    for scope in {route.policy.scope for route in reads if route.policy is not None and route.policy.scope is not None}:
        caller = await sync_to_async(key_with_scopes)(callers.owner, [scope])
        for route in reads:
            if route.policy is not None and route.policy.scope == scope and route.name not in NOT_IN_TENANT:
                response = await caller.request(route, callers.tenant)
                assert (route.name, response.status) == (route.name, 200)


async def test_colleagues_do_not_see_each_other_s_conversations(callers: Callers) -> None:
    personal = [route for route in ROUTES if PERSONAL_NAMES & set(route.path_names)]
    colleagues = [session_of(f"the {role}", person) for role, person in callers.acme.items() if person != callers.owner]
    # The key of the same person is another owner of conversations too.
    colleagues += [key_of(f"the {role}'s key", person.key) for role, person in callers.acme.items()]
    for caller in colleagues:
        assert await refused_trial(callers, caller, personal, 404) == []


async def test_dead_keys_open_nothing(callers: Callers) -> None:
    for name, key in callers.sample(callers.dead_keys.items()):
        assert await Trial(callers, key_of(name, key)).wrong(lambda route: {401}) == []


async def test_a_dead_key_is_not_helped_by_a_session(callers: Callers) -> None:
    caller = session_of("alice", callers.owner, Authorization=f"Bearer {callers.dead_keys['revoked']}")
    assert await Trial(callers, caller).wrong(lambda route: {401}) == []


@pytest.mark.parametrize("name", ["key", "api_key", "apikey", "token", "access_token", "authorization"])
async def test_a_key_in_the_address_is_no_key(callers: Callers, name: str) -> None:
    route = next(route for route in ROUTES if route.name == "GET /api/v1/documents")
    request = request_for(route, callers.tenant)
    address = f"{route.path}?{name}={callers.owner.key}"
    response = await Caller("nobody").send("GET", type(request)(address, b"", request.content_type, ()))
    assert response.status == 401
    assert callers.owner.key not in response.text


@pytest.mark.parametrize(("name", "status"), [("suspended", 401), ("deleted", 401), ("removed", 404)])
async def test_the_cookie_of_a_former_owner_opens_nothing(callers: Callers, name: str, status: int) -> None:
    caller = Caller(f"a {name} owner", session=callers.dead_sessions[name])
    assert await Trial(callers, caller).wrong(lambda route: {status}) == []


async def test_a_session_s_choice_of_organisation_is_the_only_one_in_sight(callers: Callers) -> None:
    person = await sync_to_async(two_organisations)(callers, chosen=callers.other_id)
    caller = session_of("a member of both, who chose the other", person)
    assert await Trial(callers, caller, {callers.other_id}).wrong(foreign) == []


async def test_nobody_gets_into_a_suspended_organisation(callers: Callers) -> None:
    person = callers.frozen[Role.OWNER]
    for caller in (session_of("its owner", person), key_of("its owner's key", person.key)):
        for tenant in callers.sample([callers.frozen_tenant, callers.tenant]):
            assert await Trial(callers, caller, tenant=tenant).wrong(lambda route: {403}) == []


async def test_a_foreign_id_is_answered_as_one_that_never_was(callers: Callers) -> None:
    """Body and headers alike, wherever the id stands: no response proves that a row exists."""
    absent, differing = nowhere(callers.tenant), []
    for role in callers.sample([Role.OWNER, Role.VIEWER]):
        for caller in (session_of("session", callers.other[role]), key_of("key", callers.other[role].key)):
            for route in ROUTES:
                pairs = zip(requests_for(route, callers.tenant), requests_for(route, absent), strict=True)
                for theirs, nobodys in callers.sample(pairs):
                    responses = [await caller.send(route.method, each) for each in (theirs, nobodys)]
                    seen = [(each.status, each.comparable, each.headers) for each in responses]
                    if responses[0].status >= 400 and seen[0] != seen[1]:
                        differing.append(f"{route.name} by {caller.name} of the {role}: {seen}")
    assert differing == []


@pytest.mark.django_db(transaction=True)
async def test_the_owner_does_reach_these_rows(alice: Person) -> None:
    # Otherwise the 404s above would prove nothing. Each route gets a tenant of its own, for it may take it down.
    wrong = []
    caller = session_of("alice", alice)
    for number, route in enumerate(ROUTES):
        if route.name in NOT_IN_TENANT:
            continue
        own = await sync_to_async(tenant_make)(alice, word=f"lighthouse{number}")
        response = await caller.request(route, own)
        if response.status in (401, 403, 404, 405, 422) or (
            response.status >= 500 and response.status not in (503, 507)
        ):
            wrong.append(f"{route.name}: {response.status} {response.text[:300]}")
    assert wrong == []


async def test_changes_are_streamed_to_their_own_organisation_only(callers: Callers) -> None:
    follow = next(route for route in ROUTES if route.path.endswith("/documents/events"))
    document = await documents_describe(Document.objects.filter(pk=callers.tenant.document.pk)).aget()

    async def tell() -> None:
        for _ in range(6):
            await asyncio.sleep(0.04)
            await asyncio.to_thread(document_publish, document)

    request = request_for(follow, callers.tenant)
    own, theirs = key_of("its own", callers.acme[Role.VIEWER].key), key_of("another's", callers.other[Role.OWNER].key)
    heard, overheard, _ = await asyncio.gather(own.send("GET", request), theirs.send("GET", request), tell())
    assert (heard.status, overheard.status) == (200, 200)
    assert callers.tenant.word in heard.text
    assert overheard.text == ""


async def test_the_description_of_the_api_is_for_members(callers: Callers) -> None:
    for path, status in (("/api/v1/docs", 302), ("/api/v1/openapi.json", 401)):
        for client in (Client(), callers.dead_sessions["suspended"], callers.dead_sessions["deleted"]):
            assert (await sync_to_async(client.get)(path)).status_code == status
        assert (await sync_to_async(callers.owner.client.get)(path)).status_code == 200
