"""Keys are exchanged beside a running box, also with faults on the way."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from app.accounts.models import Organisation
from app.audit.models import AuditEntry
from app.lib.tenancy import scope_enter_everything
from app.secrets.models import Secret
from app.secrets.selectors import KeyUsage, secret_key_usage
from app.secrets.services import Rotation, secret_read, secret_set, secrets_rotate
from tests.engines import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
PURPOSE = "endpoint.api_key"
OLD, NEW = "the-old-key-of-more-than-32-letters-0", "the-new-key-of-more-than-32-letters-1"


@pytest.fixture(autouse=True)
def old_key(settings: Any) -> None:
    settings.SECRETS_KEYS = OLD


def fill(organisation: UUID | None, count: int) -> list[UUID]:
    return [
        secret_set(organisation=organisation, purpose=PURPOSE, label=f"number {n}", value=f"value {n}").pk
        for n in range(count)
    ]


def read_all(organisation: UUID | None, ids: list[UUID]) -> list[str]:
    return [secret_read(organisation=organisation, secret=each, purpose=PURPOSE).reveal() for each in ids]


def rotate() -> str:
    out = io.StringIO()
    call_command("secrets_rotate", stdout=out)
    return out.getvalue()


def rotated(organisation: UUID | None) -> list[dict[str, Any]]:
    rows = AuditEntry.objects.filter(organisation=organisation, action="secret.rotate").order_by("number")
    return [row.detail.content["after"] for row in rows]


def test_a_rotation_encrypts_everything_with_the_first_key_and_the_old_one_can_go(
    acme: Organisation, other: Organisation, settings: Any
) -> None:
    owners = {acme.pk: fill(acme.pk, 3), other.pk: fill(other.pk, 2), None: fill(None, 1)}
    settings.SECRETS_KEYS = f"{NEW},{OLD}"
    assert secret_key_usage() == KeyUsage(newest=0, older=6, unknown=0)
    current = secret_set(organisation=acme.pk, purpose=PURPOSE, label="new", value="with the new key")
    assert "6 encrypted anew, 1 had the newest key, 0 failed." in rotate()
    settings.SECRETS_KEYS = NEW
    for owner, ids in owners.items():
        assert read_all(owner, ids) == [f"value {n}" for n in range(len(ids))]
        assert rotated(owner) == [{"credentials": len(ids)}]
    assert read_all(acme.pk, [current.pk]) == ["with the new key"]
    assert secret_key_usage() == KeyUsage(newest=7, older=0, unknown=0)


def test_a_second_rotation_changes_nothing(acme: Organisation, settings: Any) -> None:
    fill(acme.pk, 2)
    settings.SECRETS_KEYS = f"{NEW},{OLD}"
    rotate()
    before = list(Secret.objects.values_list("pk", "sealed", "changed"))
    assert "0 encrypted anew, 2 had the newest key, 0 failed." in rotate()
    assert list(Secret.objects.values_list("pk", "sealed", "changed")) == before
    assert rotated(acme.pk) == [{"credentials": 2}]


def test_a_rotation_is_no_change_of_the_value(acme: Organisation, settings: Any) -> None:
    fill(acme.pk, 1)
    changed = Secret.objects.get().changed
    settings.SECRETS_KEYS = f"{NEW},{OLD}"
    assert secrets_rotate() == Rotation(renewed=1)
    assert Secret.objects.get().changed == changed


def test_what_no_key_opens_is_counted_and_the_rest_is_done(acme: Organisation, settings: Any) -> None:
    lost, kept, moved = fill(acme.pk, 3)
    Secret.objects.filter(pk=lost).update(key_id="0" * 12)
    Secret.objects.filter(pk=moved).update(purpose="source.password")
    settings.SECRETS_KEYS = f"{NEW},{OLD}"
    with pytest.raises(CommandError, match="No key opens 2 credentials"):
        rotate()
    assert read_all(acme.pk, [kept]) == ["value 1"]
    assert secret_key_usage() == KeyUsage(newest=1, older=1, unknown=1)


def test_without_a_key_a_rotation_says_so(settings: Any) -> None:
    settings.SECRETS_KEYS = ""
    with pytest.raises(CommandError, match="REFDESK_SECRETS_KEYS"):
        rotate()


def command(keys: str) -> "subprocess.Popen[str]":
    url = os.environ["REFDESK_DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
    environment = {**os.environ, "REFDESK_DATABASE_URL": url, "REFDESK_SECRETS_KEYS": keys}
    arguments = [sys.executable, "manage.py", "secrets_rotate"]
    return subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def wait_until(happened: Any) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_rotation_leaves_every_credential_readable_and_the_next_one_ends_it(
    acme: Organisation, other: Organisation, settings: Any
) -> None:
    """Kill it while it waits for a row of the second organisation: its work on the first one stays."""
    owners = sorted([acme.pk, other.pk])
    ids = {owner: fill(owner, 4) for owner in owners}
    settings.SECRETS_KEYS = f"{NEW},{OLD}"
    with transaction.atomic():
        Secret.objects.select_for_update().get(pk=ids[owners[1]][-1])
        with command(f"{NEW},{OLD}") as running:
            wait_until(lambda: Secret.objects.exclude(key_id=Secret.objects.get(pk=ids[owners[1]][0]).key_id).count())
            running.send_signal(signal.SIGKILL)
    assert secret_key_usage() == KeyUsage(newest=4, older=4, unknown=0)
    for owner in owners:
        assert read_all(owner, ids[owner]) == [f"value {n}" for n in range(4)]
    with command(f"{NEW},{OLD}") as again:
        assert again.communicate()[0] == "4 encrypted anew, 4 had the newest key, 0 failed.\n"
    assert secret_key_usage() == KeyUsage(newest=8, older=0, unknown=0)


@pytest.fixture
def box_at_work(acme: Organisation) -> Iterator[dict[str, Any]]:
    """Run a thread that reads and replaces credentials without a pause, as a running box does."""
    ids, state = fill(acme.pk, 40), {"stop": False, "failed": [], "turns": 0}
    state["ids"] = ids

    def work() -> None:
        scope_enter_everything()
        try:
            while not state["stop"]:
                for number, each in enumerate(ids):
                    value = f"value {number} of turn {state['turns']}"
                    secret_set(organisation=acme.pk, purpose=PURPOSE, label="x", value=value, secret=each)
                    if read_all(acme.pk, [each]) != [value]:
                        state["failed"].append(value)
                state["turns"] += 1
        except Exception as error:
            state["failed"].append(repr(error))
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    state["thread"] = thread
    yield state
    state["stop"] = True
    thread.join()


def test_a_rotation_beside_a_running_box_loses_no_value(
    acme: Organisation, settings: Any, box_at_work: dict[str, Any]
) -> None:
    settings.SECRETS_KEYS = f"{NEW},{OLD}"
    wait_until(lambda: box_at_work["turns"] >= 1)
    for _ in range(3):
        secrets_rotate()
    turns = box_at_work["turns"]
    wait_until(lambda: box_at_work["turns"] > turns)
    box_at_work["stop"] = True
    box_at_work["thread"].join()
    assert box_at_work["failed"] == []
    assert secret_key_usage().older == 0
