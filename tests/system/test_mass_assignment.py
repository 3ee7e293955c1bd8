"""No request sets a column that its schema does not name: neither one of its table nor one of any other."""

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
from tests.digest import crossings, owned_models
from tests.doors import DESCRIPTION, Door, Knock, Visitor, doors, knock_at, upload_file, value_of
from tests.people import PASSWORD, Person
from tests.world import World, world_make

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
WRITING = [door for door in doors() if door.body() is not None]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(alice: Person) -> World:
    _callers.clear()
    return world_make(alice, word="lighthouse")


def held(text: str) -> Iterator[str]:
    """Tables with a row that holds a text."""
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


@pytest.mark.parametrize("door", [door for door in WRITING if "json" in door.body()[0]], ids=lambda door: door.name)  # type: ignore[index]
async def test_a_json_body_with_another_column_is_refused(
    door: Door, world: World, alice: Person, charlie: Person
) -> None:
    body = door.body()
    assert body is not None
    good = knock_at(door, world)
    fields = {name: value_of(door, name, world) for name in body[1]}
    visitor, poison, taken = Visitor("alice", session=alice.client), str(uuid4()), []
    for name in sorted(COLUMNS - set(body[1])):
        value = str(charlie.organisation.pk) if name.startswith("organisation") else poison
        sent = json.dumps({**fields, name: value}).encode()
        answer = await visitor.send(door.method, Knock(good.path, sent, "application/json", ()))
        if answer.status != 422:
            taken.append(f"{name}: {answer.status} {answer.text[:100]}")
    assert taken == []
    assert await sync_to_async(lambda: [*held(poison), *crossings()])() == []


def test_every_kind_of_body_is_tried() -> None:
    kinds = {door.body()[0].split(";")[0] for door in WRITING}  # type: ignore[index]
    assert kinds <= {"application/json", "multipart/form-data", "application/x-www-form-urlencoded"}
    # The description says the same to those who read it.
    for door in WRITING:
        for described in door.schema["requestBody"]["content"].values():
            name = described["schema"].get("$ref", "").rpartition("/")[2]
            if name:
                assert DESCRIPTION["components"]["schemas"][name].get("additionalProperties") is False, door.name


@pytest.mark.parametrize("door", [door for door in WRITING if "json" not in door.body()[0]], ids=lambda door: door.name)  # type: ignore[index]
async def test_a_form_s_other_fields_are_stored_nowhere(
    door: Door, world: World, alice: Person, charlie: Person
) -> None:
    body = door.body()
    assert body is not None
    poison = str(uuid4())
    fields = dict.fromkeys(COLUMNS - set(body[1]), poison)
    fields |= {name: str(charlie.organisation.pk) for name in ("organisation", "organisation_id")}
    sent = encode_multipart(BOUNDARY, {**fields, **({"file": upload_file(world)} if "file" in body[1] else {})})
    visitor = Visitor("alice", session=alice.client)
    answer = await visitor.send(door.method, Knock(door.path, sent, MULTIPART_CONTENT, ()))
    assert answer.status in (200, 201, 202, 422)
    assert await sync_to_async(lambda: [*held(poison), *crossings()])() == []
    if answer.status < 300:
        made = json.loads(answer.text)["items"][0]
        assert (made["state"], made["name"]) == ("queued", "new.txt")


def test_an_invitation_gives_what_it_says_whatever_is_sent_with_it(world: World, alice: Person) -> None:
    sent = {"name": "Dora", "password": PASSWORD, "role": "owner", "email": "dora@example.org", "is_operator": "1"}
    more = {"is_staff": "on", "is_superuser": "on", "organisation": "other", "user": str(alice.user.pk)}
    assert Client().post(f"/accounts/invitations/{world.token}", {**sent, **more}).status_code == 302
    made = Membership.objects.select_related("user").get(user__email=world.invitation.email)
    assert (made.role, made.organisation_id) == (world.invitation.role, alice.organisation.pk)
    assert not made.user.is_operator
    assert not User.objects.filter(email="dora@example.org").exists()
