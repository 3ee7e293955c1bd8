"""Refdesk as scripts/start runs it: its first start, and its recovery from the death of each process."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.box.box_process import all_gone
from tests.box.real_box import WholeBox
from tests.waiting import wait_until

TOKEN = "a-token-for-the-tests-alone"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    settings = {"REFDESK_LOG_FORMAT": "json", "REFDESK_METRICS_TOKEN": TOKEN}
    box = WholeBox(tmp_path_factory.mktemp("whole") / "data", **settings)
    try:
        box.start()
        yield box
    finally:
        box.stop()


def test_the_first_start_shows_a_password_once_and_keeps_it_nowhere(box: WholeBox) -> None:
    logs = [path.read_text(errors="replace") for path in (box.folder / "logs").iterdir()]
    assert not [text for text in logs if box.password in text]
    assert box.sql("SELECT count(*) FROM accounts_membership WHERE role = 'owner'") == [(1,)]


def test_every_process_of_a_box_runs_and_it_says_that_it_is_ready(box: WholeBox) -> None:
    assert sorted(box.pids()) == ["embeddings", "postgres", "qdrant", "valkey", "web", "worker"]
    assert box.status("/ready") == 200


def test_the_worker_of_a_box_shows_its_metrics_at_the_address_in_its_folder(box: WholeBox) -> None:
    path = box.folder / "run" / "metrics-worker.json"
    wait_until(path.exists)
    request = urllib.request.Request(json.loads(path.read_text())["url"], headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read().decode()
    assert "# TYPE jobs_ended_total counter" in text
    assert "# TYPE beat_rounds_total counter" in text


@pytest.mark.parametrize("name", ["worker", "web", "qdrant", "embeddings", "valkey", "postgres"])
def test_a_box_is_ready_again_after_the_death_of_any_process(box: WholeBox, name: str) -> None:
    before = box.pid(name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: f"{name} died (signal 9), restarted" in box.printed() and box.pids().get(name, before) != before)
    wait_until(lambda: box.status("/ready") == 200)


def test_a_box_stops_within_ten_seconds_and_starts_again_without_another_password(box: WholeBox) -> None:
    pids = box.pids()
    began = time.monotonic()
    box.stop()
    assert time.monotonic() - began < 10
    assert all_gone(pids)
    assert "was ended" not in box.printed()
    box.start()
    assert "password" not in box.printed()
    assert box.status("/ready") == 200


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_log_for_programs_holds_nothing_else(box: WholeBox, name: str) -> None:
    # The death of every process stands in it, and a stop.
    lines = [json.loads(line) for line in (box.folder / "logs" / f"{name}.log").read_text().splitlines()]
    assert len(lines) > 5
    assert all({"time", "level", "logger", "message", "trace_id"} <= set(line) for line in lines)
