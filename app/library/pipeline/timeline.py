"""Record the attempts to read a version: seconds of each step, and the error of an attempt that failed.

They are a column of the version. A successful attempt is written by the statement that activates the version, which
costs nothing; a failed one by a statement of its own, under the fence.
"""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import DatabaseError, connection

from app.errors import RefdeskError
from app.jobs.active_job import ActiveJob
from app.jobs.execution import waits_for
from app.jobs.leases import LeaseLost, Stopped
from app.lib.times import time_text
from app.library.choices import Step
from app.library.models import DocumentVersion

KEPT = 20

_RECORD = """
WITH lease AS (SELECT 1 FROM jobs_job WHERE id = %(job)s AND fence = %(fence)s AND state = 'running' FOR SHARE)
UPDATE library_documentversion SET attempts = %(attempts)s::jsonb FROM lease WHERE library_documentversion.id = %(id)s
"""


class Timeline:
    """The present attempt, after the earlier ones as the version's row has them."""

    def __init__(self, job: ActiveJob, row: DocumentVersion) -> None:
        self._job, self._version = job, row.id
        self._earlier = _with_deaths(list(row.attempts), job)
        self._began_at, self._began = datetime.now(UTC), time.monotonic()
        self._steps: list[tuple[Step, float]] = []

    def begin(self, step: Step) -> None:
        self._steps.append((step, time.monotonic()))

    def attempts(self, code: str = "", message: str = "") -> str:
        """Return all attempts as JSON, with the present one as it stands. code: of its error."""
        now = time.monotonic()
        ends = [*(begun for _, begun in self._steps[1:]), now][: len(self._steps)]
        entry: dict[str, Any] = {
            "job": str(self._job.lease.job),
            "attempt": self._job.lease.attempt,
            "at": time_text(self._began_at),
            "took_s": round(now - self._began, 3),
            "steps": [
                [step.value, round(end - begun, 3)] for (step, begun), end in zip(self._steps, ends, strict=True)
            ],
        }
        if code:
            entry |= {"code": code, "message": message}
        return orjson.dumps(_joined(self._earlier, entry)).decode()

    def record(self, error: Exception) -> None:
        """Record that the attempt ended with an error, if the lease is ours. An unavailable database prevents it."""
        if isinstance(error, LeaseLost):
            return
        values: dict[str, Any] = {
            "job": self._job.lease.job,
            "fence": self._job.lease.fence,
            "id": self._version,
            "attempts": self.attempts(*_words(error)),
        }
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(_RECORD, values)


def death_record(*, version: UUID, job: UUID, code: str, message: str) -> None:
    """Record the end of a job whose workers died, in the transaction that ends it."""
    row = DocumentVersion.objects.filter(pk=version).first()
    if row is not None:
        entry = {"job": str(job), "at": time_text(datetime.now(UTC)), "steps": [], "code": code, "message": message}
        row.attempts = _joined(row.attempts, entry)
        row.save(update_fields=["attempts"])


def _words(error: Exception) -> tuple[str, str]:
    """Return the code and message of an error; the text of an unexpected one may hold words of the document."""
    if isinstance(error, Stopped):
        return "stopped", ""
    if isinstance(error, RefdeskError):
        return error.code, error.message
    return waits_for(error) or "internal", ""


def _joined(earlier: list[dict[str, Any]], entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Append an attempt. One that ended at the same step with the same error as the last is counted there."""
    last = earlier[-1] if earlier else None
    if last is not None and entry.get("code") and _end(last) == _end(entry):
        return [*earlier[:-1], {**entry, "times": last.get("times", 1) + 1, "first": last.get("first", last["at"])}]
    return [*earlier, entry][-KEPT:]


def _end(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry.get("code"), entry.get("message"), [name for name, _ in entry["steps"][-1:]]


def _with_deaths(attempts: list[dict[str, Any]], job: ActiveJob) -> list[dict[str, Any]]:
    """Add the attempt before, if it ended without a word: its worker died."""
    lease = job.lease
    known = [entry for entry in attempts if entry.get("job") == str(lease.job)]
    if lease.deaths and (not known or known[-1].get("attempt", 0) < lease.attempt - 1):
        entry = {"job": str(lease.job), "attempt": lease.attempt - 1, "at": time_text(datetime.now(UTC))}
        step = [[lease.step, 0.0]] if lease.step else []
        return _joined(attempts, {**entry, "steps": step, "code": "worker_gone", "message": ""})
    return attempts
