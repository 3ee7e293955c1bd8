"""The job table at work: who may do what, decided by PostgreSQL and its clock alone (design §3).

A worker takes a lease, renews it, and writes only through `fenced`, so that one which was slow, or was thought dead,
can no longer change anything. Locks are taken in one order, a job before its document, so that none waits in a circle.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from app.errors import CODES
from app.library.choices import DocumentState, Step
from app.library.models import Document, DocumentVersion, Job
from app.library.pipeline.job_choices import JobKind, JobState

LEASE_S = 60
HEARTBEAT_S = 10.0
# The third death on one file fails it: once may be the machine, twice bad luck.
DEATHS = 3
# How long a server that we depend on may be away before a document gives up waiting.
WAIT_LIMIT = timedelta(hours=24)
WAIT_SHORTEST_S, WAIT_LONGEST_S = 2, 60
OPEN = (JobState.QUEUED, JobState.RUNNING)
CHANNEL = "refdesk_jobs"
NEW, STOP = "new", "stop"


class LeaseLost(Exception):
    """The lease is no longer ours: somebody else took it, a person cancelled the work, or what it was about is gone."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a worker holds. step: where the last holder got to with its work kept, None at the beginning."""

    job: UUID
    fence: int
    organisation: UUID
    kind: JobKind
    document: UUID | None
    version: UUID | None
    step: Step | None
    targets: dict[str, Any]
    deaths: int


_TAKE = """
WITH taken AS (
    UPDATE library_job
    SET state = 'running', attempt = attempt + 1, fence = fence + 1, deaths = deaths + (state = 'running')::int,
        lease_until = now() + %(lease)s * interval '1 second', updated = now()
    WHERE id = %(job)s AND (
        (state = 'queued' AND (not_before IS NULL OR not_before <= now()))
        OR (state = 'running' AND lease_until < now())
    )
    RETURNING id, fence, organisation_id, kind, document_id, version_id, step, targets, deaths
), shown AS (
    UPDATE library_document d
    SET state = 'running', step = coalesce(taken.step, 'fetch'), error_code = '', error_message = '', updated = now()
    FROM taken WHERE d.id = taken.document_id AND taken.kind = 'ingest'
)
SELECT id, fence, organisation_id, kind, document_id, version_id, step, targets::text, deaths FROM taken
"""


def lease_take(*, job: UUID) -> Lease | None:
    """The lease of a job, or None when it is done, not yet due, or held by somebody alive."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"job": job, "lease": LEASE_S})
        row = cursor.fetchone()
    if row is None:
        return None
    step = Step(row[6]) if row[6] else None
    return Lease(row[0], row[1], row[2], JobKind(row[3]), row[4], row[5], step, orjson.loads(row[7]), row[8])


def leases_renew(*, leases: Sequence[Lease]) -> set[UUID]:
    """Renew leases; the jobs of those that are still ours."""
    if not leases:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE library_job j SET lease_until = now() + %s * interval '1 second'"
            " FROM unnest(%s::uuid[], %s::bigint[]) AS held (id, fence)"
            " WHERE j.id = held.id AND j.fence = held.fence AND j.state = 'running' RETURNING j.id",
            [LEASE_S, [lease.job for lease in leases], [lease.fence for lease in leases]],
        )
        return {row[0] for row in cursor.fetchall()}


@contextmanager
def fenced(lease: Lease, **changes: Any) -> Iterator[None]:
    """A transaction that changes the job row and, with it, whatever its body writes; or nothing.

    Raises:
        LeaseLost: the lease is not ours any more.
    """
    with transaction.atomic():
        held = Job.objects.filter(pk=lease.job, fence=lease.fence, state=JobState.RUNNING)
        if held.update(updated=Now(), **changes) != 1:
            raise LeaseLost
        yield


def notify(message: str) -> None:
    """Wake the dispatchers and workers when this transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, message])


def ingest_job_create(
    *, organisation: UUID, document: Document, version: DocumentVersion, step: Step | None = None
) -> Job:
    """In the transaction that made the version, so that none is without its job. step: where to begin."""
    job = Job.objects.create(
        organisation_id=organisation,
        document=document,
        version=version,
        kind=JobKind.INGEST,
        bytes=document.bytes,
        step=step,
    )
    notify(NEW)
    return job


def delete_job_create(
    *, organisation: UUID, versions: Iterable[UUID], objects: Iterable[str], delay: timedelta | None = None
) -> Job:
    """versions: those whose points go. objects: keys that go unless a row names them.

    In the transaction that removes the rows, which name these things no more.
    """
    job = Job.objects.create(
        organisation_id=organisation,
        kind=JobKind.DELETE,
        targets={"versions": [str(version) for version in versions], "objects": list(objects)},
        not_before=Now() + delay if delay else None,
    )
    notify(NEW)
    return job


def job_fail(lease: Lease, *, code: str, message: str = "") -> None:
    """End a job for good, with a reason on its document. Raises LeaseLost."""
    with fenced(lease, state=JobState.FAILED, error_code=code, lease_until=None):
        _document_show(lease, DocumentState.FAILED, code, message or CODES[code].message)


def job_wait(lease: Lease, *, code: str, message: str = "") -> bool:
    """Put a job back because a server is away; False when it has been away for too long and the job has failed.

    The wait grows with the time that the server has been away, up to a minute. Raises LeaseLost.
    """
    with fenced(lease), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE library_job SET waiting_since = coalesce(waiting_since, now()), state = 'queued', sent = NULL,"
            " lease_until = NULL, error_code = %s, not_before = now()"
            " + least(greatest(extract(epoch FROM now() - coalesce(waiting_since, now())) / 2, %s), %s)"
            " * interval '1 second' WHERE id = %s RETURNING extract(epoch FROM now() - waiting_since) > %s",
            [code, WAIT_SHORTEST_S, WAIT_LONGEST_S, lease.job, WAIT_LIMIT.total_seconds()],
        )
        gave_up: bool = cursor.fetchone()[0]
        text = message or CODES[code].message
        if gave_up:
            Job.objects.filter(pk=lease.job).update(state=JobState.FAILED)
            _document_show(lease, DocumentState.FAILED, code, text)
        else:
            _document_show(lease, DocumentState.QUEUED, code, text)
    return not gave_up


def job_release(lease: Lease) -> None:
    """Give a lease back unharmed, because this worker stops. Raises LeaseLost."""
    with fenced(lease, state=JobState.QUEUED, lease_until=None, sent=None):
        _document_show(lease, DocumentState.QUEUED)
        notify(NEW)


def job_done(lease: Lease) -> None:
    """Raises LeaseLost."""
    with fenced(lease, state=JobState.DONE, lease_until=None, error_code=""):
        pass


def _document_show(lease: Lease, state: DocumentState, code: str = "", message: str = "") -> None:
    if lease.document is not None and lease.kind == JobKind.INGEST:
        Document.objects.filter(pk=lease.document).update(
            state=state, error_code=code, error_message=message[:500], updated=Now()
        )


def job_cancel_open(*, organisation: UUID, document: UUID) -> list[UUID]:
    """Cancel the open job of a document; the running ones are told to stop and cannot write any more."""
    open_jobs = Job.objects.select_for_update().filter(organisation=organisation, document=document, state__in=OPEN)
    running = [job.id for job in open_jobs if job.state == JobState.RUNNING]
    Job.objects.filter(organisation=organisation, document=document, state__in=OPEN).update(
        state=JobState.CANCELLED, fence=F("fence") + 1, lease_until=None, error_code="cancelled", updated=Now()
    )
    for job in running:
        notify(f"{STOP} {job}")
    return running
