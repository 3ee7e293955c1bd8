"""What this process counts of itself for /metrics: counters and histograms with labels, a microsecond each.

Labels are kinds and codes only. An organisation, a person or what somebody wrote is never one: whoever reads the
numbers of the box is not a member of any.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: `suffix` is added to the family's name, `labels` are pairs."""

    suffix: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Family:
    """A metric by name, with its labels' names. Safe between threads."""

    kind = ""

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        self.name, self.meaning, self.labels = name, meaning, labels
        self._lock = threading.Lock()
        FAMILIES[name] = self

    def samples(self) -> Iterator[Sample]:
        raise NotImplementedError

    def _pairs(self, values: Labels) -> tuple[tuple[str, str], ...]:
        return tuple(zip(self.labels, values, strict=True))


FAMILIES: dict[str, Family] = {}


class Counter(Family):
    kind = "counter"

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        super().__init__(name, meaning, labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}

    def add(self, *labels: str, by: float = 1.0) -> None:
        with self._lock:
            self._values[labels] = self._values.get(labels, 0.0) + by

    def samples(self) -> Iterator[Sample]:
        with self._lock:
            values = dict(self._values)
        for labels, value in sorted(values.items()):
            yield Sample("", self._pairs(labels), value)


class Histogram(Family):
    """Durations in seconds. `buckets` are upper bounds in rising order, without infinity."""

    kind = "histogram"

    def __init__(self, name: str, meaning: str, labels: Labels = (), *, buckets: Sequence[float]) -> None:
        super().__init__(name, meaning, labels)
        self.buckets = tuple(buckets)
        self._values: dict[Labels, list[float]] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        with self._lock:
            row = self._values.get(labels)
            if row is None:
                # One for each bucket, one for what is beyond, and the sum.
                row = self._values[labels] = [0.0] * (len(self.buckets) + 2)
            row[bisect_left(self.buckets, seconds)] += 1
            row[-1] += seconds

    def samples(self) -> Iterator[Sample]:
        with self._lock:
            values = {labels: list(row) for labels, row in self._values.items()}
        for labels, row in sorted(values.items()):
            pairs, count = self._pairs(labels), 0.0
            for bound, number in zip((*self.buckets, float("inf")), row[:-1], strict=True):
                count += number
                yield Sample("_bucket", (*pairs, ("le", "+Inf" if bound == float("inf") else f"{bound:g}")), count)
            yield Sample("_count", pairs, count)
            yield Sample("_sum", pairs, row[-1])
