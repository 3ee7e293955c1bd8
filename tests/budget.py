"""pytest plugin: a test far above the budget of its marker (tests/cost.py) fails the run; sums are printed by marker.

A machine may be busy. A test's cost is the time that it took, less the time in which some process of the machine
waited for a processor (Linux counts it: /proc/pressure/cpu), and no less than its own CPU time. Both are divided by
how much slower than the reference this machine is. What fixtures of a module or a session cost is summed apart, so
that the first test of a file does not pay for the others.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cost import COSTS, marker_of
from tests.slow_tests import SLOW_TESTS

BUDGET_S = {"unit": 0.5, "db": 0.5, "engine": 10.0, "browser": 5.0, "box": 30.0, "stack": 60.0}
# Above its budget a test is listed; from this many times on it fails the run. The cost of neighbours on a machine is
# subtracted as far as Linux tells it, which leaves single tests at up to five times their idle cost.
FAILS_AT = 6.0
PRESSURE = Path("/proc/pressure/cpu")
# CPU time of `_calibrate` on the machine where the budgets were set: 2 cores of 2.9 GHz, Python 3.11.
REFERENCE_S = 0.021


@dataclass
class Clock:
    """Seconds by the wall, of CPU time in this process, and of waiting for a processor anywhere on the machine."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)
    stalled: float = field(default_factory=lambda: stalled_s())

    def cost(self) -> float:
        """Return the seconds since this clock was read, as an idle machine would have taken."""
        now = Clock()
        return max(now.cpu - self.cpu, (now.wall - self.wall) - (now.stalled - self.stalled))


def stalled_s() -> float:
    try:
        some = PRESSURE.read_text().split("\n", 1)[0]
    except OSError:
        return 0.0
    return int(some.rpartition("total=")[2]) / 1e6


def _calibrate() -> float:
    """Return how much slower than the reference this machine runs Python, at least 1."""
    best = min(_loop_s() for _ in range(3))
    return max(1.0, best / REFERENCE_S)


def _loop_s() -> float:
    began, total = time.process_time(), 0
    for number in range(1_000_000):
        total += number & 7
    return time.process_time() - began


@dataclass
class Spent:
    """Seconds of one test: of its own by the wall and as the cost, and the cost of the fixtures that it shares."""

    wall: float = 0.0
    own: float = 0.0
    shared: float = 0.0


SPENT = pytest.StashKey[Spent]()


def name_of(nodeid: str) -> str:
    """Return the test's name without its parameters."""
    return nodeid.partition("[")[0]


def allowed_s(nodeid: str, marker: str) -> float:
    """Return the seconds that a test may take: its marker's, or more where the table of slow tests says why."""
    return max(BUDGET_S[marker], SLOW_TESTS.get(name_of(nodeid), (0.0, ""))[0])


class Budget:
    """Measures in each process; the one that prints the summary (the controller of `-n`) adds up and judges."""

    def __init__(self) -> None:
        self._slower = _calibrate()
        self._shared_s = 0.0
        self._shared_depth = 0
        self._counts: dict[str, int] = defaultdict(int)
        self._sums: dict[str, Spent] = defaultdict(Spent)
        self._over: list[tuple[str, str, float]] = []

    # --- measuring --------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        item.stash[SPENT] = Spent()
        yield from self._measured(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        yield from self._measured(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        spent = item.stash[SPENT]
        before = spent.own
        try:
            yield from self._measured(item)
        finally:
            # At the end of a file its fixtures end, too.
            if nextitem is None or nextitem.path != item.path:
                spent.shared, spent.own = spent.shared + spent.own - before, before
            values = (spent.wall, spent.own / self._slower, spent.shared / self._slower)
            item.user_properties.append(("cost", (marker_of(item), *values)))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[Any]:
        if fixturedef.scope == "function" or self._shared_depth:
            return (yield)
        clock = Clock()
        self._shared_depth += 1
        try:
            return (yield)
        finally:
            self._shared_depth -= 1
            self._shared_s += clock.cost()

    def _measured(self, item: pytest.Item) -> Iterator[None]:
        clock, shared_before = Clock(), self._shared_s
        try:
            return (yield)
        finally:
            spent, shared = item.stash[SPENT], self._shared_s - shared_before
            spent.wall += time.perf_counter() - clock.wall
            spent.shared += shared
            spent.own += max(0.0, clock.cost() - shared)

    # --- judging ----------------------------------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "teardown":
            return
        marker, *seconds = dict(report.user_properties)["cost"]  # type: ignore[misc]
        wall, own, shared = seconds
        self._counts[marker] += 1
        total = self._sums[marker]
        self._sums[marker] = Spent(total.wall + wall, total.own + own, total.shared + shared)
        if own > allowed_s(report.nodeid, marker):
            self._over.append((report.nodeid, marker, own))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        far = [row for row in self._over if row[2] > FAILS_AT * allowed_s(row[0], row[1])]
        if far and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._counts:
            terminalreporter.section("cost by marker")
        for marker in filter(self._counts.get, COSTS):
            spent = self._sums[marker]
            terminalreporter.write_line(
                f"{marker:8}{self._counts[marker]:5} tests {spent.wall:7.1f} s: "
                f"{spent.own:.1f} s of their own on an idle machine, {spent.shared:.1f} s of shared fixtures"
            )
        for nodeid, marker, seconds in sorted(self._over, key=lambda row: -row[2]):
            allowed = allowed_s(nodeid, marker)
            far = seconds > FAILS_AT * allowed
            word = "FAR OVER BUDGET" if far else "over budget"
            terminalreporter.write_line(f"{word}: {nodeid} took {seconds:.1f} s, and may take {allowed} s", red=far)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Budget(), "budget")
