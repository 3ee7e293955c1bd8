"""A worker's threads, in this process; the broker is replaced by a direct call."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.jobs.active_job import ActiveJob
from app.jobs.dispatcher import Message
from app.jobs.lease_renewal import LeaseRenewal
from app.jobs.services import job_create, jobs_cancel
from app.jobs.tests.probes import Long, Probe, Quick, job_get
from app.jobs.worker import Worker
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent() -> list[UUID]:
    return []


@pytest.fixture
def worker(probes: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, sent: list[UUID]) -> Iterator[Worker]:
    settings.WORKER_BEATS = False
    renewal = LeaseRenewal()
    for module in ("execution", "worker"):
        monkeypatch.setattr(f"app.jobs.{module}.lease_renewal", renewal)
    # After this time the process would end itself.
    monkeypatch.setattr("app.jobs.worker.STOP_S", 20.0)
    made: list[Worker] = []

    def send(message: Message) -> None:
        sent.append(message.job)
        made[0].receive(message.job, message.kind)

    made.append(Worker(send=send))
    made[0].start()
    yield made[0]
    probes["long"].end.set()
    made[0].stop()


def test_a_new_job_begins_at_once(worker: Worker, quick: Quick, acme: Any) -> None:
    time.sleep(0.3)
    begun = time.monotonic()
    job_create(kind="quick", organisation=acme.id)
    assert quick.done.wait(5)
    # Woken by the database, not by the poll.
    assert time.monotonic() - begun < 2


def test_a_delayed_job_begins_when_it_is_due_and_not_with_the_poll(worker: Worker, quick: Quick, acme: Any) -> None:
    begun = time.monotonic()
    job_create(kind="quick", organisation=acme.id, delay=timedelta(seconds=0.3))
    assert quick.done.wait(10)
    assert 0.25 < time.monotonic() - begun < 3


def test_long_jobs_of_one_kind_never_make_another_kind_wait(
    worker: Worker, long: Long, quick: Quick, probe: Probe, acme: Any, other: Any
) -> None:
    ran = threading.Event()
    probe.work = lambda context: ran.set()
    for organisation in (acme, other, acme, other):
        job_create(kind="long", organisation=organisation.id)
    for _ in range(2):
        assert long.begun.acquire(timeout=10)
    job_create(kind="quick", organisation=acme.id)
    job_create(kind="probe", organisation=acme.id)
    assert quick.done.wait(5)
    assert ran.wait(5)
    assert not long.begun.acquire(blocking=False)


def test_a_cancelled_job_stops_within_a_second(worker: Worker, long: Long, acme: Any) -> None:
    job = job_create(kind="long", organisation=acme.id)
    assert long.begun.acquire(timeout=10)
    following = job_create(kind="long", organisation=acme.id)
    begun = time.monotonic()
    jobs_cancel(organisation=acme.id, job=job)
    assert long.begun.acquire(timeout=10)
    assert time.monotonic() - begun < 3
    assert (job_get(job).state, job_get(following).state) == ("cancelled", "running")


def test_a_message_that_comes_ten_times_has_its_effect_once(worker: Worker, probe: Probe, acme: Any) -> None:
    runs: list[UUID] = []

    def work(context: ActiveJob) -> None:
        runs.append(context.job)
        time.sleep(0.2)

    probe.work = work
    job = job_create(kind="probe", organisation=acme.id)
    for _ in range(10):
        worker.receive(job, "probe")
    wait_until(lambda: job_get(job).state == "done", what="job done")
    worker.receive(job, "probe")
    time.sleep(0.3)
    assert runs == [job]
    assert job_get(job).attempt == 1


def test_a_message_of_an_unknown_kind_is_left_alone(worker: Worker, acme: Any) -> None:
    job = job_create(kind="quick", organisation=acme.id)
    worker.receive(job, "of_tomorrow")
    wait_until(lambda: job_get(job).state == "done", what="job done")
