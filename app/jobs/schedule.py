"""The schedule: make jobs when they are due, exactly once, with any number of schedulers.

A kind puts itself on the schedule with `@every` or `@nightly` (app/jobs/kinds.py); an app puts a row there with
`schedule_set`, with a cron expression in a time zone. While the previous job is open, no second one is made.
"""

import contextlib
import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import Min
from django.utils import timezone

from app.jobs.cron import cron_next
from app.jobs.models import Schedule
from app.jobs.outcomes import DONE, FAILED, ROUNDS, SCHEDULED
from app.jobs.registry import kind_find, kinds_all
from app.jobs.services import job_create
from app.lib.error_reports import error_report
from app.lib.heartbeat_file import heartbeat_touch
from app.lib.tenancy import everything_visible, scope_enter_everything

log = logging.getLogger(__name__)

POLL_S = 5.0
# Prefix of the names of kinds' own schedules; an app chooses other names for its rows.
KIND_PREFIX = "kind:"


def schedule_set(
    *,
    name: str,
    kind: str,
    organisation: UUID,
    cron: str,
    time_zone: str,
    subject: UUID | str = "",
    payload: Mapping[str, Any] | None = None,
) -> Schedule:
    """Put a row of an app on the schedule, or change its times. name: unique, such as `source:<id>`.

    Raises:
        Invalid: the cron expression or the time zone cannot be used.
    """
    following = cron_next(cron=cron, time_zone=time_zone, after=timezone.now())
    values = {
        "kind": kind,
        "organisation_id": organisation,
        "subject": str(subject),
        "payload": dict(payload or {}),
        "cron": cron,
        "time_zone": time_zone,
        "next_run": following,
    }
    return Schedule.objects.update_or_create(name=name, defaults=values)[0]


def schedule_clear(*, name: str, organisation: UUID) -> None:
    """Remove a row from the schedule; a missing one is no error."""
    Schedule.objects.filter(name=name, organisation=organisation).delete()


@everything_visible()
@transaction.atomic
def kinds_schedule(*, starting: bool = True) -> None:
    """Store the kinds' own times; those that also run at the start are due now. In a fixed order, against deadlocks."""
    now = timezone.now()
    timed = {f"{KIND_PREFIX}{kind.kind}": kind for kind in kinds_all() if kind.timetable is not None}
    for name in sorted(timed):
        kind = timed[name]
        assert kind.timetable is not None
        every_s, cron = kind.timetable.every_s, kind.timetable.cron
        values = {"kind": kind.kind, "every_s": every_s, "cron": cron, "time_zone": "UTC"}
        # Due at once on a new box, in place of the previous night.
        first = now
        row, made = Schedule.objects.select_for_update().get_or_create(
            name=name, defaults={**values, "next_run": first}
        )
        if not made and (row.every_s, row.cron) != (every_s, cron):
            Schedule.objects.filter(pk=row.pk).update(**values, next_run=first)
        elif starting and kind.timetable.at_start:
            Schedule.objects.filter(pk=row.pk).update(next_run=min(row.next_run, now))
    Schedule.objects.filter(name__startswith=KIND_PREFIX).exclude(name__in=list(timed)).delete()


@everything_visible()
def schedule_run() -> int:
    """Make the jobs whose time has come and return their number. Rows that another beat has locked are left to it."""
    made = 0
    while _run_one():
        made += 1
    return made


@transaction.atomic
def _run_one() -> bool:
    due = Schedule.objects.select_for_update(skip_locked=True, of=("self",)).filter(next_run__lte=timezone.now())
    row = due.order_by("next_run").first()
    if row is None:
        return False
    if kind_find(row.kind) is None:
        # Another version that knows the kind may be running too: tried again later.
        Schedule.objects.filter(pk=row.pk).update(next_run=timezone.now() + timedelta(hours=1))
        log.warning("the schedule names the unknown kind %s", row.kind)
        return True
    now = timezone.now()
    Schedule.objects.filter(pk=row.pk).update(next_run=_next(row, now), last_run=now)
    job_create(
        kind=row.kind,
        organisation=row.organisation_id,
        subject=row.subject,
        payload=row.payload,
        key=f"schedule:{row.name}",
    )
    return True


def _next(row: Schedule, now: datetime) -> datetime:
    if row.every_s is not None:
        return now + timedelta(seconds=row.every_s)
    return cron_next(cron=row.cron, time_zone=row.time_zone, after=now)


class Clock:
    """A thread that makes jobs when they are due. Several, in any processes, do no harm."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.ended.set()

    def lives(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        scope_enter_everything()
        written = False
        while not self.ended.is_set():
            heartbeat_touch()
            pause = POLL_S
            try:
                if not written:
                    kinds_schedule()
                    written = True
                SCHEDULED.inc(schedule_run())
                pause = self._until_next()
                ROUNDS.labels(DONE).inc()
            except Exception as error:  # the boundary of a thread that must not end
                ROUNDS.labels(FAILED).inc()
                log.warning("schedule: %s", type(error).__name__)
                error_report(error)
            finally:
                with contextlib.suppress(DatabaseError):
                    connection.close()
            self.ended.wait(pause)

    def _until_next(self) -> float:
        first = Schedule.objects.aggregate(first=Min("next_run"))["first"]
        if first is None:
            return POLL_S
        left_s: float = (first - timezone.now()).total_seconds()
        return min(POLL_S, max(0.1, left_s))
