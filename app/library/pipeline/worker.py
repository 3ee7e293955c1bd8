"""What runs in a worker process beside its jobs: the dispatcher, the leases, and without a beat the reconciler."""

import contextlib
import os
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError

from app.lib.tenancy import organisations_visible
from app.library.pipeline.dispatcher import Dispatcher
from app.library.pipeline.jobs import LeaseLost, job_release
from app.library.pipeline.lease_renewal import leases
from app.library.pipeline.run import job_run
from app.library.reconcile.periodic import Reconciling

# Well below what the supervisor and `docker stop` wait for before they kill.
STOP_S = 1.5


class Worker:
    """send: puts one job's id on the broker."""

    def __init__(self, *, send: Callable[[UUID], None]) -> None:
        self._dispatcher = Dispatcher(send=send, on_stop=leases.stop_job)
        self._reconciling = Reconciling() if settings.WORKER_BEATS else None

    def start(self) -> None:
        self._dispatcher.start()
        if self._reconciling is not None:
            self._reconciling.start()

    def run(self, job: UUID) -> None:
        if job_run(job=job):
            self._dispatcher.wake()

    def stop(self) -> None:
        """Give back every lease, so that the jobs go on after the next start at once."""
        if self._reconciling is not None:
            self._reconciling.stop()
        self._dispatcher.stop()
        leases.stop_all()
        busy = leases.wait_idle(STOP_S)
        if not busy:
            return
        # A request to the embedding model cannot be called back and may take half a minute. The fence keeps out
        # whatever it still brings, so nothing is lost by ending here, before somebody ends us by force.
        for lease in busy:
            with contextlib.suppress(LeaseLost, DatabaseError), organisations_visible(lease.organisation):
                job_release(lease)
        os._exit(0)
