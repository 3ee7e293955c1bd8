"""Helpers that run jobs in the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.test import override_settings

from app.jobs.choices import JobState
from app.jobs.dispatcher import Message
from app.jobs.execution import job_run
from app.jobs.lease_renewal import LeaseRenewal
from app.jobs.models import Job
from app.jobs.worker import Worker
from app.lib.tenancy import everything_visible


def jobs_run(*kinds: str) -> int:
    """Run the queued jobs that are due, of these kinds or of all, until there are none; return their number."""
    count = 0
    with everything_visible():
        while True:
            rows = Job.objects.filter(state=JobState.QUEUED).order_by("created", "id")
            chosen = rows.filter(kind__in=kinds) if kinds else rows
            done = sum(job_run(job=job) for job in chosen.values_list("id", flat=True))
            if not done:
                return count
            count += done


@contextmanager
def worker_threads() -> Iterator[None]:
    """Run a worker in this process whose broker is a direct call; every job is done as soon as it is made."""
    renewal = LeaseRenewal()
    made: list[Worker] = []

    def send(message: Message) -> None:
        made[0].receive(message.job, message.kind)

    with (
        override_settings(WORKER_BEATS=False),
        patch("app.jobs.execution.lease_renewal", renewal),
        patch("app.jobs.worker.lease_renewal", renewal),
        # After this time the process would end itself.
        patch("app.jobs.worker.STOP_S", 30.0),
    ):
        made.append(Worker(send=send))
        made[0].start()
        yield
        made[0].stop()
