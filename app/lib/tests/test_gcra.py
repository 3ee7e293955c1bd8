"""Limits by GCRA against a real Valkey: never above the limit, all or nothing, by Valkey's own clock."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import Settings
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from redis import Redis

from app.lib import gcra
from app.lib.gcra import WINDOW_S, Limit, limits_take_in_thread
from app.lib.ids import new_id

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _valkey_is_there(valkey: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.VALKEY_URL = valkey
    monkeypatch.setattr(gcra, "_paused_until", 0.0)


def limit(most: int, name: str = "organisation") -> Limit:
    return Limit(name, f"refdesk:limit:test:{new_id()}", most)


# Each process makes this many checks from this many threads; it prints how many were admitted.
CHECKER = """
import json, sys, time
import django; django.setup()
from concurrent.futures import ThreadPoolExecutor
from app.lib.gcra import Limit, limits_take_in_thread
limits = [Limit("x", key, most) for key, most in json.loads(sys.argv[1])]
checks, threads = int(sys.argv[2]), int(sys.argv[3])
limits_take_in_thread([Limit("x", "refdesk:limit:test:warm", 10**6)])
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(threads) as pool:
    found = list(pool.map(lambda _: limits_take_in_thread(limits).admitted, range(checks)))
print(sum(found))
"""


def crowd(limits: list[Limit], *, processes: int, checks: int, valkey: str) -> tuple[int, float]:
    """Return how many simultaneous checks were admitted, and in how many seconds."""
    environment = {
        "PATH": "/usr/bin",
        "DJANGO_SETTINGS_MODULE": "app.settings",
        "REFDESK_SECRET_KEY": "x",
        "REFDESK_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REFDESK_VALKEY_URL": valkey,
    }
    asked = json.dumps([[one.key, one.most] for one in limits])
    command = [sys.executable, "-c", CHECKER, asked, str(checks), "8"]
    children = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    began = time.monotonic()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    admitted = sum(int(child.communicate(timeout=60)[0]) for child in children)
    return admitted, time.monotonic() - began


def test_ten_thousand_checks_at_once_never_pass_a_limit(valkey: str) -> None:
    limits = [limit(1000), limit(600, "key")]
    admitted, seconds = crowd(limits, processes=4, checks=2500, valkey=valkey)
    # The burst, and what drained meanwhile.
    assert 600 <= admitted <= 600 + 600 * seconds / WINDOW_S + 1
    # The wider limit was charged for the admitted calls only.
    client = Redis.from_url(valkey)
    now, tat = client.time(), float(client.get(limits[0].key))
    charged = (tat - (now[0] * 1e6 + now[1])) / 1e6 * 1000 / WINDOW_S
    assert admitted - 1000 * (seconds + 5) / WINDOW_S <= charged <= admitted + 1


@examples(max_examples=60, deadline=None)
@given(
    most=st.lists(st.integers(1, 60_000_000), min_size=1, max_size=3),
    costs=st.lists(st.integers(1, 100_000), min_size=1, max_size=40),
)
def test_no_sequence_passes_a_limit_and_a_refusal_takes_nothing(most: list[int], costs: list[int]) -> None:
    limits = [limit(one) for one in most]
    taken, began = [0] * len(most), time.monotonic()
    for cost in costs:
        result = limits_take_in_thread(limits, cost=cost)
        # A cost above a whole limit takes the whole limit.
        wanted = [before + min(cost, one) for before, one in zip(taken, most, strict=True)]
        if result.admitted:
            taken = wanted
            share = (time.monotonic() - began + 1e-3) / WINDOW_S
            assert all(now <= one * (1 + share) for now, one in zip(taken, most, strict=True))
            assert 0 <= result.remaining <= result.limit.most
        else:
            assert 0 < result.retry_s <= WINDOW_S
            assert any(now > one for now, one in zip(wanted, most, strict=True))


def test_after_the_time_it_names_a_request_is_admitted() -> None:
    fast = limit(6000)  # one each 10 ms
    assert limits_take_in_thread([fast], cost=6000).admitted
    refused = limits_take_in_thread([fast])
    assert not refused.admitted
    assert 0 < refused.retry_s <= 0.011
    time.sleep(refused.retry_s)
    assert limits_take_in_thread([fast]).admitted


def test_a_restarted_valkey_has_forgotten_the_script_and_is_told_again(valkey: str) -> None:
    one = limit(10)
    assert limits_take_in_thread([one]).remaining == 9
    Redis.from_url(valkey).script_flush()
    assert limits_take_in_thread([one]).remaining == 8


def test_a_clock_that_was_set_back_blocks_for_two_minutes_at_most(valkey: str) -> None:
    one = limit(10)
    client = Redis.from_url(valkey)
    now = client.time()[0]
    # As if written when the clock was an hour ahead.
    client.set(one.key, str((now + 3600) * 10**6))
    refused = limits_take_in_thread([one])
    assert not refused.admitted
    assert refused.retry_s <= 2 * WINDOW_S


def test_keys_go_away_by_themselves(valkey: str) -> None:
    one = limit(6000)
    limits_take_in_thread([one], cost=3)
    assert 0 < Redis.from_url(valkey).pttl(one.key) <= 31


@pytest.fixture
def no_valkey(settings: Settings) -> Iterator[None]:
    settings.VALKEY_URL = "redis://127.0.0.1:9"
    yield
    gcra._tats.clear()


def test_without_valkey_threads_of_one_process_do_not_pass_the_limit_either(no_valkey: None) -> None:
    one, began = limit(100), time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: limits_take_in_thread([one]).admitted, range(1000)))
    assert 100 <= sum(found) <= 100 + 100 * (time.monotonic() - began) / WINDOW_S + 1
