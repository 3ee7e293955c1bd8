"""The threads of a worker process: those of each kind of job, the dispatcher, lease renewal, and the schedule.

Each kind has its own threads, so that its long jobs never make another kind wait.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection

from app.jobs.dispatcher import Dispatcher, Message
from app.jobs.execution import job_run, rows_visible
from app.jobs.lease_renewal import lease_renewal
from app.jobs.leases import LeaseLost, job_release
from app.jobs.registry import kind_find
from app.jobs.schedule import Clock
from app.lib.error_reports import error_report

log = logging.getLogger(__name__)

# Well below the time that the supervisor and `docker stop` wait before they kill.
STOP_S = 1.5


class Worker:
    """The worker of this process. send: puts a job's id on the broker."""

    def __init__(self, *, send: Callable[[Message], None]) -> None:
        self._dispatcher = Dispatcher(send=send, on_stop=lease_renewal.stop_job)
        self._clock = Clock() if settings.WORKER_BEATS else None
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._here: set[UUID] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def start(self) -> None:
        self._dispatcher.start()
        if self._clock is not None:
            self._clock.start()

    def receive(self, job: UUID, name: str) -> None:
        """Pass a job to a thread of its kind. A job that already waits here is ignored."""
        kind = kind_find(name)
        if kind is None:
            log.warning("a job of the unknown kind %s is left alone", name)
            return
        with self._lock:
            if self._stopping or job in self._here:
                return
            self._here.add(job)
            threads = self._threads.get(name)
            if threads is None:
                threads = self._threads[name] = ThreadPoolExecutor(kind.at_once, f"job-{name}")
        threads.submit(self._run, job)

    def _run(self, job: UUID) -> None:
        try:
            # Jobs that still wait here when the worker ends stay queued, and are sent to another worker.
            if not self._stopping and job_run(job=job):
                self._dispatcher.wake()
        except Exception as error:  # the boundary of a thread: the lease expires and the job continues elsewhere
            log.error("job %s: its end could not be written (%s)", job, type(error).__name__)
            error_report(error)
        finally:
            with contextlib.suppress(DatabaseError):
                connection.close()
            with self._lock:
                self._here.discard(job)

    def stop(self) -> None:
        """Release every lease, so that the jobs continue at once after the next start."""
        self._stopping = True
        if self._clock is not None:
            self._clock.stop()
        self._dispatcher.stop()
        lease_renewal.stop_all()
        busy = lease_renewal.wait_idle(STOP_S)
        if not busy:
            return
        # A request to the embedding model cannot be cancelled and may take half a minute. The fence rejects its later
        # writes, so nothing is lost by exiting here, before this process is killed.
        for lease in busy:
            with contextlib.suppress(LeaseLost, DatabaseError), rows_visible(lease.organisation):
                job_release(lease)
        os._exit(0)
