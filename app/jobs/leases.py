"""Leases of jobs: permission to run them, granted by PostgreSQL and its clock alone (design §3).

A worker takes a lease, renews it, and writes only through `fenced`, so that a slow worker, or one presumed dead, cannot
change anything any more. Rows are locked in one order, a job before its subject, which prevents deadlocks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models.functions import Now

from app.errors import CODES
from app.jobs.choices import JobState
from app.jobs.models import Job
from app.jobs.registry import RegisteredKind, kind_of, kinds_all

LEASE_S = 60
HEARTBEAT_S = 10.0
WAIT_SHORTEST_S, WAIT_LONGEST_S = 2, 60
CHANNEL = "refdesk_jobs"
NEW, STOP = "new", "stop"


class LeaseLost(Exception):
    """A lost lease: another worker took it, a person cancelled the job, or its subject is gone.

    A kind raises it in the last case.
    """


class Stopped(Exception):
    """An order to end the job: it was cancelled, its lease was lost, or this worker stops."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a job. step: the last holder's step, empty at the beginning."""

    job: UUID
    fence: int
    kind: RegisteredKind
    organisation: UUID | None
    subject: str
    payload: dict[str, Any]
    step: str
    attempt: int
    deaths: int
    trace_id: str = ""

    def as_job(self, state: JobState, code: str = "", message: str = "") -> Job:
        """Return the job in a state, for `RegisteredKind.on_state`."""
        return Job(
            id=self.job,
            kind=self.kind.kind,
            lane=self.kind.lane,
            organisation_id=self.organisation,
            subject=self.subject,
            payload=self.payload,
            state=state,
            step=self.step,
            error_code=code,
            error_message=message,
        )


_TAKE = """
UPDATE jobs_job
SET state = 'running', attempt = attempt + 1, fence = fence + 1, deaths = deaths + (state = 'running')::int,
    lease_until = now() + %(lease)s * interval '1 second', started = coalesce(started, now()), updated = now(),
    error_code = '', error_message = ''
WHERE id = %(job)s AND kind = ANY(%(kinds)s) AND (
    (state = 'queued' AND (not_before IS NULL OR not_before <= now()))
    OR (state = 'running' AND lease_until < now())
)
RETURNING id, fence, kind, organisation_id, subject, payload::text, step, attempt, deaths, trace_id
"""


def lease_take(*, job: UUID) -> Lease | None:
    """Take the lease of a job; None when it is done, not yet due, or another worker has it."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"job": job, "lease": LEASE_S, "kinds": [kind.kind for kind in kinds_all()]})
        row = cursor.fetchone()
    if row is None:
        return None
    return Lease(row[0], row[1], kind_of(row[2]), row[3], row[4], orjson.loads(row[5]), *row[6:])


def leases_renew(*, leases: Sequence[Lease]) -> set[UUID]:
    """Renew leases; return the jobs of those that are still ours."""
    if not leases:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_job j SET lease_until = now() + %s * interval '1 second'"
            " FROM unnest(%s::uuid[], %s::bigint[]) AS lease (id, fence)"
            " WHERE j.id = lease.id AND j.fence = lease.fence AND j.state = 'running' RETURNING j.id",
            [LEASE_S, [lease.job for lease in leases], [lease.fence for lease in leases]],
        )
        return {row[0] for row in cursor.fetchall()}


def fenced_sql(changes: str) -> str:
    """Return the beginning of a one-statement write: its rest sees a row of `lease` only while the lease is ours.

    Parameters of the statement: job, fence. changes: assignments to columns of the job.
    """
    return f"""
WITH lease AS (
    UPDATE jobs_job SET {changes}, waiting_since = NULL, updated = now()
    WHERE id = %(job)s AND fence = %(fence)s AND state = 'running' RETURNING id
)"""  # noqa: S608 (no part is external input)


# Assignments for `fenced_sql` that end a job as done.
DONE_SQL = "state = 'done', percent = 100, lease_until = NULL, error_code = '', error_message = '', ended = now()"

_FINISH = f"{fenced_sql(DONE_SQL)} SELECT 1 FROM lease"  # noqa: S608 (no part is external input)


@contextmanager
def fenced(lease: Lease, **changes: Any) -> Iterator[None]:
    """Open a transaction that commits the job's changes together with the body's writes, or nothing.

    Raises:
        LeaseLost: the lease is not ours any more.
    """
    with transaction.atomic():
        rows = Job.objects.filter(pk=lease.job, fence=lease.fence, state=JobState.RUNNING)
        if rows.update(updated=Now(), **changes) != 1:
            raise LeaseLost
        yield


@contextmanager
def _changed(lease: Lease, state: JobState, code: str = "", message: str = "", **changes: Any) -> Iterator[None]:
    """Move a job out of `running`, and call its kind's hook. Raises LeaseLost."""
    text = message[:500]
    with fenced(lease, state=state, lease_until=None, error_code=code, error_message=text, **changes):
        yield
        if lease.kind.overrides("on_state"):
            lease.kind.on_state(lease.as_job(state, code, text))


def notify(message: str) -> None:
    """Notify the dispatchers and workers when this transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, message])


@contextmanager
def job_done(lease: Lease, **changes: Any) -> Iterator[None]:
    """End a job in one transaction with the body's writes. Raises LeaseLost."""
    emptied: dict[str, Any] = {"payload": {}} if lease.kind.secret else {}
    with _changed(lease, JobState.DONE, percent=100, ended=Now(), **emptied, **changes):
        yield


def job_finish(lease: Lease) -> None:
    """End a job without further writes. Raises LeaseLost."""
    if lease.kind.secret or lease.kind.overrides("on_state"):
        with job_done(lease):
            return
    # One round trip, where a transaction takes three.
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, {"job": lease.job, "fence": lease.fence})
        if cursor.fetchone() is None:
            raise LeaseLost


def job_fail(lease: Lease, *, code: str, message: str = "") -> None:
    """End a job as failed, with a reason. Raises LeaseLost."""
    emptied: dict[str, Any] = {"payload": {}} if lease.kind.secret else {}
    with _changed(lease, JobState.FAILED, code, message or CODES[code].message, ended=Now(), **emptied):
        pass


_WAIT = """
UPDATE jobs_job SET waiting_since = coalesce(waiting_since, now()), sent = NULL, not_before = now()
  + least(greatest(extract(epoch FROM now() - coalesce(waiting_since, now())) / 2, %s), %s) * interval '1 second'
WHERE id = %s RETURNING extract(epoch FROM now() - waiting_since)
"""


def job_wait(lease: Lease, *, code: str, message: str = "") -> bool:
    """Return a job to the queue because a server is unavailable; False when the wait limit has passed and it failed.

    The wait grows with the time of the server's absence, up to a minute. Raises LeaseLost.
    """
    limit = lease.kind.wait_limit
    text = message or CODES[code].message
    with transaction.atomic():
        with fenced(lease), connection.cursor() as cursor:
            cursor.execute(_WAIT, [WAIT_SHORTEST_S, WAIT_LONGEST_S, lease.job])
            away_s = float(cursor.fetchone()[0])
        if limit is not None and away_s > limit.total_seconds():
            job_fail(lease, code=code, message=text)
            return False
        with _changed(lease, JobState.QUEUED, code, text):
            pass
    return True


def job_drop(lease: Lease) -> None:
    """Cancel a job whose subject is gone. Raises LeaseLost."""
    emptied: dict[str, Any] = {"payload": {}} if lease.kind.secret else {}
    with fenced(lease, state=JobState.CANCELLED, lease_until=None, error_code="cancelled", ended=Now(), **emptied):
        pass


def job_move(lease: Lease, kind: RegisteredKind) -> None:
    """Return a job to the queue as one of another kind, which begins it anew. Raises LeaseLost."""
    with _changed(
        lease, JobState.QUEUED, kind=kind.kind, lane=kind.lane, step="", percent=0, attempt=0, deaths=0, sent=None
    ):
        notify(NEW)


def job_release(lease: Lease) -> None:
    """Release a lease without counting a death, because this worker stops. Raises LeaseLost."""
    with _changed(lease, JobState.QUEUED, sent=None):
        notify(NEW)
