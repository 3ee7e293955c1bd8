"""How jobs end and how the schedule beats: counted for /metrics of the process that did it, and logged for programs.

Labels are kinds and outcomes only, as in app/operations/metrics.py.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Histogram

from app.jobs.leases import Lease

log = logging.getLogger(__name__)

# waiting: put back, because a server is away or an error was unexpected. stopped: cancelled, or its lease was lost.
# released: given back, because the worker stops.
DONE, FAILED, WAITING, STOPPED, RELEASED = "done", "failed", "waiting", "stopped", "released"
# A mail takes a tenth of a second, a large document minutes, an export of everything an hour.
JOB_S: Final = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)

JOBS = Counter("jobs_ended_total", "Attempts at jobs, by kind and how they ended", ("kind", "outcome"))
SECONDS = Histogram("job_seconds", "One attempt at a job", ("kind",), buckets=JOB_S)
ROUNDS = Counter("beat_rounds_total", "Looks at the schedule, by how they ended", ("outcome",))
SCHEDULED = Counter("beat_jobs_total", "Jobs that the schedule made")


def attempt_count(lease: Lease, attempt: Callable[[], str]) -> None:
    """Run an attempt at a job, which returns its outcome, and count it."""
    began = time.perf_counter()
    outcome = attempt()
    seconds = time.perf_counter() - began
    kind = lease.kind.kind
    JOBS.labels(kind, outcome).inc()
    SECONDS.labels(kind).observe(seconds)
    if log.isEnabledFor(logging.INFO):
        fields = {"latency_ms": round(seconds * 1000, 1)}
        log.info("job %s (%s): %s", lease.job, kind, outcome, extra={"fields": fields})
