"""The base class of kinds of job (the recipe: CONTRIBUTING.md, "a new kind of job")."""

from app.jobs.active_job import ActiveJob
from app.jobs.registry import Progress as Progress
from app.jobs.registry import RegisteredKind
from app.jobs.registry import every as every
from app.jobs.registry import nightly as nightly
from app.jobs.registry import register as register


class JobKind(RegisteredKind):
    """A kind of job. One instance serves all threads, so `run` keeps its state in local variables."""

    def run(self, context: ActiveJob) -> None:
        """Run the job. Returning ends it as done.

        A RefdeskError ends it as failed with that code; Upstream and a full disk make it wait; see `waits_for`.
        """
        raise NotImplementedError

    def on_lease_lost(self, context: ActiveJob) -> None:
        """Clean up after a job that was cancelled, or taken by another worker, while it ran here."""

    def waits_for(self, error: Exception) -> str | None:
        """Return the code of the cause that the job should wait for after an error; "" when waiting cannot help.

        None leaves the decision to the engine, which waits for servers, the database and disk space.
        """
        return None
