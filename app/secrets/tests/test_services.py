"""Credentials are stored encrypted, decrypt in their own row only, and never leak."""

import copy
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from app import env
from app.accounts.models import Organisation
from app.audit.models import AuditEntry
from app.env import EnvError
from app.errors import Invalid, NotFound, RefdeskError
from app.lib.ids import new_id
from app.lib.tenancy import organisations_visible
from app.secrets.models import Secret
from app.secrets.selectors import secret_key_usage, secret_list
from app.secrets.services import LONGEST, secret_delete, secret_read, secret_set
from app.secrets.values import SecretValue

pytestmark = pytest.mark.django_db
PURPOSE = "endpoint.api_key"
VALUE = "canary-9f2c41d7 of ümläuts 🗝"


def stored(organisation: UUID | None, value: str = VALUE, **changed: Any) -> Secret:
    return secret_set(
        organisation=organisation, **{"purpose": PURPOSE, "label": "Main model", "value": value} | changed
    )


def read(organisation: UUID | None, secret: UUID, purpose: str = PURPOSE) -> str:
    return secret_read(organisation=organisation, secret=secret, purpose=purpose).reveal()


def entries(organisation: UUID | None) -> list[str]:
    rows = AuditEntry.objects.filter(organisation=organisation, target_kind="secret").order_by("number")
    return list(rows.values_list("action", flat=True))


def test_a_credential_is_read_as_it_was_set(acme: Organisation) -> None:
    assert read(acme.pk, stored(acme.pk).pk) == VALUE
    longest = "x" * LONGEST
    assert read(acme.pk, stored(acme.pk, longest).pk) == longest


def test_the_table_holds_nothing_of_the_value_and_never_the_same_twice(acme: Organisation) -> None:
    rows = [stored(acme.pk), stored(acme.pk)]
    assert all(b"canary" not in bytes(row.sealed) for row in rows)
    assert len({bytes(row.sealed)[:12] for row in rows}) == 2


def test_a_replaced_value_keeps_its_id_and_the_old_value_is_gone(acme: Organisation) -> None:
    row = stored(acme.pk)
    again = stored(acme.pk, "another", secret=row.pk, label="Spare model")
    assert (again.pk, read(acme.pk, row.pk)) == (row.pk, "another")
    [summary] = secret_list(organisation=acme.pk)
    assert (summary.label, summary.purpose, summary.changed > row.changed) == ("Spare model", PURPOSE, True)


def test_a_deleted_credential_is_gone(acme: Organisation) -> None:
    row = stored(acme.pk)
    secret_delete(organisation=acme.pk, secret=row.pk)
    with pytest.raises(NotFound):
        read(acme.pk, row.pk)
    with pytest.raises(NotFound):
        secret_delete(organisation=acme.pk, secret=row.pk)
    assert secret_list(organisation=acme.pk) == []


@pytest.mark.parametrize("value", ["", "  \n", "x" * (LONGEST + 1), "ü" * LONGEST, "\ud800"])
def test_a_value_that_is_empty_too_long_or_no_text_is_refused_without_being_repeated(
    acme: Organisation, value: str
) -> None:
    with pytest.raises(Invalid) as refused:
        stored(acme.pk, value)
    assert len(refused.value.message) < 100
    assert not Secret.objects.exists()


def test_a_purpose_has_the_form_of_kind_and_field(acme: Organisation) -> None:
    for purpose in ("", "api key", "endpoint", "endpoint.api|key"):
        with pytest.raises(ValidationError):
            stored(acme.pk, purpose=purpose)


def test_another_organisation_neither_reads_nor_changes_nor_sees_a_credential(
    acme: Organisation, other: Organisation
) -> None:
    row = stored(acme.pk)
    with pytest.raises(NotFound):
        read(other.pk, row.pk)
    with pytest.raises(NotFound):
        stored(other.pk, "theirs", secret=row.pk)
    with pytest.raises(NotFound):
        secret_delete(organisation=other.pk, secret=row.pk)
    assert secret_list(organisation=other.pk) == []
    with organisations_visible(other.pk):
        assert not Secret.objects.exists()
    assert read(acme.pk, row.pk) == VALUE


def test_a_credential_is_read_for_its_own_purpose_only(acme: Organisation) -> None:
    row = stored(acme.pk)
    with pytest.raises(NotFound):
        read(acme.pk, row.pk, "source.password")
    with pytest.raises(NotFound):
        stored(acme.pk, "another", secret=row.pk, purpose="source.password")


def test_the_deployment_s_own_is_read_in_any_scope_by_its_id_and_seen_in_none(acme: Organisation) -> None:
    row = stored(None)
    with organisations_visible(acme.pk):
        assert read(None, row.pk) == VALUE
        assert not Secret.objects.exists()
        with pytest.raises(NotFound):
            read(acme.pk, row.pk)
    assert entries(None) == ["secret.set"]


def moved(row: Secret, **columns: Any) -> None:
    Secret.objects.filter(pk=row.pk).update(**columns)


@pytest.mark.parametrize("what", ["organisation", "id", "purpose", "one bit", "cut short", "empty"])
def test_a_value_in_another_place_or_changed_does_not_decrypt(
    acme: Organisation, other: Organisation, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    row = stored(acme.pk)
    organisation, pk, purpose, sealed = acme.pk, row.pk, PURPOSE, bytes(row.sealed)
    if what == "organisation":
        organisation = other.pk
        moved(row, organisation=other)
    elif what == "id":
        pk = new_id()
        moved(row, id=pk)
    elif what == "purpose":
        purpose = "source.password"
        moved(row, purpose=purpose)
    else:
        wrong = {"one bit": sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:], "cut short": sealed[:20], "empty": b""}
        moved(row, sealed=wrong[what])
    with pytest.raises(RefdeskError) as refused:
        read(organisation, pk, purpose)
    assert refused.value.code == "secret_unreadable"
    assert str(pk) in caplog.text
    assert "canary" not in caplog.text + repr(refused.value.details)


def test_one_credential_s_bytes_do_not_decrypt_as_another_s(acme: Organisation) -> None:
    rich, poor = stored(acme.pk, "the valuable one"), stored(acme.pk, "the cheap one")
    moved(poor, sealed=rich.sealed)
    with pytest.raises(RefdeskError, match="secret_unreadable"):
        read(acme.pk, poor.pk)


def test_without_a_key_nothing_is_stored_or_read_and_the_error_says_what_to_do(
    acme: Organisation, settings: Any
) -> None:
    row = stored(acme.pk)
    settings.SECRETS_KEYS = ""
    for act in (lambda: stored(acme.pk), lambda: read(acme.pk, row.pk), secret_key_usage):
        with pytest.raises(RefdeskError) as refused:
            act()
        assert refused.value.code == "secrets_key_missing"
        assert "REFDESK_SECRETS_KEYS" in refused.value.hint
    # A credential entered by mistake can still be removed.
    secret_delete(organisation=acme.pk, secret=row.pk)


def test_with_another_key_a_credential_is_unreadable_and_its_key_is_named_in_the_log(
    acme: Organisation, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    row = stored(acme.pk)
    settings.SECRETS_KEYS = "another key of more than thirty-two letters".replace(" ", "-")
    with pytest.raises(RefdeskError, match="secret_unreadable"):
        read(acme.pk, row.pk)
    assert row.key_id in caplog.text
    assert secret_key_usage().unknown == 1


def test_every_change_is_in_the_audit_trail_without_the_value(acme: Organisation) -> None:
    row = stored(acme.pk)
    stored(acme.pk, "another", secret=row.pk)
    secret_delete(organisation=acme.pk, secret=row.pk)
    assert entries(acme.pk) == ["secret.set", "secret.set", "secret.delete"]
    details = [entry.detail.content for entry in AuditEntry.objects.filter(target_kind="secret").order_by("number")]
    assert [content["target"] for content in details] == ["Main model"] * 3
    assert [content.get("after") for content in details][:2] == [
        {"purpose": PURPOSE, "replaced": False},
        {"purpose": PURPOSE, "replaced": True},
    ]
    assert "canary" not in json.dumps(details)


def test_a_value_shows_itself_only_when_it_is_asked() -> None:
    value = SecretValue(VALUE)
    shown = [repr(value), str(value), f"{value}", f"{value:>40}", "{} {!r}".format(*[value] * 2), repr([value])]
    assert [text for text in shown if "canary" in text] == []
    for store in (lambda: value.__reduce_ex__(4), lambda: json.dumps(value)):
        with pytest.raises(TypeError) as refused:
            store()
        assert "canary" not in str(refused.value)
    assert copy.deepcopy({"key": value})["key"].reveal() == VALUE
    assert (value == SecretValue(VALUE), value == SecretValue("x"), value == VALUE) == (True, False, False)
    assert (bool(value), bool(SecretValue(""))) == (True, False)
    assert not hasattr(value, "__dict__")


def test_the_purpose_stands_beside_the_value_in_the_database(acme: Organisation) -> None:
    stored(acme.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT label, purpose, length(key_id), length(sealed) FROM secrets_secret")
        assert cursor.fetchall() == [("Main model", PURPOSE, 12, 12 + len(VALUE.encode()) + 16)]


@pytest.mark.parametrize("value", ["too-short", f"{'k' * 40},short", f"{'k' * 40} {'ü' * 40}"])
def test_a_setting_with_a_key_that_is_too_short_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(EnvError, match="REFDESK_SECRETS_KEYS must be keys of at least 32") as refused:
        env.read("REFDESK_SECRETS_KEYS", {"REFDESK_SECRETS_KEYS": value})
    assert value not in str(refused.value)
    assert "kkk" not in str(refused.value)


def test_keys_in_a_file_may_stand_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{'new' * 12}\n{'old' * 12}\n\n{'new' * 12}\n")
    found = env.read("REFDESK_SECRETS_KEYS", {"REFDESK_SECRETS_KEYS_FILE": str(path)})
    assert found == f"{'new' * 12},{'old' * 12}"


def test_the_keys_of_a_running_box_go_before_those_that_a_shell_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFDESK_DATA", str(tmp_path))
    monkeypatch.setenv("REFDESK_SECRETS_KEYS", "shell" * 8)
    assert env.read_secrets_keys() == "shell" * 8
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "environment.json").write_text(
        json.dumps({"REFDESK_SECRETS_KEYS": f"{'box' * 12},{'old' * 12}"})
    )
    assert env.read_secrets_keys() == f"{'box' * 12},{'old' * 12},{'shell' * 8}"
    monkeypatch.delenv("REFDESK_SECRETS_KEYS")
    assert env.read_secrets_keys() == f"{'box' * 12},{'old' * 12}"
