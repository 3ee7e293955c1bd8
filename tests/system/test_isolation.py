"""Nobody sees or changes another organisation's rows, through any door (I8).

The doors come from the router and the URL conf: a new route is tried without a change here. What its parameters mean
is in tests/doors.py, who tries in tests/stage.py.
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
from tests.digest import changes, crossings, digest
from tests.doors import Answer, Door, Visitor, doors, knock_at, knocks_at
from tests.people import Person
from tests.stage import Stage, key_of, key_with_scopes, nowhere, session_of, stage, two_organisations
from tests.world import World, world_make

__all__ = ["stage"]  # a fixture

DOORS = doors()
# Operations that anybody may call, with the reason.
OPEN: dict[str, str] = {}
# Names in a path that say which row, so that another organisation's must answer 404.
ROW_NAMES = {"document_id", "source_id", "conversation_id", "message_id", "chunk_id", "api_key_id", "slug"}
ROW_NAMES |= {"export_id", "erasure_id", "endpoint_id"}
# Rows that belong to one person or key, not to everybody in the organisation.
PERSONAL_NAMES = {"conversation_id", "message_id"}
# Routes that answer 404 to the owner of the world too, with the reason.
NOT_IN_WORLD = {"GET /api/v1/documents/{document_id}/pages/{n}": "the world's document is plain text, without pages"}
# What NinjaAPI serves besides operations.
DESCRIPTIONS = {"openapi.json", "docs", ""}


def role_of(door: Door) -> Role:
    assert door.policy is not None, f"{door.name} has no policy"
    return door.policy.role


@dataclass
class Trial:
    """Knocks as one visitor at every door.

    own: ids of organisations where the visitor may change things. world: whose ids are tried; acme's if not given.
    """

    stage: Stage
    visitor: Visitor
    own: Collection[str] = ()
    world: World | None = None

    async def wrong(
        self, allowed: Callable[[Door], Collection[int]], only: Collection[Door] | None = None
    ) -> list[str]:
        """An answer that is not allowed, a word that leaked, a row that changed, as sentences."""
        found = []
        before = await sync_to_async(digest)()
        chosen = DOORS if only is None else list(only)
        assert chosen
        for door in chosen:
            for knock in knocks_at(door, self.world or self.stage.world):
                answer = await self.visitor.send(door.method, knock)
                found += self._of_answer(door, answer, allowed(door))
            if door.writes or door is chosen[-1]:
                after = await sync_to_async(digest)()
                moved = changes(before, after, but=self.own)
                found += [f"{door.name} as {self.visitor.name}, or a read before it, changed {each}" for each in moved]
                before = after
        found += await sync_to_async(lambda: list(crossings()))()
        return found

    def _of_answer(self, door: Door, answer: Answer, allowed: Collection[int]) -> Iterator[str]:
        if answer.status not in allowed:
            yield f"{door.name} as {self.visitor.name}: {answer.status} {answer.text[:200]}"
        for word in self.stage.words:
            if word in answer.text or word in answer.headers:
                yield f"{door.name} as {self.visitor.name} leaks: {answer.text[:200]} {answer.headers}"


def foreign(door: Door, role: Role = Role.OWNER) -> set[int]:
    """What may be answered to somebody with a role in another organisation."""
    if not role.covers(role_of(door)):
        return {403}
    if ROW_NAMES & set(door.path_names):
        return {404}
    # A foreign id in a query or a body: as if it were not there, or refused.
    # No 503: reaching for an engine, which this test does not start, means that the id was taken.
    return {200, 201, 202, 204, 404, 409, 422}


def signed_out(door: Door) -> set[int]:
    return {200, 422} if door.name in OPEN else {401}


@pytest.fixture(autouse=True)
def _no_remembered_callers() -> None:
    _callers.clear()


def test_every_operation_names_its_policy() -> None:
    assert [door.name for door in DOORS if door.policy is None and door.name not in OPEN] == []
    assert set(OPEN) <= {door.name for door in DOORS}


def test_every_operation_for_keys_names_its_scope() -> None:
    unscoped = {door.name for door in DOORS if door.policy is not None and door.policy.scope is None}
    assert unscoped == UNSCOPED


# A key may call these whatever its scopes, for they tell only of the key itself.
UNSCOPED = {"GET /api/v1/me"}


def test_every_address_of_the_api_is_an_operation() -> None:
    api = next(each for each in get_resolver().url_patterns if str(each.pattern) == "api/v1/")
    assert isinstance(api, URLResolver)
    routes = {"/api/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(each.pattern)) for each in api.url_patterns}
    assert routes == {door.path for door in DOORS} | {f"/api/v1/{name}" for name in DESCRIPTIONS}


def test_every_id_in_an_address_is_known_as_one() -> None:
    harmless = {"n", "number"}
    unknown = {name for door in DOORS for name in door.path_names} - ROW_NAMES - harmless
    assert unknown == set(), "say in this file whether these name a row"


async def test_a_visitor_is_asked_to_sign_in(stage: Stage) -> None:
    assert await Trial(stage, Visitor("nobody")).wrong(signed_out) == []


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("way", ["session", "key"])
async def test_another_organisation_s_people_and_keys_find_nothing(stage: Stage, role: Role, way: str) -> None:
    person = stage.other[role]
    name = f"{role} of another organisation, by {way}"
    visitor = session_of(name, person) if way == "session" else key_of(name, person.key)
    assert await Trial(stage, visitor, {stage.other_id}).wrong(lambda door: foreign(door, role)) == []


async def test_naming_a_foreign_organisation_opens_nothing(stage: Stage) -> None:
    owner = stage.other[Role.OWNER]
    visitor = session_of("its owner naming acme", owner, **{"X-Organisation": "acme"})
    assert await Trial(stage, visitor).wrong(lambda door: {404}) == []
    # A key is in one organisation, whatever the header says.
    visitor = key_of("its key naming acme", owner.key, **{"X-Organisation": "acme"})
    assert await Trial(stage, visitor, {stage.other_id}).wrong(foreign) == []


async def test_who_is_in_two_organisations_sees_one_at_once(stage: Stage) -> None:
    """The owner of the rows herself, in the other organisation: what is personal stays where it is, too."""
    there = await sync_to_async(membership_create)(
        organisation=stage.other[Role.OWNER].organisation, user=stage.owner.user, role=Role.OWNER
    )
    visitor = session_of("the owner of both, in the other", stage.owner, **{"X-Organisation": "other"})
    wrong = await Trial(stage, visitor, {stage.other_id}).wrong(foreign)
    await sync_to_async(there.delete)()
    assert wrong == []


@pytest.mark.parametrize("role", [Role.ADMIN, Role.EDITOR, Role.VIEWER])
async def test_a_lower_role_is_refused_what_is_above_it(stage: Stage, role: Role) -> None:
    above = [door for door in DOORS if door.policy is not None and not role.covers(door.policy.role)]
    if not above:
        assert role == Role.ADMIN, "there are routes for owners alone by now: nothing to except"
        return
    person = stage.acme[role]
    for visitor in (session_of(f"the {role}", person), key_of(f"the {role}'s key", person.key)):
        assert await refused_trial(stage, visitor, above, 403) == []


async def refused_trial(stage: Stage, visitor: Visitor, only: Collection[Door], status: int) -> list[str]:
    return await Trial(stage, visitor).wrong(lambda door: {status}, only)


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_without_a_scope_is_refused_what_needs_it(stage: Stage, scope: Scope) -> None:
    needing = [door for door in DOORS if door.policy is not None and door.policy.scope == scope]
    assert needing, "no route asks for this scope"
    for scopes in ([each for each in Scope if each != scope], []):
        visitor = await sync_to_async(key_with_scopes)(stage.owner, scopes)
        assert await refused_trial(stage, visitor, needing, 403) == []


async def test_a_key_with_the_scope_alone_gets_in(stage: Stage) -> None:
    reads = [door for door in DOORS if door.method == "GET" and not PERSONAL_NAMES & set(door.path_names)]
    for scope in {door.policy.scope for door in reads if door.policy is not None and door.policy.scope is not None}:
        visitor = await sync_to_async(key_with_scopes)(stage.owner, [scope])
        for door in reads:
            if door.policy is not None and door.policy.scope == scope and door.name not in NOT_IN_WORLD:
                answer = await visitor.knock(door, stage.world)
                assert (door.name, answer.status) == (door.name, 200)


async def test_colleagues_do_not_see_each_other_s_conversations(stage: Stage) -> None:
    personal = [door for door in DOORS if PERSONAL_NAMES & set(door.path_names)]
    visitors = [session_of(f"the {role}", person) for role, person in stage.acme.items() if person != stage.owner]
    # The key of the same person is another owner of conversations too.
    visitors += [key_of(f"the {role}'s key", person.key) for role, person in stage.acme.items()]
    for visitor in visitors:
        assert await refused_trial(stage, visitor, personal, 404) == []


async def test_dead_keys_open_nothing(stage: Stage) -> None:
    for name, key in stage.dead_keys.items():
        assert await Trial(stage, key_of(name, key)).wrong(lambda door: {401}) == []


async def test_a_dead_key_is_not_helped_by_a_session(stage: Stage) -> None:
    visitor = session_of("alice", stage.owner, Authorization=f"Bearer {stage.dead_keys['revoked']}")
    assert await Trial(stage, visitor).wrong(lambda door: {401}) == []


@pytest.mark.parametrize("name", ["key", "api_key", "apikey", "token", "access_token", "authorization"])
async def test_a_key_in_the_address_is_no_key(stage: Stage, name: str) -> None:
    door = next(door for door in DOORS if door.name == "GET /api/v1/documents")
    knock = knock_at(door, stage.world)
    address = f"{door.path}?{name}={stage.owner.key}"
    answer = await Visitor("nobody").send("GET", type(knock)(address, b"", knock.content_type, ()))
    assert answer.status == 401
    assert stage.owner.key not in answer.text


@pytest.mark.parametrize(("name", "status"), [("suspended", 401), ("deleted", 401), ("removed", 404)])
async def test_the_cookie_of_a_former_owner_opens_nothing(stage: Stage, name: str, status: int) -> None:
    visitor = Visitor(f"a {name} owner", session=stage.dead_sessions[name])
    assert await Trial(stage, visitor).wrong(lambda door: {status}) == []


async def test_a_session_s_choice_of_organisation_is_the_only_one_in_sight(stage: Stage) -> None:
    person = await sync_to_async(two_organisations)(stage, chosen=stage.other_id)
    visitor = session_of("a member of both, who chose the other", person)
    assert await Trial(stage, visitor, {stage.other_id}).wrong(foreign) == []


async def test_nobody_gets_into_a_suspended_organisation(stage: Stage) -> None:
    person = stage.frozen[Role.OWNER]
    for visitor in (session_of("its owner", person), key_of("its owner's key", person.key)):
        for world in (stage.frozen_world, stage.world):
            assert await Trial(stage, visitor, world=world).wrong(lambda door: {403}) == []


async def test_a_foreign_id_is_answered_as_one_that_never_was(stage: Stage) -> None:
    """Body and headers alike, wherever the id stands: no answer proves that a row exists."""
    absent, differing = nowhere(stage.world), []
    for role in (Role.OWNER, Role.VIEWER):
        for visitor in (session_of("session", stage.other[role]), key_of("key", stage.other[role].key)):
            for door in DOORS:
                pairs = zip(knocks_at(door, stage.world), knocks_at(door, absent), strict=True)
                for theirs, nobodys in pairs:
                    answers = [await visitor.send(door.method, each) for each in (theirs, nobodys)]
                    seen = [(each.status, each.lasting, each.headers) for each in answers]
                    if answers[0].status >= 400 and seen[0] != seen[1]:
                        differing.append(f"{door.name} by {visitor.name} of the {role}: {seen}")
    assert differing == []


@pytest.mark.django_db(transaction=True)
async def test_the_owner_does_reach_these_rows(alice: Person) -> None:
    # Otherwise the 404s above would prove nothing. Each door gets a world of its own, for it may take it down.
    wrong = []
    visitor = session_of("alice", alice)
    for number, door in enumerate(DOORS):
        if door.name in NOT_IN_WORLD:
            continue
        own = await sync_to_async(world_make)(alice, word=f"lighthouse{number}")
        answer = await visitor.knock(door, own)
        if answer.status in (401, 403, 404, 405, 422) or (answer.status >= 500 and answer.status not in (503, 507)):
            wrong.append(f"{door.name}: {answer.status} {answer.text[:300]}")
    assert wrong == []


async def test_changes_are_streamed_to_their_own_organisation_only(stage: Stage) -> None:
    follow = next(door for door in DOORS if door.path.endswith("/documents/events"))
    document = await Document.objects.select_related("source").aget(pk=stage.world.document.pk)

    async def tell() -> None:
        for _ in range(6):
            await asyncio.sleep(0.04)
            await asyncio.to_thread(document_publish, document)

    knock = knock_at(follow, stage.world)
    own, theirs = key_of("its own", stage.acme[Role.VIEWER].key), key_of("another's", stage.other[Role.OWNER].key)
    heard, overheard, _ = await asyncio.gather(own.send("GET", knock), theirs.send("GET", knock), tell())
    assert (heard.status, overheard.status) == (200, 200)
    assert stage.world.word in heard.text
    assert overheard.text == ""


async def test_the_description_of_the_api_is_for_members(stage: Stage) -> None:
    for path, status in (("/api/v1/docs", 302), ("/api/v1/openapi.json", 401)):
        for client in (Client(), stage.dead_sessions["suspended"], stage.dead_sessions["deleted"]):
            assert (await sync_to_async(client.get)(path)).status_code == status
        assert (await sync_to_async(stage.owner.client.get)(path)).status_code == 200
