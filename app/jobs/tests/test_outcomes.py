"""What a worker and a beat count, and that each shows it on a port of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from app.errors import RefdeskError, Upstream
from app.jobs.active_job import ActiveJob
from app.jobs.execution import job_run
from app.jobs.leases import Stopped
from app.jobs.services import job_create, jobs_cancel
from app.jobs.tests.probes import Probe, leases_age, take
from app.lib.metrics_server import metrics_file, metrics_serve
from app.library.tests.workers import test_database_url, worker_start
from tests.engines import ROOT
from tests.waiting import wait_until

TOKEN = "a-token-for-the-tests-alone"


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def fails(error: Exception) -> Callable[[ActiveJob], None]:
    def work(context: ActiveJob) -> None:
        raise error

    return work


def is_cancelled(context: ActiveJob) -> None:
    jobs_cancel(organisation=context.organisation, job=context.job)


def notices_that_it_is_cancelled(context: ActiveJob) -> None:
    is_cancelled(context)
    raise Stopped


def is_given_back(context: ActiveJob) -> None:
    context.released = True
    raise Stopped


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("work", "outcome"),
    [
        (lambda context: None, "done"),
        (fails(RefdeskError("conflict")), "failed"),
        (fails(ValueError("secret")), "failed"),
        (fails(Upstream("search_unavailable")), "waiting"),
        (is_cancelled, "stopped"),
        (notices_that_it_is_cancelled, "stopped"),
        (is_given_back, "released"),
    ],
)
def test_an_attempt_at_a_job_is_counted_by_how_it_ended(
    probe: Probe, acme: Any, work: Callable[[ActiveJob], None], outcome: str
) -> None:
    probe.work = work
    names = ("done", "failed", "waiting", "stopped", "released")
    before = {name: counted("jobs_ended_total", kind="probe", outcome=name) for name in names}
    seconds = counted("job_seconds_count", kind="probe")
    assert job_run(job=job_create(kind="probe", organisation=acme.id))
    after = {name: counted("jobs_ended_total", kind="probe", outcome=name) for name in names}
    assert {name: after[name] - before[name] for name in names if after[name] != before[name]} == {outcome: 1}
    assert counted("job_seconds_count", kind="probe") == seconds + 1


@pytest.mark.django_db(transaction=True)
def test_a_job_whose_workers_died_is_counted_as_failed(probe: Probe, acme: Any) -> None:
    job = job_create(kind="probe", organisation=acme.id)
    for _ in range(probe.deaths_allowed):
        take(job)
        leases_age()
    before = counted("jobs_ended_total", kind="probe", outcome="failed")
    assert job_run(job=job)
    assert counted("jobs_ended_total", kind="probe", outcome="failed") == before + 1


def page(url: str, token: str = TOKEN) -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def address(folder: Path, part: str) -> str:
    """Return where a part says that its metrics are: as scripts/start's folder says it."""
    path = folder / "run" / f"metrics-{part}.json"
    wait_until(path.exists, limit_s=60)
    url: str = json.loads(path.read_text())["url"]
    assert url.startswith("http://127.0.0.1:")
    return url


@pytest.mark.django_db(transaction=True)
def test_a_worker_shows_what_it_counted(tmp_path: Path, acme: Any) -> None:
    job_create(kind="jobs_tidy")
    environment = {"REFDESK_DATA": str(tmp_path), "REFDESK_METRICS_TOKEN": TOKEN, "REFDESK_LOG_FORMAT": "json"}
    process = worker_start(tmp_path / "log", **environment)
    try:
        url = address(tmp_path, "worker")
        wait_until(lambda: 'jobs_ended_total{kind="jobs_tidy",outcome="done"} 1.0' in page(url)[1], limit_s=60)
        text = page(url)[1]
        assert 'job_seconds_count{kind="jobs_tidy"} 1.0' in text
        assert "process_resident_memory_bytes" in text
        assert page(url, "another-token-than-that")[0] == 401
        assert page(url.removesuffix("/metrics"))[0] == 404
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert not (tmp_path / "run" / "metrics-worker.json").exists()


@pytest.mark.django_db(transaction=True)
def test_a_beat_shows_its_rounds(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "REFDESK_DATA": str(tmp_path),
        "REFDESK_DATABASE_URL": test_database_url(),
        "REFDESK_METRICS_TOKEN": TOKEN,
        "REFDESK_LOG_FORMAT": "json",
    }
    log = (tmp_path / "log").open("w")
    beat = subprocess.Popen([sys.executable, "manage.py", "beat"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        url = address(tmp_path, "beat")
        wait_until(lambda: 'beat_rounds_total{outcome="done"}' in page(url)[1], limit_s=60)
        numbers = page(url)[1]
        made = re.search(r"^beat_jobs_total (\S+)", numbers, re.MULTILINE)
        assert made is not None
        assert float(made[1]) > 0
        assert page(url, "another-token-than-that")[0] == 401
    finally:
        beat.terminate()
        beat.wait(30)
    assert all(json.loads(line) for line in (tmp_path / "log").read_text().splitlines())
    assert not (tmp_path / "run" / "metrics-beat.json").exists()


def test_without_a_token_nothing_listens(settings: Any, tmp_path: Path) -> None:
    settings.DATA, settings.METRICS_TOKEN = tmp_path, ""
    metrics_serve("beat")
    assert not metrics_file("beat").exists()
    assert "metrics" not in {thread.name for thread in threading.enumerate()}


def test_a_taken_port_is_logged_and_the_work_goes_on(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.METRICS_TOKEN = TOKEN
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings.METRICS_LISTEN = other.getsockname()
        metrics_serve("beat")
    assert "metrics cannot be served: OSError" in caplog.text
