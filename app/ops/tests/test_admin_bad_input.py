"""No address, filter or chosen row of Django admin, however odd, makes it fail."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from app.conftest import Person
from app.ops.tests.admin_doors import address, registered
from app.ops.tests.world import World, world_make

BAD_IDS = ("x", "%00")
BAD_FILTERS = ("__exact=%00", "__id__exact=x", "__year=99999", "__gte=0001-01-01T00:00:00%2B23:59", "__slug__regex=(")
BAD_LISTS = ("q=%00", "o=99.-99", "p=-1", "_to_field=password&_popup=1")
PAGES = ("change", "delete", "history")


@pytest.fixture
def world(alice: Person) -> World:
    return world_make(alice, word="lighthouse")


def knocks() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for model in registered():
        page, place = admin.site._registry[model], address(model, "changelist")
        for bad in BAD_IDS:
            for each in (*PAGES, *(action for action in page.actions_detail or ())):
                yield "get", f"{place}{bad}/{each}/", {}
            yield "post", f"{place}{bad}/change/", {"name": "taken"}
        for query in (*(f"{name}{bad}" for name in page.list_filter for bad in BAD_FILTERS), *BAD_LISTS):
            yield "get", f"{place}?{query}", {}
        actions = [each if isinstance(each, str) else each.__name__ for each in page.actions or ()]
        for action in (*actions, "delete_selected"):
            for bad in ("x", "\0"):
                yield "post", place, {"action": action, "_selected_action": [bad], "post": "yes", "index": "0"}
    yield "get", reverse("admin:index") + "?organisation=%00&days=x", {}
    yield "get", reverse("admin:search") + "?s=%00&extended=1", {}


def test_no_odd_request_makes_the_admin_fail(world: World, client: Client) -> None:
    owner = world.bot.organisation.memberships.get(role="owner").user
    owner.is_operator = True
    owner.save()
    client.force_login(owner)
    client.raise_request_exception = False
    answers = {place: getattr(client, method)(place, values).status_code for method, place, values in knocks()}
    assert [f"{place}: {status}" for place, status in answers.items() if status >= 500] == []
    assert 400 in answers.values()
    assert len(answers) > 200


def test_a_list_is_filtered_by_what_its_filters_ask_for_and_nothing_else(world: World, alice: Person) -> None:
    def status(query: str) -> int:
        return alice.client.get(f"/admin/accounts/apikey/?{query}").status_code

    assert status(f"organisation__id__exact={alice.organisation.pk}") == 200
    assert status("role__exact=viewer") == 200
    for query in ("key_hash__startswith=a", "organisation__api_keys__key_hash=a", "organisation__slug__startswith=a"):
        assert status(query) == 400
