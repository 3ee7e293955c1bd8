"""What runs in a worker process beside its jobs: the dispatcher, the leases, the reconciler."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from uuid import UUID

from django.db import DatabaseError, connection

from app.ingest.dispatcher import Dispatcher
from app.ingest.jobs import Fenced, job_release
from app.ingest.leases import leases
from app.ingest.pipeline import job_run
from app.ingest.reconciler import reconcile
from app.lib.tenancy import everything_visible, organisations_visible

log = logging.getLogger(__name__)

RECONCILE_S = 600.0
# Well below what the supervisor and `docker stop` wait for before they kill.
STOP_S = 1.5


class Worker:
    """send: puts one job's id on the broker."""

    def __init__(self, *, send: Callable[[UUID], None]) -> None:
        self._dispatcher = Dispatcher(send=send, on_stop=leases.stop_job)
        self._ended = threading.Event()
        self._reconciler = threading.Thread(target=self._reconcile, name="reconciler", daemon=True)

    def start(self) -> None:
        self._dispatcher.start()
        self._reconciler.start()

    def run(self, job: UUID) -> None:
        if job_run(job=job):
            self._dispatcher.wake()

    def stop(self) -> None:
        """Give back every lease, so that the jobs go on after the next start at once."""
        self._ended.set()
        self._dispatcher.stop()
        leases.stop_all()
        busy = leases.wait_idle(STOP_S)
        if not busy:
            return
        # A request to the embedding model cannot be called back and may take half a minute. The fence keeps out
        # whatever it still brings, so nothing is lost by ending here, before somebody ends us by force.
        for lease in busy:
            with contextlib.suppress(Fenced, DatabaseError), organisations_visible(lease.organisation):
                job_release(lease)
        os._exit(0)

    def _reconcile(self) -> None:
        while not self._ended.is_set():
            try:
                with everything_visible():
                    reconcile(repair=True)
            except Exception as error:  # the boundary of a thread that must not end
                log.warning("reconciler: %s: %s", type(error).__name__, error)
            finally:
                connection.close()
            self._ended.wait(RECONCILE_S)
