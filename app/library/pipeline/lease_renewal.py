"""The leases that this process holds: one thread renews them all and writes how far each has come.

A file that is done in less than `SHOW_S` costs no write for its progress at all.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import DatabaseError, connection

from app.lib.tenancy import scope_enter_everything
from app.library.choices import Step
from app.library.events import documents_publish
from app.library.pipeline.jobs import HEARTBEAT_S, Lease, leases_renew

log = logging.getLogger(__name__)

SHOW_S = 0.5
# Where each step begins in the per cent that a person sees; embedding is nearly all of the time.
STARTS: dict[Step, int] = {Step.FETCH: 0, Step.PARSE: 1, Step.CHUNK: 14, Step.EMBED: 15, Step.INDEX: 90}
ENDS: dict[Step, int] = {Step.FETCH: 1, Step.PARSE: 14, Step.CHUNK: 15, Step.EMBED: 90, Step.INDEX: 99}


class ActiveJob:
    """A lease in use. `stop` is set when the job must not go on: cancelled, fenced out, or this worker stops."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.stop = threading.Event()
        self.released = False
        self._shown = (lease.step, -1)
        self._now: tuple[Step | None, int] = self._shown

    def progress(self, step: Step, share: float = 0.0) -> None:
        """share: of the step, from 0 to 1."""
        self._now = step, int(STARTS[step] + share * (ENDS[step] - STARTS[step]))

    def take_change(self) -> tuple[Step, int] | None:
        """What is to be written, once."""
        step, percent = now = self._now
        if now == self._shown or step is None:
            return None
        self._shown = now
        return step, percent


class Leases:
    """Safe from any thread."""

    def __init__(self) -> None:
        self._held: dict[UUID, ActiveJob] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self.stopping = False

    @contextmanager
    def hold(self, lease: Lease) -> Iterator[ActiveJob]:
        held = ActiveJob(lease)
        with self._lock:
            self._held[lease.job] = held
            if self.stopping:
                held.released = True
                held.stop.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
        self._wake.set()
        try:
            yield held
        finally:
            with self._lock:
                del self._held[lease.job]

    def stop_job(self, job: UUID) -> None:
        with self._lock:
            held = self._held.get(job)
        if held is not None:
            held.stop.set()

    def stop_all(self) -> None:
        """This worker ends: give every lease back, so that the jobs go on elsewhere without a death counted."""
        with self._lock:
            self.stopping = True
            for held in self._held.values():
                held.released = True
                held.stop.set()

    def wait_idle(self, limit_s: float) -> list[Lease]:
        """Wait until nothing is held; what still is after so many seconds."""
        deadline = time.monotonic() + limit_s
        while self._held and time.monotonic() < deadline:
            time.sleep(0.02)
        return [held.lease for held in self._snapshot()]

    def _run(self) -> None:
        scope_enter_everything()
        renewed = time.monotonic()
        while True:
            if not self._held:
                # Sleeps while there is nothing to hold; the wait is bounded so that nothing can be missed.
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
                # The leases outlive a pause of the database; until then the fence keeps everybody safe.
                log.warning("leases could not be renewed: %s", error)
            finally:
                with contextlib.suppress(DatabaseError):
                    connection.close()

    def _snapshot(self) -> list[ActiveJob]:
        with self._lock:
            return list(self._held.values())

    def _renew(self) -> None:
        held = self._snapshot()
        ours = leases_renew(leases=[one.lease for one in held])
        for one in held:
            if one.lease.job not in ours:
                one.stop.set()

    def _show(self) -> None:
        changes = [(held.lease, change) for held in self._snapshot() if (change := held.take_change())]
        if not changes:
            return
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE library_document d SET step = v.step, percent = v.percent, updated = now()"
                " FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::int[]) AS v (job, fence, step, percent)"
                " JOIN library_job j ON j.id = v.job AND j.fence = v.fence AND j.state = 'running'"
                " WHERE d.id = j.document_id AND d.state = 'running' RETURNING d.id",
                [
                    [lease.job for lease, _ in changes],
                    [lease.fence for lease, _ in changes],
                    [str(step.value) for _, (step, _) in changes],
                    [percent for _, (_, percent) in changes],
                ],
            )
            shown = [row[0] for row in cursor.fetchall()]
        documents_publish(documents=shown)


leases = Leases()
