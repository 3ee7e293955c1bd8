"""The attempts to read a document, as its page shows them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.errors import CODES
from app.library.choices import Step
from app.library.models import DocumentVersion

ATTEMPTS_SHOWN = 20
# What ended an attempt without an error of the file's.
_ENDS = {
    "stopped": "It was interrupted because its worker stopped.",
    "worker_gone": "The worker that did this died.",
}


@dataclass(frozen=True, slots=True)
class StepTook:
    label: str
    seconds: float
    failed: bool

    @property
    def words(self) -> str:
        return seconds_text(self.seconds)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt, or several alike of which the last one is shown. error: in plain words; "" for one that succeeded."""

    version: int
    at: datetime
    first: datetime | None
    times: int
    took_s: float | None
    steps: list[StepTook]
    error: str
    hint: str

    @property
    def words(self) -> str:
        """Return its length, if it is known."""
        return "" if self.took_s is None else seconds_text(self.took_s)


def seconds_text(seconds: float) -> str:
    """Return a length of time as people write it: "0.3 s", "12 s", "3 min 5 s", "2 h 4 min"."""
    if seconds < 9.95:
        return "under 0.1 s" if seconds < 0.05 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def attempts_list(*, organisation: UUID, document: UUID) -> list[Attempt]:
    """Return the last attempts to read a document, the latest first."""
    versions = DocumentVersion.objects.filter(organisation=organisation, document=document).order_by("-number")
    found: list[Attempt] = []
    for number, attempts in versions.values_list("number", "attempts")[:ATTEMPTS_SHOWN]:
        found += [_attempt(number, entry) for entry in reversed(attempts)]
        if len(found) >= ATTEMPTS_SHOWN:
            break
    return found[:ATTEMPTS_SHOWN]


def _attempt(version: int, entry: dict[str, Any]) -> Attempt:
    code, steps = entry.get("code", ""), entry["steps"]
    known = CODES.get(code, CODES["internal"])
    first = entry.get("first")
    return Attempt(
        version=version,
        at=datetime.fromisoformat(entry["at"]),
        first=datetime.fromisoformat(first) if first else None,
        times=entry.get("times", 1),
        took_s=entry.get("took_s"),
        steps=[
            StepTook(str(Step(name).label), seconds, bool(code) and place == len(steps))
            for place, (name, seconds) in enumerate(steps, 1)
        ],
        error=(_ENDS.get(code) or entry.get("message") or known.message) if code else "",
        hint="" if not code or code in _ENDS else known.hint,
    )
