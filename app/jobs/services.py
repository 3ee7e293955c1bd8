"""Create, cancel and retry jobs, in the transaction of their cause, so that both are committed or neither."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from app.audit.trail import audit_record
from app.errors import Conflict
from app.jobs.choices import OPEN, JobState
from app.jobs.leases import CHANNEL, NEW, STOP, notify
from app.jobs.models import Job
from app.jobs.registry import kind_find, kind_of
from app.lib.ids import new_id
from app.lib.tenancy import everything_visible
from app.lib.trace import trace_id_now

ENDED_BADLY = (JobState.FAILED, JobState.CANCELLED)

# One statement, and so one round trip; the dispatchers are notified when the transaction commits.
_CREATE = """
WITH made AS (
    INSERT INTO jobs_job (id, kind, lane, organisation_id, subject, payload, trace_id, unique_key, state, step, percent,
        attempt, deaths, fence, not_before, priority, weight, error_code, error_message, created, updated)
    VALUES (%(id)s, %(kind)s, %(lane)s, %(organisation)s, %(subject)s, %(payload)s::jsonb, %(trace)s, %(key)s, 'queued',
        %(step)s, 0, 0, 0, 0, now() + %(delay)s::float8 * interval '1 second', %(priority)s, %(weight)s, '', '',
        now(), now())
    ON CONFLICT (kind, unique_key) WHERE state IN ('queued', 'running') DO NOTHING
    RETURNING id
)
SELECT id, pg_notify(%(channel)s, %(news)s)::text FROM made
"""


def job_create(
    *,
    kind: str,
    organisation: UUID | None = None,
    subject: UUID | str = "",
    payload: Mapping[str, Any] | None = None,
    key: str | None = None,
    step: str = "",
    weight: int = 0,
    priority: int = 0,
    delay: timedelta | None = None,
) -> UUID:
    """Queue a job and return its id; while one of the kind with the same key is open, return that one's id.

    organisation: None for the box's own. subject: id of the job's subject. payload: JSON without a credential.
    step: the first step. weight: light jobs first. priority: smaller first. delay: time before it may begin.
    """
    values = {
        "kind": kind,
        "lane": kind_of(kind).lane.value,
        "organisation": organisation,
        "subject": str(subject),
        "payload": orjson.dumps(dict(payload or {})).decode(),
        "trace": trace_id_now(),
        "key": key,
        "step": step,
        "delay": delay.total_seconds() if delay else None,
        "priority": priority,
        "weight": weight,
        "channel": CHANNEL,
        "news": NEW,
    }
    if organisation is None:
        with everything_visible():
            return _create(values)
    return _create(values)


def _create(values: dict[str, Any]) -> UUID:
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_CREATE, {**values, "id": new_id()})
            row = cursor.fetchone()
        if row is not None:
            return UUID(str(row[0]))
        there = Job.objects.filter(kind=values["kind"], unique_key=values["key"], state__in=OPEN).first()
        # None if the other job has ended between the two statements.
        if there is not None:
            return there.id


def jobs_cancel(
    *,
    organisation: UUID | None,
    kind: str | None = None,
    key: str | None = None,
    job: UUID | None = None,
) -> list[UUID]:
    """Cancel open jobs of an organisation (None: of the box): all, or those of a kind, with a key, or one.

    Return those that were running: they are notified to stop, and cannot write any more from now on.
    """
    rows = Job.objects.filter(organisation=organisation, state__in=OPEN)
    if kind is not None:
        rows = rows.filter(kind=kind)
    if key is not None:
        rows = rows.filter(unique_key=key)
    if job is not None:
        rows = rows.filter(pk=job)
    with transaction.atomic():
        open_jobs = list(rows.select_for_update().order_by("pk"))
        for row in open_jobs:
            _cancel(row)
    return [row.id for row in open_jobs if row.state == JobState.RUNNING]


def _cancel(row: Job) -> None:
    # The job may belong to a version with more kinds; it can be cancelled too.
    kind = kind_find(row.kind)
    emptied: dict[str, Any] = {"payload": {}} if kind is None or kind.secret else {}
    Job.objects.filter(pk=row.pk).update(
        state=JobState.CANCELLED,
        fence=F("fence") + 1,
        lease_until=None,
        error_code="cancelled",
        error_message="",
        ended=Now(),
        updated=Now(),
        **emptied,
    )
    if row.state == JobState.RUNNING:
        notify(f"{STOP} {row.id}")


@transaction.atomic
def job_restart(*, job: UUID) -> None:
    """Restart an open job from the beginning: its current worker cannot write any more."""
    row = Job.objects.select_for_update().filter(pk=job, state__in=OPEN).first()
    if row is None:
        return
    Job.objects.filter(pk=job).update(
        state=JobState.QUEUED, fence=F("fence") + 1, lease_until=None, sent=None, step="", percent=0, updated=Now()
    )
    kind_of(row.kind).on_state(_in_state(row, JobState.QUEUED))
    if row.state == JobState.RUNNING:
        notify(f"{STOP} {row.id}")
    notify(NEW)


@transaction.atomic
def job_retry(*, job: Job) -> None:
    """Queue a failed or cancelled job again, at a person's request.

    Raises:
        Conflict: the job is in neither state, its kind cannot be retried, or another job has its key.
    """
    kind = kind_of(job.kind)
    if not kind.may_retry or kind.secret:
        raise Conflict(message="This kind of job cannot be tried again.")
    if kind.overrides("retry"):
        kind.retry(job)
        return
    try:
        with transaction.atomic():
            changed = Job.objects.filter(pk=job.pk, state__in=ENDED_BADLY).update(
                state=JobState.QUEUED,
                deaths=0,
                not_before=None,
                waiting_since=None,
                sent=None,
                error_code="",
                error_message="",
                percent=0,
                ended=None,
                updated=Now(),
            )
    except IntegrityError as error:
        raise Conflict(message="Another job does this already.") from error
    if not changed:
        raise Conflict(message="It has not failed.")
    kind.on_state(_in_state(job, JobState.QUEUED))
    notify(NEW)
    _audit(job, "job.retry")


def job_cancel(*, job: Job) -> None:
    """Cancel a job, at a person's request.

    Raises:
        Conflict: the job has ended, or its kind cannot be cancelled.
    """
    kind = kind_of(job.kind)
    if not kind.may_cancel:
        raise Conflict(message="This kind of job cannot be cancelled.")
    if kind.overrides("cancel"):
        kind.cancel(job)
        return
    with transaction.atomic():
        row = Job.objects.select_for_update().filter(pk=job.pk, state__in=OPEN).first()
        if row is None:
            raise Conflict(message="It has ended already.")
        _cancel(row)
        kind.on_state(_in_state(row, JobState.CANCELLED, "cancelled"))
        _audit(row, "job.cancel")


def _audit(job: Job, name: str) -> None:
    audit_record(organisation=job.organisation_id, action=name, target_kind=job.kind, target=str(job.pk))


def _in_state(row: Job, state: JobState, code: str = "") -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        lane=row.lane,
        organisation_id=row.organisation_id,
        subject=row.subject,
        payload=row.payload,
        state=state,
        step=row.step,
        error_code=code,
    )
