"""A process that does jobs and dies of `kill -9` at a step of each: it forks for every job, so that each death is real
and costs no start of Python.

Reads lines `JOB STEP`, writes `killed` or `ended` for each. STEP is a step of the job's kind, where it dies at the
beginning, or `done`, where it dies in the transaction that would end the job.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import django


def main() -> None:
    django.setup()
    from app.library.choices import SourceKind
    from app.library.connectors import registry
    from app.library.tests.shelf import ShelfConnector
    from app.privacy.erasure import run as erasing

    registry.connectors_all()[SourceKind.PUSH] = ShelfConnector
    # How long it is waited for other processes, of which there are none here.
    erasing.SETTLE_S = erasing.SETTLE_WORKER_S = 0.05
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        job, step = line.split()
        child = os.fork()
        if child == 0:
            os.setsid()
            _die_at(step)
            _run(UUID(job))
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write("killed\n" if killed else "ended\n")
        sys.stdout.flush()


def _die() -> None:
    # With its children.
    os.killpg(0, signal.SIGKILL)


def _die_at(step: str) -> None:
    from app.jobs import active_job, execution
    from app.library.pipeline import steps

    progress, done = active_job.ActiveJob.progress, active_job.job_done

    def progress_or_die(self: Any, name: str, share: float = 0.0) -> None:
        if str(name) == step:
            _die()
        progress(self, name, share)

    @contextmanager
    def done_or_die(*arguments: Any, **changes: Any) -> Iterator[None]:
        with done(*arguments, **changes):
            yield
            _die()

    active_job.ActiveJob.progress = progress_or_die  # type: ignore[method-assign]
    if step == "done":
        active_job.job_done = done_or_die
        execution.job_finish = lambda lease: _die()
        # Ends its job by a statement of its own.
        steps.version_activate = lambda context: _die()


def _run(job: UUID) -> None:
    from app.jobs.execution import job_run
    from app.lib.tenancy import scope_enter_everything

    scope_enter_everything()
    job_run(job=job)
    os._exit(0)


if __name__ == "__main__":
    main()
