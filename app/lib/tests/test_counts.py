import threading

import pytest

from app.lib.counts import FAMILIES, Counter, Histogram


@pytest.fixture(autouse=True)
def _no_trace() -> object:
    before = dict(FAMILIES)
    yield
    FAMILIES.clear()
    FAMILIES.update(before)


def test_a_histogram_counts_what_is_at_most_each_bound() -> None:
    histogram = Histogram("test_seconds", "", ("kind",), buckets=(0.1, 1))
    for seconds in (0.05, 0.1, 0.5, 7):
        histogram.observe(seconds, "a")
    found = {(one.suffix, dict(one.labels).get("le")): one.value for one in histogram.samples()}
    assert found == {
        ("_bucket", "0.1"): 2,
        ("_bucket", "1"): 3,
        ("_bucket", "+Inf"): 4,
        ("_count", None): 4,
        ("_sum", None): pytest.approx(7.65),
    }


def test_nothing_is_lost_between_threads() -> None:
    counter = Counter("test_total", "", ("kind",))

    def count() -> None:
        for _ in range(20_000):
            counter.add("a")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.value for one in counter.samples()] == [80_000]


def test_a_counter_without_labels_begins_at_zero() -> None:
    assert [one.value for one in Counter("test_total", "").samples()] == [0]
