"""The audit trail: actors and changes, chained, without secrets."""

from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from app.accounts.models import Organisation
from app.audit.actors import Actor, acting_as, command_actor
from app.audit.chain import detail_hash
from app.audit.models import AuditDetail, AuditEntry
from app.audit.trail import audit_record
from tests.people import Person


def entries(organisation: Organisation | None) -> list[AuditEntry]:
    rows = AuditEntry.objects.filter(organisation=organisation).select_related("detail")
    return list(rows.order_by("number"))


def last(organisation: Organisation | None) -> AuditEntry:
    return entries(organisation)[-1]


def test_numbers_rise_by_one_in_each_organisation_and_each_entry_holds_the_hash_before_it(
    acme: Organisation, other: Organisation
) -> None:
    for organisation in (acme, other, acme, None, acme):
        audit_record(organisation=organisation.pk if organisation else None, action="test.done")
    for organisation in (acme, other, None):
        chain = entries(organisation)
        assert [entry.number for entry in chain] == list(range(1, len(chain) + 1))
        assert [entry.previous for entry in chain[1:]] == [entry.hash for entry in chain[:-1]]
    assert [entry.action for entry in entries(acme)][-3:] == ["test.done"] * 3


def test_an_entry_is_undone_with_its_change(acme: Organisation) -> None:
    before = len(entries(acme))
    with transaction.atomic():
        audit_record(organisation=acme.pk, action="test.done")
        assert len(entries(acme)) == before + 1
        transaction.set_rollback(True)
    assert len(entries(acme)) == before
    audit_record(organisation=acme.pk, action="test.done")
    assert last(acme).number == before + 1


def test_two_sides_keep_only_what_changed(acme: Organisation) -> None:
    audit_record(organisation=acme.pk, action="x", before={"a": 1, "b": 2, "c": 0}, after={"a": 1, "b": 3, "d": 4})
    content = last(acme).detail.content
    assert content["before"] == {"b": 2, "c": 0}
    assert content["after"] == {"b": 3, "d": 4}


def test_a_command_and_the_box_itself_are_named(acme: Organisation) -> None:
    audit_record(organisation=acme.pk, action="x")
    assert last(acme).actor_kind == "system"
    with acting_as(command_actor(["manage.py", "organisation_create", "--secret=hidden"])):
        audit_record(organisation=acme.pk, action="x")
    entry = last(acme)
    assert entry.actor_kind == "command"
    assert entry.detail.content["actor"].endswith(": organisation_create")


def test_a_person_known_by_id_only_is_named(alice: Person) -> None:
    with acting_as(Actor("person", alice.user.pk, address="203.0.113.9")):
        audit_record(organisation=alice.organisation.pk, action="x")
    entry = last(alice.organisation)
    assert (entry.actor, entry.detail.content["actor"]) == (alice.user.pk, alice.user.email)
    assert entry.detail.content["address"] == "203.0.113.9"


ODD_VALUES = [
    1e22,
    -0.0,
    float("nan"),
    float("inf"),
    10**40,
    "a\0b",
    "\ud800",
    {"\0": {1: UUID(int=7)}},
    0.1,
    1e-9,
    [1, {2}],
]


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
def test_odd_values_come_back_from_the_database_as_they_were_hashed(acme: Organisation, value: Any) -> None:
    audit_record(organisation=acme.pk, action="x", after={"value": value})
    entry = last(acme)
    assert detail_hash(entry.detail.content) == entry.detail_hash


def test_not_even_the_tables_owner_changes_or_removes_an_entry(acme: Organisation) -> None:
    """Check the owner of the tables; test_row_security.py checks the application's role."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE none")
    audit_record(organisation=acme.pk, action="x", after={"name": "value"})
    rows = AuditEntry.objects.filter(organisation=acme)
    details = AuditDetail.objects.filter(organisation=acme)
    for change in (
        lambda: rows.update(action="y"),
        lambda: details.update(content={"erased": True, "more": 1}),
        lambda: details._raw_delete(details.db),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
    assert last(acme).action == "x"
