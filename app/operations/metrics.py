"""/metrics: what this process has counted, and the state of the box, in Prometheus's text format (version 0.0.4)."""

import os
import resource
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count, Min
from django.utils import timezone

from app.chat.choices import MessageState
from app.chat.models import Message
from app.lib.counts import FAMILIES, Counter, Sample
from app.lib.tenancy import scope_enter_everything
from app.library.choices import DocumentState
from app.library.models import Document, Job
from app.library.pipeline.jobs import OPEN

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ANSWER_S = 5.0
# Counting a million documents takes a tenth of a second.
STATE_KEPT_S = 10.0
ERRORS = Counter("api_errors_total", "Errors that the API answered with", ("code",))

Gauges = dict[str, list[Sample]]
STATE_MEANINGS = {
    "ingest_jobs": "Jobs of the ingest queue, by state",
    "ingest_oldest_seconds": "Since the oldest open job of a state was made",
    "documents": "Documents, by state",
    "answers_running": "Answers that are being written",
}
PROCESS_MEANINGS = {
    "process_resident_memory_bytes": "Memory of the web process",
    "process_cpu_seconds_total": "Processor time of the web process",
    "process_open_fds": "Open files and connections of the web process",
    "process_start_time_seconds": "When the web process was started",
}
_started = time.time()
_threads = ThreadPoolExecutor(1, "metrics")
_state: tuple[float, Gauges] = (0.0, {})


def metrics_text() -> str:
    """All families. Without its own part when the database does not answer soon."""
    lines: list[str] = []
    for family in FAMILIES.values():
        lines += _lines(family.name, family.kind, family.meaning, family.samples())
    for name, samples in _box_state().items():
        lines += _lines(name, "gauge", STATE_MEANINGS[name], samples)
    for name, value in _process().items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += _lines(name, kind, PROCESS_MEANINGS[name], [Sample("", (), value)])
    return "\n".join(lines) + "\n"


def _lines(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
    for sample in samples:
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels)
        yield f"{name}{sample.suffix}{f'{{{labels}}}' if labels else ''} {sample.value:.15g}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _box_state() -> Gauges:
    global _state
    if time.monotonic() - _state[0] > STATE_KEPT_S or not _state[1]:
        try:
            _state = (time.monotonic(), _threads.submit(_box_state_read).result(ANSWER_S))
        except (TimeoutError, DatabaseError, InterfaceError):
            return {}
    return _state[1]


def state_forget() -> None:
    """Read the box's state anew with the next call."""
    global _state
    _state = (0.0, {})


def _box_state_read() -> Gauges:
    # Counts of the whole box: they name nobody.
    scope_enter_everything()
    try:
        counted = Job.objects.filter(state__in=OPEN).values_list("state").annotate(Count("id"), Min("created"))
        jobs = {state: (number, (timezone.now() - oldest).total_seconds()) for state, number, oldest in counted}
        documents = dict(Document.objects.values_list("state").annotate(documents=Count("id")))
        answers = Message.objects.filter(state=MessageState.RUNNING).count()
    finally:
        connection.close()
    return {
        "ingest_jobs": [_of_state(state, jobs.get(state, (0, 0.0))[0]) for state in OPEN],
        "ingest_oldest_seconds": [_of_state(state, max(0.0, jobs.get(state, (0, 0.0))[1])) for state in OPEN],
        "documents": [_of_state(state, documents.get(state, 0)) for state in DocumentState.values],
        "answers_running": [Sample("", (), answers)],
    }


def _of_state(state: str, value: float) -> Sample:
    return Sample("", (("state", str(state)),), value)


def _process() -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "process_resident_memory_bytes": resident,
        "process_cpu_seconds_total": used.ru_utime + used.ru_stime,
        "process_open_fds": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "process_start_time_seconds": _started,
    }
