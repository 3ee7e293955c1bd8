"""A job in a worker: the argument of `JobKind.run`."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

from app.jobs.leases import Lease, Stopped, fenced, job_done, job_move
from app.jobs.registry import Progress, kind_of


class ActiveJob:
    """The lease of a running job. Another thread renews it and writes the progress.

    `stop` is set when the job must end: it was cancelled, its lease was lost, or this worker stops.
    """

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.stop = threading.Event()
        self.released = False  # this worker stops and returns the job to the queue
        self.ended = False  # the kind has ended the job itself
        self._written = (lease.step, -1)
        self._now = self._written

    @property
    def job(self) -> UUID:
        return self.lease.job

    @property
    def organisation(self) -> UUID:
        """Return the organisation of a job that has one."""
        assert self.lease.organisation is not None
        return self.lease.organisation

    @property
    def subject(self) -> UUID:
        """Return the id of the job's subject."""
        return UUID(self.lease.subject)

    @property
    def payload(self) -> dict[str, Any]:
        return self.lease.payload

    @property
    def step(self) -> str:
        return self._now[0]

    def progress(self, step: str, share: float = 0.0) -> None:
        """Set the progress: a step of the kind and a share of it, from 0 to 1. Written within half a second."""
        self._now = str(step), self.lease.kind.percent(step, share)

    def check(self) -> None:
        """Raise Stopped when the job must end. Call it before each part of a long step."""
        if self.stop.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Sleep; return early by raising Stopped when the job must end."""
        self.stop.wait(seconds)
        self.check()

    def fenced(self, **changes: Any) -> AbstractContextManager[None]:
        """Open a transaction that commits only while the lease is ours. changes: columns of the job.

        Raises:
            LeaseLost: the lease is not ours any more.
        """
        return fenced(self.lease, **changes)

    def keep(self) -> AbstractContextManager[None]:
        """Open a fenced transaction that saves work: it resets the count of deaths and waits."""
        return self.fenced(deaths=0, waiting_since=None)

    @contextmanager
    def done(self, **changes: Any) -> Iterator[None]:
        """End the job in one transaction with the body's writes. changes: columns of the job. Raises LeaseLost."""
        with job_done(self.lease, **changes):
            yield
        self.ended = True

    def move(self, kind: str) -> None:
        """End the work here and queue the job as one of another kind, in that kind's lane. Raises LeaseLost."""
        job_move(self.lease, kind_of(kind))
        self.ended = True

    def take_change(self) -> Progress | None:
        """Return the progress that has not been written yet, once."""
        step, percent = now = self._now
        if now == self._written or not step:
            return None
        self._written = now
        return Progress(self.lease.job, self.lease.organisation, self.lease.subject, step, percent)
