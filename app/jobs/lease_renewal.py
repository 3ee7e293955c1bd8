"""The leases of this process: one thread renews them all and writes the progress of each job.

A job that takes less than `SHOW_S` costs no write for its progress.
"""

import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from app.jobs.active_job import ActiveJob
from app.jobs.leases import HEARTBEAT_S, Lease, leases_renew
from app.jobs.registry import Progress, RegisteredKind
from app.lib.tenancy import scope_enter_everything

log = logging.getLogger(__name__)

SHOW_S = 0.5

_SHOW = """
UPDATE jobs_job j SET step = v.step, percent = v.percent, updated = now()
FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::int[]) AS v (job, fence, step, percent)
WHERE j.id = v.job AND j.fence = v.fence AND j.state = 'running' RETURNING j.id
"""


class LeaseRenewal:
    """The renewal of this process's leases. Thread-safe."""

    def __init__(self) -> None:
        self._active: dict[UUID, ActiveJob] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self.stopping = False

    @contextmanager
    def active(self, lease: Lease) -> Iterator[ActiveJob]:
        """Renew a lease for the duration of the `with`."""
        job = ActiveJob(lease)
        with self._lock:
            self._active[lease.job] = job
            if self.stopping:
                job.released = True
                job.stop.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
        self._wake.set()
        try:
            yield job
        finally:
            with self._lock:
                del self._active[lease.job]

    def stop_job(self, job: UUID) -> None:
        with self._lock:
            active = self._active.get(job)
        if active is not None:
            active.stop.set()

    def stop_all(self) -> None:
        """Release every lease because this worker ends: the jobs continue elsewhere, and no death is counted."""
        with self._lock:
            self.stopping = True
            for active in self._active.values():
                active.released = True
                active.stop.set()

    def wait_idle(self, limit_s: float) -> list[Lease]:
        """Wait until no lease is in use; return those still in use after the limit."""
        deadline = time.monotonic() + limit_s
        while self._active and time.monotonic() < deadline:
            time.sleep(0.02)
        return [active.lease for active in self._snapshot()]

    def _run(self) -> None:
        scope_enter_everything()
        renewed = time.monotonic()
        while True:
            if not self._active:
                # Sleep while there is nothing to renew; the wait is bounded in case a wake-up is missed.
                self._wake.clear()
                self._wake.wait(HEARTBEAT_S)
                renewed = time.monotonic()
            time.sleep(SHOW_S)
            try:
                self._show()
                if time.monotonic() - renewed >= HEARTBEAT_S:
                    self._renew()
                    renewed = time.monotonic()
            except DatabaseError as error:
                # The leases outlast a pause of the database; meanwhile the fence prevents conflicting writes.
                log.warning("leases could not be renewed: %s", error)
            except Exception as error:  # the boundary of a thread that must not end: a kind's own hook failed
                log.error("progress could not be written (%s)", type(error).__name__)
            finally:
                with contextlib.suppress(DatabaseError):
                    connection.close()

    def _snapshot(self) -> list[ActiveJob]:
        with self._lock:
            return list(self._active.values())

    def _renew(self) -> None:
        active = self._snapshot()
        ours = leases_renew(leases=[job.lease for job in active])
        for job in active:
            if job.lease.job not in ours:
                job.stop.set()

    def _show(self) -> None:
        changes = [(job.lease, change) for job in self._snapshot() if (change := job.take_change())]
        if not changes:
            return
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                _SHOW,
                [
                    [lease.job for lease, _ in changes],
                    [lease.fence for lease, _ in changes],
                    [change.step for _, change in changes],
                    [change.percent for _, change in changes],
                ],
            )
            ours = {row[0] for row in cursor.fetchall()}
            by_kind: dict[RegisteredKind, list[Progress]] = defaultdict(list)
            for lease, change in changes:
                if lease.job in ours:
                    by_kind[lease.kind].append(change)
            for kind, shown in by_kind.items():
                kind.on_progress(shown)


lease_renewal = LeaseRenewal()
