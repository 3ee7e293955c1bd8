"""Nobody sees or changes another organisation's rows, through any door (I8).

The doors come from the router and the URL conf: a new route is tried without a change here. What its parameters mean
is in app/ops/tests/doors.py.
"""

import re
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from app.accounts.auth import _callers
from app.accounts.choices import Role
from app.accounts.keys import api_key_create, api_key_revoke
from app.accounts.models import ApiKey, Organisation
from app.accounts.pages import PagePolicy
from app.accounts.services import membership_create, user_create, user_deactivate
from app.conftest import PASSWORD, Person
from app.ops.tests.digest import crossings, digest
from app.ops.tests.doors import Door, Visitor, doors, knock_at, knocks_at
from app.ops.tests.world import World, world_make
from app.sources.models import Document

DOORS = doors()
# Operations that anybody may call, with the reason.
OPEN: dict[str, str] = {}
# Names in a path that say which row, so that another organisation's must answer 404.
ROW_NAMES = {"document_id", "source_id", "conversation_id", "message_id", "chunk_id", "api_key_id", "slug"}
# Rows that belong to one person or key, not to everybody in the organisation.
PERSONAL_NAMES = {"conversation_id", "message_id"}
# Routes that answer 404 to the owner of the world too, with the reason.
NOT_IN_WORLD = {"GET /api/v1/documents/{document_id}/pages/{n}": "the world's document is plain text, without pages"}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(alice: Person) -> World:
    return world_make(alice, word="lighthouse")


@pytest.fixture(autouse=True)
def _no_remembered_callers() -> None:
    _callers.clear()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def outcome(visitor: Visitor, world: World, allowed: Any, only: list[Door] | None = None) -> list[str]:
    """What went wrong: an answer that is not allowed, a word that leaked, a row that changed."""
    wrong = []
    organisation = await sync_to_async(lambda: world.source.organisation)()
    before = await sync_to_async(digest)(organisation)
    chosen = DOORS if only is None else only
    for door in chosen:
        for knock in knocks_at(door, world):
            answer = await visitor.send(door.method, knock)
            if answer.status not in allowed(door):
                wrong.append(f"{door.name} as {visitor.name}: {answer.status} {answer.text[:200]}")
            if world.word in answer.text:
                wrong.append(f"{door.name} as {visitor.name} leaks: {answer.text[:200]}")
        if door.writes or door is chosen[-1]:
            after = await sync_to_async(digest)(organisation)
            changed = [label for label in after if after[label] != before[label]]
            wrong += [f"{door.name} as {visitor.name}, or a read before it, changed {label}" for label in changed]
            before = after
    wrong += await sync_to_async(lambda: list(crossings()))()
    return wrong


def foreign(door: Door) -> set[int]:
    """What may be answered to somebody of another organisation."""
    if ROW_NAMES & set(door.path_names):
        return {404}
    # A foreign id in a query or a body: as if it were not there, or refused.
    # No 503: reaching for an engine, which this test does not start, means that the id was taken.
    return {200, 201, 202, 204, 404, 409, 422}


def test_every_operation_names_its_policy() -> None:
    assert [door.name for door in DOORS if door.policy is None and door.name not in OPEN] == []
    assert set(OPEN) <= {door.name for door in DOORS}


def test_every_id_in_an_address_is_known_as_one() -> None:
    harmless = {"n", "number"}
    unknown = {name for door in DOORS for name in door.path_names} - ROW_NAMES - harmless
    assert unknown == set(), "say in this file whether these name a row"


async def test_a_visitor_is_asked_to_sign_in(world: World) -> None:
    wrong = await outcome(Visitor("nobody"), world, lambda door: {200, 422} if door.name in OPEN else {401})
    assert wrong == []


async def test_another_organisation_s_owner_finds_nothing(world: World, charlie: Person) -> None:
    for visitor in (Visitor("charlie", session=charlie.client), Visitor("charlie's key", headers=charlie.headers)):
        assert await outcome(visitor, world, foreign) == []


async def test_naming_a_foreign_organisation_opens_nothing(world: World, charlie: Person) -> None:
    visitor = Visitor("charlie", session=charlie.client, headers={"X-Organisation": "acme"})
    assert await outcome(visitor, world, lambda door: {404}) == []
    # A key is in one organisation, whatever the header says.
    visitor = Visitor("charlie's key", headers={**charlie.headers, "X-Organisation": "acme"})
    assert await outcome(visitor, world, foreign) == []


async def test_who_is_in_two_organisations_sees_one_at_once(world: World, alice: Person, other: Organisation) -> None:
    await sync_to_async(membership_create)(organisation=other, user=alice.user, role=Role.OWNER)
    visitor = Visitor("alice elsewhere", session=alice.client, headers={"X-Organisation": "other"})
    assert await outcome(visitor, world, foreign) == []


async def test_a_viewer_writes_nothing_that_an_editor_may(world: World, bob: Person) -> None:
    above = [door for door in DOORS if door.policy is not None and not Role.VIEWER.covers(door.policy.role)]
    assert len(above) >= 3
    for visitor in (Visitor("bob", session=bob.client), Visitor("bob's key", headers=bob.headers)):
        assert await outcome(visitor, world, lambda door: {403}, above) == []


async def test_colleagues_do_not_see_each_other_s_conversations(world: World, alice: Person, bob: Person) -> None:
    personal = [door for door in DOORS if PERSONAL_NAMES & set(door.path_names)]
    visitors = (
        Visitor("bob", session=bob.client),
        Visitor("bob's key", headers=bob.headers),
        Visitor("another key of the owner", headers=alice.headers),
    )
    for visitor in visitors:
        assert await outcome(visitor, world, lambda door: {404}, personal) == []


@pytest.fixture
def dead_keys(acme: Organisation, alice: Person) -> dict[str, str]:
    revoked, revoked_key = api_key_create(organisation=acme, name="revoked", role=Role.OWNER)
    api_key_revoke(organisation=acme.pk, api_key=revoked.pk)
    expired, expired_key = api_key_create(organisation=acme, name="expired", role=Role.OWNER)
    ApiKey.objects.filter(pk=expired.pk).update(expires=timezone.now() - timedelta(seconds=1))
    return {"revoked": revoked_key, "expired": expired_key, "unknown": "rk_" + "x" * 43, "no prefix": "sk-1"}


async def test_dead_keys_open_nothing(world: World, dead_keys: dict[str, str]) -> None:
    for name, key in dead_keys.items():
        assert await outcome(Visitor(name, headers=bearer(key)), world, lambda door: {401}) == []


async def test_a_dead_key_is_not_helped_by_a_session(world: World, alice: Person, dead_keys: dict[str, str]) -> None:
    visitor = Visitor("alice", session=alice.client, headers=bearer(dead_keys["revoked"]))
    assert await outcome(visitor, world, lambda door: {401}) == []


@pytest.fixture
def dora(acme: Organisation) -> Client:
    """An owner who was deactivated while signed in."""
    user = user_create(email="dora@example.org", password=PASSWORD)
    membership_create(organisation=acme, user=user, role=Role.OWNER)
    client = Client()
    client.force_login(user)
    user_deactivate(user=user)
    return client


async def test_a_deactivated_owner_is_nobody(world: World, dora: Client) -> None:
    assert await outcome(Visitor("dora", session=dora), world, lambda door: {401}) == []


async def test_the_owner_does_reach_these_rows(alice: Person) -> None:
    # Otherwise the 404s above would prove nothing. Each door gets a world of its own, for it may take it down.
    wrong = []
    visitor = Visitor("alice", session=alice.client)
    for number, door in enumerate(DOORS):
        if door.name in NOT_IN_WORLD:
            continue
        own = await sync_to_async(world_make)(alice, word=f"lighthouse{number}")
        answer = await visitor.knock(door, own)
        if answer.status in (401, 403, 404, 405, 422) or (answer.status >= 500 and answer.status not in (503, 507)):
            wrong.append(f"{door.name}: {answer.status} {answer.text[:300]}")
    assert wrong == []


async def test_changes_are_streamed_to_their_own_organisation_only(world: World, charlie: Person) -> None:
    async def rename() -> None:
        await Document.objects.filter(pk=world.document.pk).aupdate(name=f"{world.word} again")

    follow = next(door for door in DOORS if door.path.endswith("/documents/events"))
    visitor = Visitor("charlie", headers=charlie.headers)
    await rename()
    answer = await visitor.send("GET", knock_at(follow, world))
    assert answer.status == 200
    assert world.word not in answer.text


def pages(patterns: Any = None, before: str = "") -> dict[str, Any]:
    """Address → view of the URL conf outside the API and Django admin, which have tests of their own."""
    found = {}
    for each in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            if route not in ("api/v1/", "admin/"):
                found |= pages(each.url_patterns, route)
        elif isinstance(each, URLPattern):
            found[route] = each.callback
    return found


def page_policies() -> dict[str, PagePolicy]:
    return {route: getattr(view, "page_policy", None) for route, view in pages().items()}


def test_every_page_declares_who_may_see_it() -> None:
    undeclared = [route for route, declared in page_policies().items() if not isinstance(declared, PagePolicy)]
    assert undeclared == [], "use @page(role) or @open_page(reason) of app/accounts/pages.py"


def page_address(route: str, world: World) -> str:
    door = Door("GET", "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route), None, {})
    return knock_at(door, world).path


def test_pages_are_for_members(world: World, charlie: Person) -> None:
    for route, declared in page_policies().items():
        if declared.role is None:
            continue
        address = page_address(route, world)
        answer = Client().get(address)
        assert (route, answer.status_code) == (route, 302)
        assert answer["Location"].startswith("/accounts/sign-in?next=")
        answer = charlie.client.get(address)
        assert (route, answer.status_code) == (route, 404 if "<" in route else 200)
        assert world.word not in answer.content.decode()


def test_open_pages_name_nothing(world: World) -> None:
    for route, declared in page_policies().items():
        # A token in an address is a permission: the world's own would open it.
        if declared.role is None and "token" not in route:
            assert world.word not in Client().get(page_address(route, world)).content.decode()


async def test_the_description_of_the_api_is_for_members(alice: Person) -> None:
    for path, status in (("/api/v1/docs", 302), ("/api/v1/openapi.json", 401)):
        assert (await sync_to_async(Client().get)(path)).status_code == status
        assert (await sync_to_async(alice.client.get)(path)).status_code == 200
