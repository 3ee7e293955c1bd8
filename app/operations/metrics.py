"""The page /metrics: the counters of this process, and the state of the box, in Prometheus's text format (0.0.4).

A box runs one web process, so the client's registry of one process is complete. Labels are kinds and codes only: the
readers of a box's metrics belong to none of its organisations.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count
from django.utils import timezone
from prometheus_client import REGISTRY, Counter, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.chat.choices import MessageState
from app.chat.models import Message

# Their families stand on every part's page, so that none is named only now and then.
from app.jobs import outcomes  # noqa: F401
from app.jobs.selectors import Depth, lane_depths
from app.lib.tenancy import scope_enter_everything
from app.library.choices import DocumentState
from app.library.models import Document

ANSWER_S = 5.0
# Counting a million documents takes a tenth of a second.
STATE_KEPT_S = 10.0
ERRORS = Counter("api_errors_total", "Errors that the API answered with", ("code",))


class BoxState(Collector):
    """Jobs, documents and running answers, counted in the database at most every ten seconds."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, "metrics")
        self._metrics: tuple[Metric, ...] = ()
        self._counted_at = 0.0

    def describe(self) -> Iterable[Metric]:
        """Return nothing: otherwise the registry would query the database while it is being built."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the counts, or nothing while the database does not respond soon."""
        if time.monotonic() - self._counted_at > STATE_KEPT_S or not self._metrics:
            try:
                self._metrics = self._threads.submit(_box_state_read).result(ANSWER_S)
            except (TimeoutError, DatabaseError, InterfaceError):
                return ()
            self._counted_at = time.monotonic()
        return self._metrics

    def forget(self) -> None:
        """Count anew at the next call."""
        self._metrics = ()


BOX_STATE = BoxState()
REGISTRY.register(BOX_STATE)


def _box_state_read() -> tuple[Metric, ...]:
    # Counts of the whole box, without any names.
    scope_enter_everything()
    try:
        depths, now = lane_depths(), timezone.now()
        documents = dict(Document.objects.values_list("state").annotate(documents=Count("id")))
        answers = Message.objects.filter(state=MessageState.RUNNING).count()
    finally:
        connection.close()
    return (
        _by_lane("jobs", "Open jobs, by lane and state", [(depth, depth.jobs) for depth in depths]),
        _by_lane(
            "jobs_oldest_seconds",
            "Since the oldest open job of a lane and state was made",
            [(depth, max(0.0, (now - depth.oldest).total_seconds())) for depth in depths if depth.oldest],
        ),
        _by_state("documents", "Documents, by state", {state: documents.get(state, 0) for state in DocumentState}),
        GaugeMetricFamily("answers_running", "Answers that are being written", value=answers),
    )


def _by_lane(name: str, documentation: str, values: Sequence[tuple[Depth, float]]) -> Metric:
    gauge = GaugeMetricFamily(name, documentation, labels=("lane", "state"))
    for depth, value in values:
        gauge.add_metric((depth.lane.value, depth.state.value), value)
    return gauge


def _by_state(name: str, documentation: str, values: Mapping[Any, float]) -> Metric:
    gauge = GaugeMetricFamily(name, documentation, labels=("state",))
    for state, value in values.items():
        gauge.add_metric((str(state),), value)
    return gauge
