"""Changes that the verify command must find, made with write access to the database but without the secret key."""

import json
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from psycopg.types.json import Jsonb

from app.accounts.models import Organisation
from app.audit.chain import detail_hash, entry_hash
from app.audit.models import AuditDetail, AuditEntry, AuditHead
from app.audit.trail import audit_details_erase, audit_record
from app.audit.verify import BATCH, audit_chains, audit_verify
from tests.people import Person

LENGTH = 8


@pytest.fixture
def chain(acme: Organisation) -> UUID:
    """Make an organisation whose trail has LENGTH entries."""
    for number in range(LENGTH - AuditEntry.objects.filter(organisation=acme).count()):
        audit_record(organisation=acme.pk, action="test.done", target_name=f"thing {number}", after={"n": number})
    return acme.pk


def tamper(sql: str, *values: Any) -> int:
    """Change rows as the owner of the tables with triggers switched off, and return the number of rows."""
    tables = [model._meta.db_table for model in (AuditEntry, AuditDetail, AuditHead)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SHOW role")
        (role,) = cursor.fetchone()
        cursor.execute("SET LOCAL ROLE none")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(sql, values)
        count = cursor.rowcount
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        cursor.execute(f"SET LOCAL ROLE {role}")
    return int(count)


def verify(*arguments: str) -> tuple[int, str]:
    """Return the exit status and output of the command."""
    out = StringIO()
    try:
        call_command("audit_verify", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_an_untouched_trail_is_whole(chain: UUID) -> None:
    report = audit_verify(organisation=chain)
    assert (report.is_whole, report.number) == (True, LENGTH)
    status, output = verify()
    assert status == 0
    assert f"acme: {LENGTH} entries, whole." in output


COLUMNS = {
    "at": "at + interval '1 microsecond'",
    "action": "'other.done'",
    "target_kind": "'bot'",
    "target": "'somebody else'",
    "actor_kind": "'person'",
    "actor": "gen_random_uuid()",
    "detail_hash": "repeat('0', 64)",
    "previous": "repeat('0', 64)",
    "hash": "repeat('0', 64)",
    "id": "gen_random_uuid()",
    "number": "number + 100",
    "organisation_id": "gen_random_uuid()",
}


def test_every_column_is_tried() -> None:
    assert set(COLUMNS) == {field.column for field in AuditEntry._meta.fields}


def test_a_changed_column_is_found(chain: UUID, subtests: pytest.Subtests) -> None:
    for column, number in product(COLUMNS, (1, 4, LENGTH)):
        with subtests.test(column=column, number=number), transaction.atomic():
            column_change(chain, column, number)
            report = audit_verify(organisation=chain)
            assert report.broken_at == number
            status, output = verify("--organisation", "acme")
            assert status == 1
            assert f"acme: BROKEN. Entry {number} " in output
            transaction.set_rollback(True)


def column_change(chain: UUID, column: str, number: int) -> None:
    changed = f"UPDATE audit_auditentry SET {column} = {COLUMNS[column]} WHERE organisation_id = %s AND number = %s"
    if column == "id":
        # A careful attacker moves the detail with the entry.
        entry = AuditEntry.objects.get(organisation=chain, number=number)
        detail = "UPDATE audit_auditdetail SET entry_id = (SELECT id FROM moved) WHERE entry_id = %s"
        assert tamper(f"WITH moved AS ({changed} RETURNING id) {detail}", chain, number, entry.pk) == 1
    else:
        assert tamper(changed, chain, number) == 1


@pytest.mark.parametrize("number", [1, 4, LENGTH])
def test_a_removed_entry_is_found(chain: UUID, number: int) -> None:
    where = "(SELECT id FROM audit_auditentry WHERE organisation_id = %s AND number = %s)"
    assert tamper(f"DELETE FROM audit_auditdetail WHERE entry_id = {where}", chain, number) == 1
    assert tamper("DELETE FROM audit_auditentry WHERE organisation_id = %s AND number = %s", chain, number) == 1
    report = audit_verify(organisation=chain)
    assert (report.broken_at, report.broken.split(":")[0]) == (number, "is missing")


def test_a_detail_that_is_changed_moved_emptied_or_removed_is_found(chain: UUID) -> None:
    entry = AuditEntry.objects.get(organisation=chain, number=5)
    content = entry.detail.content
    for other in ({**content, "after": {"n": 99}}, {}, {"erased": True}, {"erased": True, "seal": "0" * 64}):
        assert tamper("UPDATE audit_auditdetail SET content = %s WHERE entry_id = %s", Jsonb(other), entry.pk) == 1
        assert audit_verify(organisation=chain).broken_at == 5
    tamper("UPDATE audit_auditdetail SET content = %s WHERE entry_id = %s", Jsonb(content), entry.pk)
    assert audit_verify(organisation=chain).is_whole
    tamper("UPDATE audit_auditdetail SET organisation_id = NULL WHERE entry_id = %s", entry.pk)
    assert audit_verify(organisation=chain).broken_at == 5
    tamper("DELETE FROM audit_auditdetail WHERE entry_id = %s", entry.pk)
    assert audit_verify(organisation=chain).broken_at == 5


def test_two_entries_in_each_other_s_place_are_found(chain: UUID) -> None:
    for old, new in ((3, 1000), (4, 3), (1000, 4)):
        tamper("UPDATE audit_auditentry SET number = %s WHERE organisation_id = %s AND number = %s", new, chain, old)
    assert audit_verify(organisation=chain).broken_at == 3


def cut(chain: UUID, after: int) -> None:
    where = "(SELECT id FROM audit_auditentry WHERE organisation_id = %s AND number > %s)"
    tamper(f"DELETE FROM audit_auditdetail WHERE entry_id IN {where}", chain, after)
    tamper("DELETE FROM audit_auditentry WHERE organisation_id = %s AND number > %s", chain, after)


def head_moved(chain: UUID, number: int) -> None:
    last = AuditEntry.objects.get(organisation=chain, number=number)
    tamper("UPDATE audit_audithead SET number=%s, hash=%s WHERE organisation_id=%s", number, last.hash, chain)


def test_a_trail_cut_short_with_its_head_moved_back_is_found(chain: UUID) -> None:
    cut(chain, 5)
    head_moved(chain, 5)
    report = audit_verify(organisation=chain)
    assert report.broken_at == 5
    assert "seal" in report.broken


@pytest.mark.parametrize("how", ["head moved", "head removed", "head kept"])
def test_going_on_after_a_cut_does_not_hide_it(chain: UUID, how: str) -> None:
    cut(chain, 5)
    if how == "head moved":
        head_moved(chain, 5)
    elif how == "head removed":
        tamper("DELETE FROM audit_audithead WHERE organisation_id = %s", chain)
    audit_record(organisation=chain, action="test.done")
    assert not audit_verify(organisation=chain).is_whole
    audit_record(organisation=chain, action="test.done")
    assert verify("--organisation", "acme")[0] == 1


def test_a_break_that_was_looked_into_can_be_accepted_and_stays_in_the_trail(chain: UUID) -> None:
    cut(chain, 5)
    head_moved(chain, 5)
    assert verify()[0] == 1
    assert verify("--accept", "the disk was restored")[0] == 0
    assert verify()[0] == 0
    actions = list(AuditEntry.objects.filter(organisation=chain, number__gt=5).order_by("number").values_list("action"))
    assert actions == [("audit.seal_broken",), ("audit.break_accepted",)]


def test_an_added_entry_is_found(chain: UUID) -> None:
    last = AuditEntry.objects.get(organisation=chain, number=LENGTH)
    forged = AuditEntry(organisation_id=chain, number=LENGTH + 1, at=last.at, action="test.forged", actor_kind="system")
    forged.previous = last.hash
    forged.detail_hash = detail_hash({})
    forged.hash = entry_hash(forged)
    forged.save(force_insert=True)
    AuditDetail.objects.create(entry=forged, organisation_id=chain, content={})
    assert audit_verify(organisation=chain).broken_at == LENGTH + 1


def test_an_older_copy_of_the_database_shows_against_heads_kept_elsewhere(chain: UUID, tmp_path: Path) -> None:
    head = AuditHead.objects.get(organisation=chain)
    audit_record(organisation=chain, action="test.done")
    status, report = verify("--json")
    assert (status, json.loads(report)["whole"]) == (0, True)
    report_file = tmp_path / "heads.json"
    report_file.write_text(report)
    audit_record(organisation=chain, action="test.done")
    assert verify("--against", str(report_file))[0] == 0
    cut(chain, LENGTH)
    old = (head.number, head.hash, head.seal, chain)
    tamper("UPDATE audit_audithead SET number=%s, hash=%s, seal=%s WHERE organisation_id=%s", *old)
    assert verify()[0] == 0
    status, output = verify("--against", str(report_file))
    assert status == 1
    assert f"Entry {LENGTH + 1} is missing" in output


def test_a_whole_trail_that_is_gone_shows_against_heads_kept_elsewhere(chain: UUID, tmp_path: Path) -> None:
    report_file = tmp_path / "heads.json"
    report_file.write_text(verify("--json")[1])
    cut(chain, 0)
    tamper("DELETE FROM audit_audithead WHERE organisation_id = %s", chain)
    assert chain not in audit_chains()
    assert verify("--against", str(report_file))[0] == 1


def test_a_changed_secret_key_is_no_break_while_the_old_one_is_a_fallback(chain: UUID, settings: Any) -> None:
    audit_details_erase(organisation=chain)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key of fifty characters or more, 0123456789"
    assert audit_verify(organisation=chain).is_whole
    settings.SECRET_KEY_FALLBACKS = []
    assert not audit_verify(organisation=chain).is_whole
    assert verify("--accept", "the key was changed")[0] == 0
    assert audit_verify(organisation=chain).erased == LENGTH


def test_an_erased_person_is_gone_from_the_trail_and_the_trail_is_whole(
    alice: Person, bob: Person, charlie: Person, chain: UUID
) -> None:
    for value in (bob.user.email, f"not{bob.user.email}", f"{bob.user.email}.au"):
        audit_record(organisation=chain, action="test.done", after={"list": [{"to": f"to {value}, today"}]})
    last = AuditEntry.objects.filter(organisation=chain).latest("number").number
    count = audit_details_erase(user=bob.user.pk, email=bob.user.email)
    assert count > 0
    texts = [json.dumps(content) for content in AuditDetail.objects.values_list("content", flat=True)]
    assert [text for text in texts if f'"{bob.user.email}' in text or f"to {bob.user.email}," in text] == []
    report = audit_verify(organisation=chain)
    assert (report.is_whole, report.number) == (True, last)
    details = AuditDetail.objects.filter(entry__organisation=chain, entry__number__gt=last - 2)
    assert all("after" in row.content for row in details)
    assert audit_details_erase(user=bob.user.pk, email=bob.user.email) == 0
    assert any(alice.user.email in text for text in texts)


def test_an_erased_organisation_leaves_the_others_alone(chain: UUID, charlie: Person) -> None:
    audit_details_erase(organisation=chain)
    assert {key for row in AuditDetail.objects.filter(organisation=chain) for key in row.content} == {"erased", "seal"}
    assert audit_verify(organisation=chain).erased == LENGTH
    details = AuditDetail.objects.filter(organisation=charlie.organisation)
    assert details.exists()
    assert not any("erased" in row.content for row in details)


def test_a_long_trail_is_read_and_erased_to_its_end(chain: UUID) -> None:
    for _ in range(BATCH + 10):
        audit_record(organisation=chain, action="test.done")
    report = audit_verify(organisation=chain)
    assert (report.is_whole, report.number) == (True, LENGTH + BATCH + 10)
    assert audit_details_erase(organisation=chain) == report.number
    assert audit_verify(organisation=chain).erased == report.number


def test_nothing_to_erase_is_an_error(db: Any) -> None:
    with pytest.raises(ValueError, match="needs"):
        audit_details_erase()
