"""No address, filter or chosen row of Django admin, however odd, makes it fail."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from app.accounts.models import ApiKey
from app.audit.models import AuditEntry
from tests.admin_doors import address, registered
from tests.people import Person
from tests.world import World, world_make

FILTERS = ("__exact=%00", "__id__exact=x")
ODD = (
    "q=%00",
    "o=99.-99",
    "p=-1",
    "_to_field=password&_popup=1",
    "at__year=99999",
    "at__gte=0001-01-01T00:00:00%2B23:59",
)

# Each refused value would end the one transaction of a test.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(alice: Person) -> World:
    return world_make(alice, word="lighthouse")


def knocks() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for model in registered():
        page, place = admin.site._registry[model], address(model, "changelist")
        yield "get", f"{place}x/change/", {}
        yield "get", f"{place}%00/delete/", {}
        for query in (f"{name}{bad}" for name in page.list_filter[:2] for bad in FILTERS):
            yield "get", f"{place}?{query}", {}
        yield "post", place, {"action": "delete_selected", "_selected_action": ["x"], "post": "yes", "index": "0"}
    for query in ODD:
        yield "get", f"{address(AuditEntry, 'changelist')}?{query}", {}
    yield "post", address(ApiKey, "changelist"), {"action": "revoke", "_selected_action": ["\0"], "index": "0"}
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
    assert len(answers) > 80


def test_a_list_is_filtered_by_what_its_filters_ask_for_and_nothing_else(world: World, alice: Person) -> None:
    def status(query: str) -> int:
        return alice.client.get(f"/admin/accounts/apikey/?{query}").status_code

    assert status(f"organisation__id__exact={alice.organisation.pk}") == 200
    assert status("role__exact=viewer") == 200
    for query in ("key_hash__startswith=a", "organisation__api_keys__key_hash=a", "organisation__slug__startswith=a"):
        assert status(query) == 400
