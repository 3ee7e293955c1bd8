import json
from typing import Any

import pytest

from app.bots.models import Bot, BotRevision
from app.bots.services import bot_create
from app.library.models import Source
from tests.people import Person

pytestmark = pytest.mark.django_db


def call(person: Person, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    response = person.client.generic(
        method,
        f"/api/v1{path}",
        json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers=person.headers,
    )
    return response.status_code, json.loads(response.content) if response.content else None


@pytest.fixture
def bot(alice: Person) -> Bot:
    return bot_create(organisation=alice.organisation, slug="default", name="Reference desk")


def test_a_bot_is_made_read_and_listed_with_its_settings(alice: Person, bob: Person, bot: Bot) -> None:
    status, new = call(alice, "POST", "/bots", {"slug": "hr", "name": "HR", "retriever_k": 7})
    assert (status, new["revision"], new["retriever_k"], new["temperature"]) == (201, 1, 7, 0.2)
    assert call(bob, "GET", "/bots/hr") == (200, new)
    status, page = call(bob, "GET", "/bots")
    assert [one["slug"] for one in page["items"]] == ["default", "hr"]


def test_a_change_is_a_new_revision_that_can_be_restored(alice: Person, bot: Bot) -> None:
    status, changed = call(alice, "PATCH", "/bots/default", {"temperature": 1.0, "name": "Desk"})
    assert (status, changed["revision"], changed["temperature"], changed["name"]) == (200, 2, 1.0, "Desk")
    assert call(alice, "PATCH", "/bots/default", {"temperature": 1.0})[1]["revision"] == 2
    status, restored = call(alice, "POST", "/bots/default/restore", {"revision": 1})
    assert (status, restored["number"], restored["settings"]["temperature"]) == (201, 3, 0.2)
    status, page = call(alice, "GET", "/bots/default/revisions")
    assert [one["number"] for one in page["items"]] == [3, 2, 1]
    assert call(alice, "GET", "/bots/default")[1]["temperature"] == 0.2
    assert call(alice, "POST", "/bots/default/restore", {"revision": 9})[0] == 404


@pytest.mark.parametrize(
    "changes", [{"temperature": 3}, {"retriever_k": 0}, {"organisation": "x"}, {"live_revision": None}, {"id": "x"}]
)
def test_a_setting_that_cannot_be_used_is_refused(alice: Person, bot: Bot, changes: dict[str, Any]) -> None:
    status, error = call(alice, "PATCH", "/bots/default", changes)
    assert (status, error["error"]["code"]) == (422, "invalid_request")
    assert BotRevision.objects.count() == 1


def test_only_sources_of_the_organisation_can_be_given(alice: Person, charlie: Person, bot: Bot) -> None:
    own = Source.objects.create(organisation=alice.organisation, name="own")
    foreign = Source.objects.create(organisation=charlie.organisation, name="foreign")
    assert call(alice, "PATCH", "/bots/default", {"sources": [str(own.pk)]})[1]["sources"] == [str(own.pk)]
    assert call(alice, "PATCH", "/bots/default", {"sources": [str(foreign.pk)]})[0] == 404
    assert call(alice, "GET", "/bots/default")[1]["sources"] == [str(own.pk)]
    assert call(alice, "PATCH", "/bots/default", {"sources": []})[1]["sources"] == []


def test_a_viewer_may_read_and_not_change(bob: Person, bot: Bot) -> None:
    for method, path, body in (
        ("POST", "/bots", {"slug": "x", "name": "X"}),
        ("PATCH", "/bots/default", {"name": "X"}),
        ("DELETE", "/bots/default", None),
        ("POST", "/bots/default/restore", {"revision": 1}),
    ):
        status, error = call(bob, method, path, body)
        assert (status, error["error"]["code"]) == (403, "not_allowed")
    assert Bot.objects.get().name == "Reference desk"


def test_another_organisation_finds_no_bot(charlie: Person, bot: Bot) -> None:
    for method, path, body in (
        ("GET", "/bots/default", None),
        ("PATCH", "/bots/default", {"name": "X"}),
        ("DELETE", "/bots/default", None),
        ("GET", "/bots/default/revisions", None),
        ("POST", "/bots/default/restore", {"revision": 1}),
    ):
        assert call(charlie, method, path, body)[0] == 404
    assert call(charlie, "GET", "/bots")[1]["items"] == []


def test_a_bot_is_deleted_with_its_revisions(alice: Person, bot: Bot) -> None:
    assert call(alice, "DELETE", "/bots/default") == (204, None)
    assert not BotRevision.objects.exists()


def test_a_taken_slug_is_a_conflict(alice: Person, bot: Bot) -> None:
    assert call(alice, "POST", "/bots", {"slug": "default", "name": "X"})[0] == 409
    assert call(alice, "POST", "/bots", {"slug": "no slug", "name": "X"})[0] == 422
