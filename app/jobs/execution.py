"""One job from its lease to its end, with every way in which it may fail."""

import errno
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from uuid import UUID

import psycopg
from django.db import InterfaceError, OperationalError, connection

from app.errors import RefdeskError, Upstream
from app.jobs.active_job import ActiveJob
from app.jobs.choices import JobState
from app.jobs.kinds import JobKind
from app.jobs.lease_renewal import lease_renewal
from app.jobs.leases import (
    Lease,
    LeaseLost,
    Stopped,
    job_drop,
    job_fail,
    job_finish,
    job_release,
    job_wait,
    lease_take,
)
from app.jobs.models import Job
from app.jobs.outcomes import DONE, FAILED, RELEASED, STOPPED, WAITING, attempt_count
from app.jobs.services import jobs_cancel
from app.lib.error_reports import error_report
from app.lib.tenancy import everything_visible, organisations_visible
from app.lib.trace import Trace, traced

log = logging.getLogger(__name__)

# Time for attempts to record a job's end while the database is unavailable; then the lease expires.
END_S = 60.0


def job_run(*, job: UUID) -> bool:
    """Run a job if it is free; return False when it is not, so that a duplicate message does no harm."""
    with everything_visible():
        lease = lease_take(job=job)
    if lease is None:
        return False
    # A job that no request made begins a trace, of the id that nothing else has.
    with rows_visible(lease.organisation), traced(Trace(lease.trace_id or lease.job.hex)):
        attempt_count(lease, partial(_attempt, lease))
    return True


def job_see_through(*, job: UUID, patient: bool = True) -> Job:
    """Wait until a job has ended; run it here if no worker does. patient: also wait while it waits for a server.

    Raises:
        RefdeskError: the job failed, or it waits and `patient` is False; the job is then cancelled.
    """
    while True:
        row = Job.objects.get(pk=job)
        waits = row.state == JobState.QUEUED and row.error_code != ""
        if row.state in (JobState.FAILED, JobState.CANCELLED) or (waits and not patient):
            jobs_cancel(organisation=row.organisation_id, job=job)
            raise RefdeskError(row.error_code or "cancelled", row.error_message or None)
        if row.state == JobState.DONE:
            return row
        if not job_run(job=job):
            time.sleep(0.5)


def rows_visible(organisation: UUID | None) -> AbstractContextManager[None]:
    """Make the rows of its organisation visible to a job; the box's own jobs see all."""
    return everything_visible() if organisation is None else organisations_visible(organisation)


def _attempt(lease: Lease) -> str:
    """Do a job whose lease was taken, and return how that ended (app/jobs/outcomes.py)."""
    if lease.deaths >= lease.kind.deaths_allowed:
        log.warning("job %s (%s) failed: the worker died %d times", lease.job, lease.kind.kind, lease.deaths)
        return _end(FAILED, lambda: job_fail(lease, code="worker_died", message=_deaths(lease)))
    with lease_renewal.active(lease) as context:
        return _run(context)


def _run(context: ActiveJob) -> str:
    lease = context.lease
    try:
        _kind(lease).run(context)
        return DONE if context.ended else _end(DONE, lambda: job_finish(lease))
    except LeaseLost:
        return _lease_lost(context)
    except Stopped:
        return _stopped(context)
    except Exception as error:  # the boundary of a job: any error is recorded in its row
        return _failed(context, error)


def _deaths(lease: Lease) -> str:
    return "" if lease.deaths == 3 else f"The worker died {lease.deaths} times on this."


def _kind(lease: Lease) -> JobKind:
    assert isinstance(lease.kind, JobKind)
    return lease.kind


def _failed(context: ActiveJob, error: Exception) -> str:
    """Wait for an unavailable server or a full disk; retry as the kind allows; otherwise end the job."""
    lease, kind = context.lease, _kind(context.lease)
    if isinstance(error, RefdeskError) and error.code == "cancelled":
        return _stopped(context)
    awaited = kind.waits_for(error)
    awaited = waits_for(error) if awaited is None else awaited
    if awaited:
        log.warning("job %s (%s) waits: %s", lease.job, kind.kind, awaited)
        return _end(WAITING, lambda: job_wait(lease, code=awaited))
    if isinstance(error, RefdeskError):
        code, message = error.code, error.message
        return _end(FAILED, lambda: job_fail(lease, code=code, message=message))
    if kind.retries is None or lease.attempt <= kind.retries:
        # The text of an unexpected error may contain the job's subject: only its type goes to the log.
        log.warning("job %s (%s) is tried again: %s", lease.job, kind.kind, type(error).__name__)
        error_report(error)
        return _end(WAITING, lambda: job_wait(lease, code="internal"))
    _log_unexpected(lease, error)
    return _end(FAILED, lambda: job_fail(lease, code="internal"))


def _log_unexpected(lease: Lease, error: Exception) -> None:
    if lease.kind.secret:
        log.error("job %s (%s) failed: %s", lease.job, lease.kind.kind, type(error).__name__)
        error_report(error)
    else:
        log.error("job %s (%s) failed", lease.job, lease.kind.kind, exc_info=error)


def waits_for(error: Exception) -> str:
    """Return the code of the cause to wait for after an error; "" when waiting cannot help."""
    if isinstance(error, Upstream) or (isinstance(error, RefdeskError) and error.code == "disk_full"):
        return error.code
    if isinstance(error, OperationalError | InterfaceError):
        if isinstance(error.__cause__, psycopg.errors.DiskFull):
            return "disk_full"
        return "database_unavailable"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    return ""


def _stopped(context: ActiveJob) -> str:
    """Return the job to the queue when this worker stops; a cancelled job's row needs no change."""
    if context.released:
        return _end(RELEASED, lambda: job_release(context.lease))
    return _lease_lost(context)


def _lease_lost(context: ActiveJob) -> str:
    lease = context.lease
    log.info("job %s (%s) is not ours any more", lease.job, lease.kind.kind)
    _write(lambda: job_drop(lease))
    try:
        _write(lambda: _kind(lease).on_lease_lost(context))
    except Exception as error:  # the boundary of a job whose end is already recorded
        log.error("job %s (%s) could not be cleaned up: %s", lease.job, lease.kind.kind, type(error).__name__)
    return STOPPED


def _end(outcome: str, write: Callable[[], bool | None]) -> str:
    """Record a job's end and return its outcome: another one after a lost lease, or a wait beyond its limit."""
    results: list[bool | None] = []
    if not _write(lambda: results.append(write())):
        return STOPPED
    return FAILED if results == [False] else outcome


def _write(write: Callable[[], object]) -> bool:
    """Record a job's end, with retries while the database is unavailable; return False after a lost lease."""
    deadline = time.monotonic() + END_S
    while True:
        try:
            write()
            return True
        except LeaseLost:
            return False
        except (OperationalError, InterfaceError):
            connection.close()
            if lease_renewal.stopping or time.monotonic() > deadline:
                raise
            time.sleep(1)
