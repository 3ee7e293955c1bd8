"""Exports and erasures at work: who does which, decided by PostgreSQL's clock (as app/library/pipeline/jobs.py does).

A killed worker's piece of work is free again when its lease runs out, and whoever takes it begins anew: every step can
be done twice.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from app.lib.tenancy import scope_enter_everything
from app.library.pipeline.jobs import HEARTBEAT_S, LEASE_S, LeaseLost
from app.privacy.choices import WorkState
from app.privacy.models import Work

log = logging.getLogger(__name__)

SHOW_S = 1.0
CHANNEL = "refdesk_work"
OPEN = (WorkState.QUEUED, WorkState.RUNNING)

Row = TypeVar("Row", bound=Work)


def work_notify() -> None:
    """Wake the workers when this transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def work_take(model: type[Row]) -> Row | None:
    """The oldest piece of work that is free, now ours; None when there is none."""
    rows = model._default_manager
    free = Q(state=WorkState.QUEUED) & (Q(not_before=None) | Q(not_before__lte=Now()))
    dead = Q(state=WorkState.RUNNING, lease_until__lt=Now())
    with transaction.atomic():
        row = rows.select_for_update(skip_locked=True, of=("self",)).filter(free | dead).order_by("created").first()
        if row is None:
            return None
        died = 1 if row.state == WorkState.RUNNING else 0
        rows.filter(pk=row.pk).update(
            state=WorkState.RUNNING,
            attempt=F("attempt") + 1,
            fence=F("fence") + 1,
            deaths=F("deaths") + died,
            lease_until=Now() + timedelta(seconds=LEASE_S),
            updated=Now(),
        )
        row.refresh_from_db()
        return row


@contextmanager
def fenced(row: Work, **changes: Any) -> Iterator[None]:
    """A transaction that changes the row and, with it, whatever its body writes; or nothing. Raises LeaseLost."""
    with transaction.atomic():
        held = type(row)._default_manager.filter(pk=row.pk, fence=row.fence, state=WorkState.RUNNING)
        if held.update(updated=Now(), **changes) != 1:
            raise LeaseLost
        yield


def work_fail(row: Work, code: str) -> None:
    """Raises LeaseLost."""
    with fenced(row, state=WorkState.FAILED, error_code=code, lease_until=None):
        log.warning("%s %s failed: %s", type(row).__name__.lower(), row.pk, code)


def work_wait(row: Work, code: str, seconds: float) -> None:
    """Put it back because something that it needs is away. Raises LeaseLost."""
    later = Now() + timedelta(seconds=seconds)
    with fenced(row, state=WorkState.QUEUED, error_code=code, lease_until=None, not_before=later):
        log.warning("%s %s waits: %s", type(row).__name__.lower(), row.pk, code)


class ActiveJob:
    """A piece of work in our hands. `check` before each part of it; `percent` is shown within a second."""

    def __init__(self, row: Work) -> None:
        self.row = row
        self.percent = 0
        self.lost = threading.Event()
        self.ended = threading.Event()

    def check(self) -> None:
        """Raises LeaseLost."""
        if self.lost.is_set():
            raise LeaseLost


@contextmanager
def holding(row: Work) -> Iterator[ActiveJob]:
    """Renews the lease from a thread of its own, for as long as the `with` lasts."""
    held = ActiveJob(row)
    thread = threading.Thread(target=_beat, args=(held,), name="lease", daemon=True)
    thread.start()
    try:
        yield held
    finally:
        held.ended.set()
        thread.join(5)


def _beat(held: ActiveJob) -> None:
    scope_enter_everything()
    shown, left = -1, 0.0
    while not held.ended.wait(SHOW_S):
        left -= SHOW_S
        if held.percent == shown and left > 0:
            continue
        shown, left = held.percent, HEARTBEAT_S
        try:
            lease = Now() + timedelta(seconds=LEASE_S)
            with fenced(held.row, percent=min(99, shown), lease_until=lease):
                pass
        except LeaseLost:
            held.lost.set()
            return
        except DatabaseError as error:
            # The lease outlives a pause of the database; until then the fence keeps everybody safe.
            log.warning("a lease could not be renewed: %s", type(error).__name__)
        finally:
            with contextlib.suppress(DatabaseError):
                connection.close()
