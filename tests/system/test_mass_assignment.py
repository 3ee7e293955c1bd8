"""No request sets a column that its schema does not name, of its table or of another one."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from app.accounts.auth import _callers
from app.accounts.models import Membership, User
from tests.factories import Tenant, tenant_make
from tests.people import PASSWORD, Person
from tests.routes import DESCRIPTION, Caller, RequestSpec, Route, request_for, routes, upload_file, value_of
from tests.snapshot import foreign_references, owned_models

OURS = [model for model in apps.get_models() if model.__module__.startswith("app.")]
# Every column of every table of ours, and what other systems call such columns.
COLUMNS = {name for model in OURS for field in model._meta.fields for name in (field.name, field.attname)}
COLUMNS |= {
    "tenant",
    "tenant_id",
    "organization_id",
    "is_staff",
    "is_superuser",
    "is_admin",
    "created_at",
    "pk",
    "_state",
}
WRITING = [route for route in routes() if route.body() is not None]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(alice: Person) -> Tenant:
    _callers.clear()
    return tenant_make(alice, word="lighthouse")


def held(text: str) -> Iterator[str]:
    """Yield the tables with a row that holds a text."""
    with connection.cursor() as cursor:
        for model in (*owned_models(), User):
            cursor.execute(f"SELECT count(*) FROM {model._meta.db_table} t WHERE t::text LIKE %s", [f"%{text}%"])
            if cursor.fetchone()[0]:
                yield model._meta.label


def test_the_columns_are_known() -> None:
    assert {
        "id",
        "organisation",
        "organisation_id",
        "is_operator",
        "created",
        "role",
        "key_hash",
        "password",
    } <= COLUMNS
    assert len(WRITING) >= 8


@pytest.mark.parametrize(
    "route", [route for route in WRITING if "json" in route.body()[0]], ids=lambda route: route.name
)  # type: ignore[index]
async def test_a_json_body_with_another_column_is_refused(
    route: Route, tenant: Tenant, alice: Person, charlie: Person
) -> None:
    body = route.body()
    assert body is not None
    good = request_for(route, tenant)
    fields = {name: value_of(route, name, tenant) for name in body[1]}
    caller, poison, taken = Caller("alice", session=alice.client), str(uuid4()), []
    for name in sorted(COLUMNS - set(body[1])):
        value = str(charlie.organisation.pk) if name.startswith("organisation") else poison
        sent = json.dumps({**fields, name: value}).encode()
        response = await caller.send(route.method, RequestSpec(good.path, sent, "application/json", ()))
        if response.status != 422:
            taken.append(f"{name}: {response.status} {response.text[:100]}")
    assert taken == []
    assert await sync_to_async(lambda: [*held(poison), *foreign_references()])() == []


def test_every_kind_of_body_is_tried() -> None:
    kinds = {route.body()[0].split(";")[0] for route in WRITING}  # type: ignore[index]
    assert kinds <= {"application/json", "multipart/form-data", "application/x-www-form-urlencoded"}
    # The description says the same to those who read it.
    for route in WRITING:
        for described in route.schema["requestBody"]["content"].values():
            name = described["schema"].get("$ref", "").rpartition("/")[2]
            if name:
                assert DESCRIPTION["components"]["schemas"][name].get("additionalProperties") is False, route.name


@pytest.mark.parametrize(
    "route", [route for route in WRITING if "json" not in route.body()[0]], ids=lambda route: route.name
)  # type: ignore[index]
async def test_a_form_s_other_fields_are_stored_nowhere(
    route: Route, tenant: Tenant, alice: Person, charlie: Person
) -> None:
    body = route.body()
    assert body is not None
    poison = str(uuid4())
    fields = dict.fromkeys(COLUMNS - set(body[1]), poison)
    fields |= {name: str(charlie.organisation.pk) for name in ("organisation", "organisation_id")}
    sent = encode_multipart(BOUNDARY, {**fields, **({"file": upload_file(tenant)} if "file" in body[1] else {})})
    caller = Caller("alice", session=alice.client)
    response = await caller.send(route.method, RequestSpec(route.path, sent, MULTIPART_CONTENT, ()))
    assert response.status in (200, 201, 202, 422)
    assert await sync_to_async(lambda: [*held(poison), *foreign_references()])() == []
    if response.status < 300:
        made = json.loads(response.text)["items"][0]
        assert (made["state"], made["name"]) == ("queued", "new.txt")


def test_an_invitation_gives_what_it_says_whatever_is_sent_with_it(tenant: Tenant, alice: Person) -> None:
    sent = {"name": "Dora", "password": PASSWORD, "role": "owner", "email": "dora@example.org", "is_operator": "1"}
    more = {"is_staff": "on", "is_superuser": "on", "organisation": "other", "user": str(alice.user.pk)}
    assert Client().post(f"/accounts/invitations/{tenant.token}", {**sent, **more}).status_code == 302
    made = Membership.objects.select_related("user").get(user__email=tenant.invitation.email)
    assert (made.role, made.organisation_id) == (tenant.invitation.role, alice.organisation.pk)
    assert not made.user.is_operator
    assert not User.objects.filter(email="dora@example.org").exists()
