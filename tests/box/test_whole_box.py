"""Refdesk as scripts/start runs it: its first start, and its recovery from the death of each process."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.box.box_process import all_gone
from tests.box.real_box import WholeBox
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    box = WholeBox(tmp_path_factory.mktemp("whole") / "data")
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
