"""Run an erasure. Each step can be repeated, so a worker that takes over begins from the start.

The row keeps the counts from before the first step. The receipt is written when no store holds anything any more.
"""

import logging
from typing import Any
from uuid import UUID

import redis
from django.utils import timezone

from app.audit.trail import audit_record
from app.chat.models import Conversation, Message
from app.jobs.active_job import ActiveJob
from app.jobs.execution import job_see_through
from app.jobs.leases import LeaseLost
from app.jobs.models import Job
from app.privacy.choices import ErasureKind
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
from app.privacy.erasure.services import ERASURE
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

# A worker that is stopping may have a request on its way to the vectors, and an answer that is being written
# notices at its next checkpoint: after so long it is looked again.
SETTLE_S, SETTLE_WORKER_S = 3.0, 15.0
ROUNDS = 4

Stores = dict[str, dict[str, int]]


class StillWritten(Exception):
    """Raised while something still writes the data that is being erased; the job is tried again later."""


def erasure_do(job: ActiveJob) -> None:
    """Erase the subject of a job from every store, and write the receipt.

    Raises:
        LeaseLost, Stopped: another worker goes on with the job.
        StillWritten, Upstream: the job is tried again.
        RefdeskError: last_owner.
    """
    row = Erasure.objects.filter(pk=job.subject).first()
    if row is None:
        raise LeaseLost
    job.progress("count")
    if "before" not in row.targets:
        before = {**_counted(row), **_described(row)}
        if ended := row.targets.get("memberships_ended"):
            before["before"]["postgresql"]["memberships"] += ended
        row.targets |= before
        with job.fenced():
            Erasure.objects.filter(pk=row.pk).update(targets=row.targets)
    job.progress("rows")
    _rows_erase(row, job)
    job.progress("stores")
    after: Stores = {}
    for number in range(ROUNDS):
        job.check()
        _stores_clear(row)
        job.progress("stores", number / ROUNDS)
        job.sleep(SETTLE_WORKER_S if row.targets.get("worker_busy") and not number else SETTLE_S)
        _stores_clear(row)
        after = _counted(row)["before"]
        if not _left(after):
            _finish(row, job, after)
            return
    log.warning("erasure %s: something is still written: %s", row.pk, _left(after))
    raise StillWritten


def _left(counts: Stores) -> dict[str, int]:
    """Return the counts that should be nothing and are not. Columns that name a person must be empty then."""
    return {f"{store}.{what}": count for store, found in counts.items() for what, count in found.items() if count}


def _organisations(row: Erasure) -> list[UUID]:
    """Return the organisations whose exports may hold the person."""
    named = row.targets.get("organisations", [])
    return [UUID(each) for each in named] if row.organisation_id is None else [row.organisation_id]


def _described(row: Erasure) -> dict[str, Any]:
    """Return people whose accounts go with their organisation."""
    if row.kind != ErasureKind.ORGANISATION:
        return {}
    return {"people": [person_described(user, user.email) for user in people_only_in(row.subject)]}


def _people(row: Erasure) -> list[dict[str, Any]]:
    if row.kind == ErasureKind.ORGANISATION:
        return list(row.targets.get("people", []))
    return [row.targets["person"]] if "person" in row.targets else []


def _counted(row: Erasure) -> dict[str, Stores]:
    """Count the entries that each store holds now."""
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
    """Return rows about people whose accounts go with the organisation."""
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
    """Return ids that stand in names of keys. A person's are the box's until the account goes."""
    if row.kind == ErasureKind.ORGANISATION:
        return [str(row.subject), *(person["id"] for person in people if person["id"])]
    if row.kind == ErasureKind.ACCOUNT:
        return [person["id"] for person in people if person["id"]]
    return []


def _rows_erase(row: Erasure, job: ActiveJob) -> None:
    if row.kind == ErasureKind.ORGANISATION:
        with job.fenced():
            organisation_rows_erase(row.subject)
            for person in _people(row):
                person_rows_erase(person, None)
        return
    if row.kind == ErasureKind.CONVERSATION:
        conversations_remove(Conversation.objects.filter(pk=row.subject))
        return
    person = row.targets["person"]
    person_conversations_erase(person, row.organisation_id)
    with job.fenced():
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


def _finish(row: Erasure, job: ActiveJob, after: Stores) -> None:
    job.progress("receipt")
    finished = timezone.now()
    before: Stores = row.targets["before"]
    receipt = receipt_make(row, before=before, after=after, finished=finished)
    receipt_row: dict[str, Any] = {"receipt": receipt, "finished": finished, "targets": {}}
    chain = None if row.kind in (ErasureKind.ORGANISATION, ErasureKind.ACCOUNT) else row.organisation_id
    with job.done():
        Erasure.objects.filter(pk=row.pk).update(**receipt_row)
        audit_record(organisation=chain, action="erasure.done", target_kind=row.kind, target=str(row.subject))
    if row.kind in (ErasureKind.ORGANISATION, ErasureKind.ACCOUNT):
        tables_vacuum()


def erasure_see_through(*, erasure: UUID) -> dict[str, Any]:
    """Wait until an erasure is done, and return its receipt; this process does the work when no worker does.

    Raises:
        RefdeskError: the erasure failed.
    """
    job = Job.objects.filter(kind=ERASURE, subject=str(erasure)).latest("created")
    job_see_through(job=job.pk)
    receipt: dict[str, Any] | None = Erasure.objects.get(pk=erasure).receipt
    assert receipt is not None
    return receipt
