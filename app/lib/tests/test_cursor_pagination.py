"""Pages of a list: no row twice and none missing, also with equal times and rows deleted between two pages."""

from typing import Any

import pytest
from django.utils import timezone

from app.library.models import Source
from tests.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def sources(alice: Person) -> list[str]:
    """Return the ids of 250 sources with one time, as an import creates them, newest first."""
    rows = [Source(organisation=alice.organisation, name=f"source {number}") for number in range(250)]
    Source.objects.bulk_create(rows)
    Source.objects.update(created=timezone.now())
    return [str(pk) for pk in Source.objects.order_by("-created", "-id").values_list("id", flat=True)]


def page(alice: Person, **query: Any) -> dict[str, Any]:
    response = alice.client.get("/api/v1/sources", query)
    assert response.status_code == 200
    return dict(response.json())


def test_rows_of_one_time_come_once_each_in_their_order(alice: Person, sources: list[str]) -> None:
    ids, cursor = [], ""
    while cursor is not None:
        rows = page(alice, limit=60, cursor=cursor)
        assert set(rows) == {"items", "next"}
        ids += [row["id"] for row in rows["items"]]
        cursor = rows["next"]
    assert ids == sources


def test_rows_that_go_between_two_pages_move_nothing(alice: Person, sources: list[str]) -> None:
    first = page(alice, limit=100)
    Source.objects.filter(pk__in=sources[:50]).delete()
    second = page(alice, limit=100, cursor=first["next"])
    assert [row["id"] for row in second["items"]] == sources[100:200]


def test_without_a_limit_a_page_has_fifty(alice: Person, sources: list[str]) -> None:
    assert [row["id"] for row in page(alice)["items"]] == sources[:50]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"limit": 0}, "query.limit"), ({"limit": 201}, "query.limit"), ({"limit": "x"}, "query.limit"),
     ({"cursor": "nothing"}, "cursor"), ({"cursor": "WzFd"}, "cursor")],
)  # fmt: skip
def test_what_is_no_page_is_refused_with_its_field(alice: Person, query: dict[str, Any], field: str) -> None:
    response = alice.client.get("/api/v1/sources", query)
    assert response.status_code == 422
    [entry] = response.json()["error"]["details"]["fields"]
    assert entry["field"] == field
