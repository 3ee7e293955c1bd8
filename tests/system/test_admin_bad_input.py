"""No odd address, filter or chosen row makes Django admin fail."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from app.accounts.models import ApiKey
from app.audit.models import AuditEntry
from tests.admin_routes import address, registered
from tests.factories import Tenant, tenant_make
from tests.people import Person

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
def tenant(alice: Person) -> Tenant:
    return tenant_make(alice, word="lighthouse")


def requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
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


def test_no_odd_request_makes_the_admin_fail(tenant: Tenant, client: Client) -> None:
    owner = tenant.bot.organisation.memberships.get(role="owner").user
    owner.is_operator = True
    owner.save()
    client.force_login(owner)
    client.raise_request_exception = False
    responses = {place: getattr(client, method)(place, values).status_code for method, place, values in requests()}
    assert [f"{place}: {status}" for place, status in responses.items() if status >= 500] == []
    assert 400 in responses.values()
    assert len(responses) > 80


def test_a_list_is_filtered_by_what_its_filters_ask_for_and_nothing_else(tenant: Tenant, alice: Person) -> None:
    def status(query: str) -> int:
        return alice.client.get(f"/admin/accounts/apikey/?{query}").status_code

    assert status(f"organisation__id__exact={alice.organisation.pk}") == 200
    assert status("role__exact=viewer") == 200
    for query in ("key_hash__startswith=a", "organisation__api_keys__key_hash=a", "organisation__slug__startswith=a"):
        assert status(query) == 400
