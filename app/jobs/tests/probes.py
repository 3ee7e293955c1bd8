"""Kinds of job for tests of the engine, and helpers of the tests."""

import threading
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, connections

from app.jobs import registry
from app.jobs.active_job import ActiveJob
from app.jobs.choices import Lane
from app.jobs.dispatcher import Message, jobs_next
from app.jobs.kinds import JobKind, Progress
from app.jobs.leases import Lease, lease_take
from app.jobs.models import Job
from app.lib.tenancy import EVERYTHING, SETTING, everything_visible


class Probe(JobKind):
    """Runs the function that a test puts into `work`, and records its calls."""

    kind = "probe"
    title = "Probe"
    lane = Lane.CPU
    steps = {"first": 0, "second": 40}
    at_once = 4

    def __init__(self) -> None:
        self.work: Callable[[ActiveJob], None] = lambda context: None
        self.states: list[tuple[str, str]] = []
        self.shown: list[Progress] = []
        self.lost: list[UUID] = []

    def run(self, context: ActiveJob) -> None:
        self.work(context)

    def on_state(self, job: Job) -> None:
        self.states.append((job.state, job.error_code))

    def on_progress(self, changes: Sequence[Progress]) -> None:
        self.shown += changes

    def on_lease_lost(self, context: ActiveJob) -> None:
        self.lost.append(context.job)


class Quick(JobKind):
    """A job of the interactive lane."""

    kind = "quick"
    title = "Quick"
    lane = Lane.INTERACTIVE
    steps = {"only": 0}
    secret = True

    def __init__(self) -> None:
        self.done = threading.Event()

    def run(self, context: ActiveJob) -> None:
        self.done.set()


class Long(JobKind):
    """A job that runs until a test ends it; two in a worker, one of an organisation."""

    kind = "long"
    title = "Long"
    lane = Lane.SLOW
    steps = {"only": 0}
    at_once = 2
    per_organisation = 1

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.end = threading.Event()

    def run(self, context: ActiveJob) -> None:
        self.begun.release()
        while not self.end.wait(0.02):
            context.check()


def probes_register(monkeypatch: Any) -> dict[str, Any]:
    """Make the kinds of this file the only ones until the test ends."""
    own: dict[str, Any] = {kind.kind: kind() for kind in (Probe, Quick, Long)}
    monkeypatch.setattr(registry, "_kinds", own)
    return own


def job_get(job: UUID) -> Job:
    return Job.objects.get(pk=job)


def take(job: UUID) -> Lease:
    with everything_visible():
        lease = lease_take(job=job)
    assert lease is not None
    return lease


def leases_age() -> None:
    """Let every lease expire, as after a minute, and every message be lost."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET lease_until = now() - interval '1 second' WHERE state = 'running'")
        cursor.execute("UPDATE jobs_job SET sent = NULL WHERE state IN ('queued', 'running')")


def next_messages(workers: int = 1) -> list[Message]:
    own = connections["default"]
    own.ensure_connection()
    own.connection.execute(f"SET {SETTING} = '{EVERYTHING}'")
    return jobs_next(own.connection, kinds=registry.kinds_all(), workers=workers)


def next_jobs(workers: int = 1) -> list[UUID]:
    return [message.job for message in next_messages(workers)]
