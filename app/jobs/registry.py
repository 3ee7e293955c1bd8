"""The kinds of job that apps have registered, found in the `jobs` package or module of every installed app."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from typing import ClassVar, TypeVar
from uuid import UUID

from django.apps import apps

from app.jobs.choices import Lane
from app.jobs.models import Job

# Short jobs of a lane that wait in the worker beside the running ones, so that a free thread has the next one at once.
AHEAD = {Lane.INTERACTIVE: 2, Lane.CPU: 2, Lane.NETWORK: 0, Lane.SLOW: 0}


@dataclass(frozen=True, slots=True)
class Timetable:
    """The schedule of a kind: an interval in seconds, or a cron expression in UTC."""

    every_s: int | None = None
    cron: str = ""
    at_start: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a running job."""

    job: UUID
    organisation: UUID | None
    subject: str
    step: str
    percent: int


class RegisteredKind:
    """A kind of job for the engine: its settings, and the hooks for its jobs (JobKind in app/jobs/kinds.py).

    Attributes:
        kind: the wire name, which never changes.
        title: the name for people.
        steps: names in their order, each with the per cent of the job at which it begins.
        at_once: how many of the kind run in one worker at the same time, in its own threads, so that no other kind
            waits for this one.
        per_organisation: how many of one organisation are in flight at most; None: no limit but `at_once`.
        deaths_allowed: leases that may expire, without saved work in between, before the job fails.
        wait_limit: how long a server that the job needs may be unavailable; None: for ever.
        retries: attempts after an unexpected error; None: without end.
        secret: the payload is emptied however the job ends, so a failed job cannot be retried.
        may_cancel, may_retry: whether the admin page offers it.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    lane: ClassVar[Lane]
    steps: ClassVar[Mapping[str, int]]
    at_once: ClassVar[int] = 1
    per_organisation: ClassVar[int | None] = None
    deaths_allowed: ClassVar[int] = 3
    wait_limit: ClassVar[timedelta | None] = timedelta(hours=24)
    retries: ClassVar[int | None] = 0
    secret: ClassVar[bool] = False
    may_cancel: ClassVar[bool] = True
    may_retry: ClassVar[bool] = True
    timetable: ClassVar[Timetable | None] = None

    def on_state(self, job: Job) -> None:
        """Copy a change of state to the rows that people look at, in the transaction of the change.

        The state `running` is shown with the progress, so that a quick job costs no write for it. `job` has id,
        organisation_id, subject, payload, state, step, error_code and error_message; it is not saved.
        """

    def on_progress(self, changes: Sequence[Progress]) -> None:
        """Copy the progress of running jobs to the rows that people look at, in the transaction of the change."""

    def retry(self, job: Job) -> None:
        """Retry a failed or cancelled job, where the app has a service for it; the engine queues it otherwise."""

    def cancel(self, job: Job) -> None:
        """Cancel an open job, where the app has a service for it; the engine cancels it otherwise."""

    def subject_name(self, job: Job) -> str:
        """Return the job's subject as an admin sees it."""
        return ""

    @property
    def window(self) -> int:
        """Return how many jobs of the kind are in flight for each worker: running, or about to."""
        return self.at_once * (1 + AHEAD[self.lane])

    def percent(self, step: str, share: float) -> int:
        """Return the per cent of the whole job for a share, from 0 to 1, of a step."""
        begins = self.steps[step]
        ends = min((other for other in self.steps.values() if other > begins), default=99)
        return int(begins + min(1.0, share) * (ends - begins))

    def overrides(self, hook: str) -> bool:
        """Return whether the kind has its own hook; without one a round trip is saved."""
        return getattr(type(self), hook) is not getattr(RegisteredKind, hook)


_kinds: dict[str, RegisteredKind] = {}
Kind = TypeVar("Kind", bound=RegisteredKind)


def register(cls: type[Kind]) -> type[Kind]:
    """Register a kind. Its wire name must be unique; a missing class attribute is detected here."""
    if cls.kind in _kinds and type(_kinds[cls.kind]) is not cls:
        raise ValueError(f"Two kinds of job have the wire name {cls.kind!r}.")
    if not cls.steps or not cls.title or cls.lane not in Lane:
        raise ValueError(f"The kind of job {cls.kind!r} needs a title, a lane and at least one step.")
    _kinds[cls.kind] = cls()
    return cls


def every(seconds: int, *, at_start: bool = False) -> Callable[[type[Kind]], type[Kind]]:
    """Put a kind on the schedule at an interval of `seconds`; `at_start`: also at each start of the box."""
    return _timetable(Timetable(every_s=seconds, at_start=at_start))


def nightly(*, hour: int = 1, minute: int = 0) -> Callable[[type[Kind]], type[Kind]]:
    """Put a kind on the schedule once a night, in UTC. A night that the box missed is made up for."""
    return _timetable(Timetable(cron=f"{minute} {hour} * * *"))


def _timetable(timetable: Timetable) -> Callable[[type[Kind]], type[Kind]]:
    def decorate(cls: type[Kind]) -> type[Kind]:
        cls.timetable = timetable
        return cls

    return decorate


def kind_of(name: str) -> RegisteredKind:
    """Return the kind of a wire name.

    Raises:
        KeyError: no app of this version registers it.
    """
    return _kinds[name]


def kind_find(name: str) -> RegisteredKind | None:
    return _kinds.get(name)


def kinds_all() -> list[RegisteredKind]:
    return list(_kinds.values())


def kinds_discover() -> None:
    """Import the `jobs` module, or every module of the `jobs` package, of each installed app."""
    importlib.import_module("app.jobs.tidy")
    for config in apps.get_app_configs():
        name = f"{config.name}.jobs"
        if config.label == "jobs" or find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        for entry in pkgutil.iter_modules(getattr(module, "__path__", ())):
            importlib.import_module(f"{name}.{entry.name}")
