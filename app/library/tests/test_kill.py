"""`kill -9` of a real worker and its children at each step: nothing is lost, duplicated or left behind."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings

from app.celery import celery
from app.jobs.models import Job
from app.library.models import Chunk, Document, EmbeddingCache
from app.library.services.documents import document_cancel, document_delete
from app.library.tests.stores import (
    cache_fill,
    job_of,
    leases_age,
    long_text,
    points_of,
    state_of,
    stores_agree,
    stores_empty,
    upload,
    wait_jobs,
    wait_ready,
)
from app.library.tests.workers import worker, worker_kill, worker_start
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str) -> None:
    stores_empty()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "worker.log"
    # Shown by pytest with a failure.
    sys.stdout.write((tmp_path / "worker.log").read_text()[-5000:])


@pytest.fixture
def killed(log: Path) -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Run a worker until a condition is true, then kill it as the kernel does for lack of memory."""
    running: list[subprocess.Popen[bytes]] = []

    def run_until(true: Callable[[], Any]) -> None:
        process = worker_start(log)
        running.append(process)
        wait_until(true, what="the moment to kill")
        worker_kill(process)

    yield run_until
    for process in running:
        if process.poll() is None:
            worker_kill(process)


def recover(log: Path, document: Document, *, attempts: int = 2) -> None:
    """Assert that a new worker finishes the work of the dead one, and that nothing else is left of it."""
    assert job_of(document).state == "running"
    leases_age()
    with worker(log):
        wait_ready(document)
        wait_jobs()
        stores_agree()
    assert job_of(document).attempt == attempts
    numbers = list(Chunk.objects.filter(document=document).order_by("position").values_list("position", flat=True))
    assert numbers == list(range(len(numbers))) != []


def step_of(document: Document) -> Any:
    return Document.objects.values_list("step", flat=True).get(pk=document.pk)


def test_killed_while_it_reads(acme: Any, log: Path, killed: Any) -> None:
    # A megabyte of rows: slow enough that the test sees the step.
    rows = "".join(f"{n},Widget {n},In {n % 50} colours\n" for n in range(30_000))
    document = upload(acme, "rows.csv", ("number,name,note\n" + rows).encode())
    killed(lambda: step_of(document) == "parse")
    assert not Chunk.objects.exists()
    leases_age()
    with worker(log):
        wait_until(lambda: Chunk.objects.filter(document=document).exists())
        document_cancel(organisation=acme.id, document=document.id)
        wait_jobs()
        stores_agree()
    assert job_of(document).attempt == 2


def test_killed_while_it_embeds_it_goes_on_where_it_was(acme: Any, log: Path, killed: Any) -> None:
    document = upload(acme, "long.md", long_text(120))
    killed(lambda: EmbeddingCache.objects.count() >= 64)
    chunks, cached = set(Chunk.objects.values_list("id", flat=True)), EmbeddingCache.objects.count()
    assert cached < len(chunks)
    recover(log, document)
    assert set(Chunk.objects.values_list("id", flat=True)) == chunks
    assert job_of(document).deaths == 0


def test_killed_while_it_indexes(acme: Any, log: Path, killed: Any, tmp_path: Path) -> None:
    data = long_text(1500)
    path = tmp_path / "huge.md"
    path.write_bytes(data)
    assert cache_fill(acme, path) > 1000
    document = upload(acme, "huge.md", data)
    killed(lambda: points_of(acme.id))
    assert state_of(document) == "running"
    assert len(points_of(acme.id)) < Chunk.objects.count()
    recover(log, document)


def test_killed_again_and_again_at_any_time_every_document_gets_ready(acme: Any, log: Path) -> None:
    documents = [upload(acme, f"{number}.md", long_text(4 + number, f"crate {number}")) for number in range(6)]
    chance = random.Random(7)
    for _ in range(3):
        process = worker_start(log)
        time.sleep(2.0 + chance.random())
        worker_kill(process)
        # A death is an expired lease; three in a row on one file would fail it, which another test covers.
        leases_age()
        Job.objects.update(deaths=0)
    with worker(log):
        wait_ready(*documents)
        wait_jobs()
        stores_agree()
    assert Job.objects.filter(kind="ingest").count() == len(documents)


def test_a_worker_that_is_asked_to_stop_gives_its_work_back_at_once(acme: Any, log: Path) -> None:
    document = upload(acme, "long.md", long_text(300))
    process = worker_start(log)
    wait_until(lambda: EmbeddingCache.objects.exists())
    begun = time.monotonic()
    worker_kill(process, signal.SIGTERM)
    assert time.monotonic() - begun < 15
    job = job_of(document)
    assert (job.state, job.deaths, state_of(document)) == ("queued", 0, "queued")


def test_messages_lost_by_the_broker_are_sent_again(acme: Any, log: Path) -> None:
    documents = [upload(acme, f"{number}.txt", b"Parcel %d waits." % number) for number in range(30)]
    broker = redis.Redis.from_url(settings.VALKEY_URL)
    with worker(log):
        wait_until(lambda: Job.objects.filter(state="done").exists())
        broker.flushall()
        leases_age()
        wait_ready(*documents)
        wait_jobs()
        stores_agree()


def test_a_message_that_comes_ten_times_has_its_effect_once(acme: Any, log: Path) -> None:
    document = upload(acme, "once.md", long_text(5))
    job = job_of(document)
    for _ in range(10):
        celery.send_task("jobs.run", args=[str(job.id), "ingest"], queue="jobs.cpu")
    with worker(log):
        wait_ready(document)
        wait_jobs()
        stores_agree()
    job.refresh_from_db()
    assert (job.attempt, job.fence) == (1, 1)
    assert Chunk.objects.filter(document=document).count() == Document.objects.get().chunks


def test_cancelling_stops_the_work_soon_and_leaves_no_vector(acme: Any, log: Path) -> None:
    document = upload(acme, "long.md", long_text(300))
    short = upload(acme, "short.txt", b"A parcel waits.")
    with worker(log):
        wait_until(lambda: EmbeddingCache.objects.count() > 64)
        document_cancel(organisation=acme.id, document=document.id)
        begun = time.monotonic()
        # The thread is free for another file.
        third = upload(acme, "third.txt", b"Another parcel waits.")
        wait_ready(short, third)
        assert time.monotonic() - begun < 40
        Job.objects.filter(kind="document_delete").update(not_before=None)
        wait_jobs()
        stores_agree()
    assert state_of(document) == "cancelled"


def test_deleting_at_work_leaves_nothing(acme: Any, log: Path) -> None:
    document = upload(acme, "long.md", long_text(100))
    with worker(log):
        wait_until(lambda: EmbeddingCache.objects.exists())
        document_delete(organisation=acme.id, document=document.id)
        Job.objects.filter(kind="document_delete").update(not_before=None)
        wait_jobs()
        wait_until(lambda: not points_of(acme.id))
        report = stores_agree()
    assert not Document.objects.exists()
    assert (report.points, Chunk.objects.count()) == (0, 0)
