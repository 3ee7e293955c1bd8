"""Erasures at work. Every step can be done twice, so a worker that takes over begins anew; what was there before the
first step is kept in the row, and the receipt is written when nothing is left in any store.
"""

import contextlib
import logging
import time
from typing import Any
from uuid import UUID

import redis
from django.db import transaction
from django.utils import timezone

from app.audit.trail import audit_record
from app.chat.models import Conversation, Message
from app.errors import RefdeskError, Upstream
from app.library.pipeline.jobs import LeaseLost
from app.privacy.choices import ErasureKind, WorkState
from app.privacy.duties import ActiveJob, fenced, holding, work_fail, work_take, work_wait
from app.privacy.erasure.receipts import receipt_make
from app.privacy.erasure.rows import (
    exports_count,
    exports_erase,
    organisation_rows_count,
    organisation_rows_erase,
    people_only_in,
    person_conversations_erase,
    person_described,
    person_rows_count,
    person_rows_erase,
    sessions_of,
)
from app.privacy.erasure.stores import (
    attempts_clear,
    attempts_count,
    organisation_stores_clear,
    organisation_stores_count,
    valkey_clear,
    valkey_names,
    valkey_trouble,
)
from app.privacy.models import Erasure
from app.privacy.retention.run import conversations_remove
from app.privacy.retention.vacuum import tables_vacuum

log = logging.getLogger(__name__)

# A worker that was told to stop may have a request on its way to the vectors, and an answer that is being written
# notices at its next checkpoint: after so long it is looked again.
SETTLE_S, SETTLE_WORKER_S = 3.0, 15.0
ROUNDS = 4
WAIT_S = 30.0
# An erasure is not given up for a few dead workers: somebody has a right to it.
DEATHS = 20

Stores = dict[str, dict[str, int]]


def erasure_run_next() -> bool:
    """Do the next erasure; False when none waits."""
    row = work_take(Erasure)
    if row is None:
        return False
    with holding(row) as held:
        try:
            if row.deaths >= DEATHS:
                work_fail(row, "worker_died")
            else:
                _erase(row, held)
        except LeaseLost:
            log.info("erasure %s is not ours any more", row.pk)
        except Exception as error:  # the boundary of a piece of work: whatever it is, the row says so
            with contextlib.suppress(LeaseLost):
                _ended(row, error)
    return True


def _ended(row: Erasure, error: Exception) -> None:
    if isinstance(error, RefdeskError) and not isinstance(error, Upstream):
        work_fail(row, error.code)
    elif isinstance(error, Upstream):
        work_wait(row, error.code, WAIT_S)
    else:
        # The text of an unexpected error may hold what is being erased: only its kind goes to the log.
        log.warning("erasure %s: %s", row.pk, type(error).__name__)
        work_wait(row, "internal", WAIT_S)


def _erase(row: Erasure, held: ActiveJob) -> None:
    if "before" not in row.targets:
        before = {**_counted(row), **_described(row)}
        with fenced(row, targets=row.targets | before):
            row.targets |= before
    held.percent = 10
    _rows_erase(row)
    held.percent = 50
    after: Stores = {}
    for number in range(ROUNDS):
        held.check()
        _stores_clear(row)
        held.percent = 60 + 5 * number
        held.lost.wait(SETTLE_WORKER_S if row.targets.get("worker_busy") and not number else SETTLE_S)
        held.check()
        _stores_clear(row)
        after = _counted(row)["before"]
        if not _left(after):
            _finish(row, after)
            return
    log.warning("erasure %s: something is still written: %s", row.pk, _left(after))
    work_wait(row, "internal", WAIT_S)


def _left(counts: Stores) -> dict[str, int]:
    """Everything that should be nothing. What names a person is looked for by columns, which are empty then."""
    return {f"{store}.{what}": count for store, found in counts.items() for what, count in found.items() if count}


def _organisations(row: Erasure) -> list[UUID]:
    """Whose exports may hold the person."""
    named = row.targets.get("organisations", [])
    return [UUID(each) for each in named] if row.organisation_id is None else [row.organisation_id]


def _described(row: Erasure) -> dict[str, Any]:
    """People whose accounts go with their organisation."""
    if row.kind != ErasureKind.ORGANISATION:
        return {}
    return {"people": [person_described(user, user.email) for user in people_only_in(row.subject)]}


def _people(row: Erasure) -> list[dict[str, Any]]:
    if row.kind == ErasureKind.ORGANISATION:
        return list(row.targets.get("people", []))
    return [row.targets["person"]] if "person" in row.targets else []


def _counted(row: Erasure) -> dict[str, Stores]:
    """What is there now, by store."""
    people = _people(row) if "before" in row.targets else [*_people(row), *_described(row).get("people", [])]
    if row.kind == ErasureKind.ORGANISATION:
        stores: Stores = {"postgresql": organisation_rows_count(row.subject), **organisation_stores_count(row.subject)}
        stores["postgresql"] |= _accounts_count(people)
    elif row.kind == ErasureKind.CONVERSATION:
        stores = {"postgresql": _conversation_count(row.subject)}
    else:
        person = row.targets["person"]
        stores = {
            "postgresql": person_rows_count(person, row.organisation_id),
            "files": {"exports": exports_count(_organisations(row), _uuid(person["id"]))},
        }
    try:
        names = len(valkey_names(_valkey_ids(row, people)))
        counters = attempts_count(people) if row.kind in (ErasureKind.ORGANISATION, ErasureKind.ACCOUNT) else 0
    except (redis.RedisError, OSError) as error:
        raise valkey_trouble(error) from error
    return {"before": {**stores, "valkey": {"keys": names, "sign_in_counters": counters}}}


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _accounts_count(people: list[dict[str, Any]]) -> dict[str, int]:
    """Rows about people whose accounts go with the organisation."""
    total: dict[str, int] = {"accounts": 0}
    for person in people:
        for name, count in person_rows_count(person, None).items():
            total[name] = total.get(name, 0) + count
    total.pop("sessions", None)
    total["sessions"] = len(sessions_of({person["id"] for person in people}))
    return {f"people.{name}": count for name, count in total.items()}


def _conversation_count(conversation: UUID) -> dict[str, int]:
    return {
        "conversations": Conversation.objects.filter(pk=conversation).count(),
        "messages": Message.objects.filter(conversation=conversation).count(),
    }


def _valkey_ids(row: Erasure, people: list[dict[str, Any]]) -> list[str]:
    """Ids that stand in names of keys. A person's are the box's until the account goes."""
    if row.kind == ErasureKind.ORGANISATION:
        return [str(row.subject), *(person["id"] for person in people if person["id"])]
    if row.kind == ErasureKind.ACCOUNT:
        return [person["id"] for person in people if person["id"]]
    return []


def _rows_erase(row: Erasure) -> None:
    if row.kind == ErasureKind.ORGANISATION:
        with fenced(row):
            organisation_rows_erase(row.subject)
            for person in _people(row):
                person_rows_erase(person, None)
        return
    if row.kind == ErasureKind.CONVERSATION:
        conversations_remove(Conversation.objects.filter(pk=row.subject))
        return
    person = row.targets["person"]
    person_conversations_erase(person, row.organisation_id)
    with fenced(row):
        person_rows_erase(person, row.organisation_id)
        exports_erase(_organisations(row), _uuid(person["id"]))


def _stores_clear(row: Erasure) -> None:
    if row.kind == ErasureKind.ORGANISATION:
        organisation_stores_clear(row.subject)
    people = _people(row)
    try:
        valkey_clear(valkey_names(_valkey_ids(row, people)))
        if row.kind in (ErasureKind.ORGANISATION, ErasureKind.ACCOUNT):
            attempts_clear(people)
    except (redis.RedisError, OSError) as error:
        raise valkey_trouble(error) from error


def _finish(row: Erasure, after: Stores) -> None:
    finished = timezone.now()
    before: Stores = row.targets["before"]
    receipt = receipt_make(row, before=before, after=after, finished=finished)
    receipt_row = {"receipt": receipt, "finished": finished, "targets": {}, "error_code": ""}
    chain = None if row.kind in (ErasureKind.ORGANISATION, ErasureKind.ACCOUNT) else row.organisation_id
    with transaction.atomic(), fenced(row, state=WorkState.DONE, percent=100, lease_until=None, **receipt_row):
        audit_record(organisation=chain, action="erasure.done", target_kind=row.kind, target=str(row.subject))
    if row.kind in (ErasureKind.ORGANISATION, ErasureKind.ACCOUNT):
        tables_vacuum()


def erasure_see_through(*, erasure: UUID) -> dict[str, Any]:
    """Wait until an erasure is done, doing it here when no worker does; its receipt.

    Raises:
        RefdeskError: it failed.
    """
    while True:
        row = Erasure.objects.get(pk=erasure)
        if row.state == WorkState.FAILED:
            raise RefdeskError(row.error_code)
        if row.receipt is not None:
            found: dict[str, Any] = row.receipt
            return found
        if not erasure_run_next():
            time.sleep(1)
