from uuid import UUID

from django.db import IntegrityError
from django.db.models.functions import Coalesce, Now

from app.jobs.active_job import ActiveJob
from app.jobs.choices import JobState, Lane
from app.jobs.kinds import JobKind, register
from app.jobs.models import Job
from app.jobs.services import jobs_cancel
from app.library.choices import OPEN_RUNS, RunState
from app.library.connectors.reading import READ, REMOVE, run_read
from app.library.models import Run, Source
from app.library.services.runs import SOURCE_RUN, run_cancel

# `running` is written when the reading begins, `done` at its end.
_STATES = {
    JobState.QUEUED: RunState.QUEUED,
    JobState.FAILED: RunState.FAILED,
    JobState.CANCELLED: RunState.CANCELLED,
}


@register
class SourceRun(JobKind):
    """A job that reads a source. The schedule makes these jobs too; their Run is made when the job begins."""

    kind = SOURCE_RUN
    title = "Read a source"
    lane = Lane.NETWORK
    at_once = 4
    per_organisation = 2
    steps = {READ: 0, REMOVE: 90}

    def run(self, context: ActiveJob) -> None:
        run = _run_of(context)
        if run is not None:
            run_read(run=run, job=context)

    def on_state(self, job: Job) -> None:
        state = _STATES.get(JobState(job.state))
        if state is None:
            return
        Run.objects.filter(job=job.id, state__in=OPEN_RUNS).update(
            state=state,
            error_code=job.error_code,
            error_message=job.error_message,
            ended=None if state in OPEN_RUNS else Now(),
        )

    def cancel(self, job: Job) -> None:
        run = Run.objects.select_related("source").filter(job=job.id, state__in=OPEN_RUNS).first()
        if run is not None:
            run_cancel(run=run)
        else:  # made by the schedule and not begun yet
            jobs_cancel(organisation=job.organisation_id, job=job.id)

    def subject_name(self, job: Job) -> str:
        return Source.objects.filter(pk=job.subject).values_list("name", flat=True).first() or ""


def _run_of(context: ActiveJob) -> Run | None:
    """Begin the run of a job, and return it; None when the source is gone or has another open run."""
    own = Run.objects.select_related("source").filter(job=context.job, state__in=OPEN_RUNS)
    if own.exists():
        with context.fenced():
            own.update(state=RunState.RUNNING, started=Coalesce("started", Now()), error_code="", error_message="")
        return own.first()
    source = Source.objects.filter(organisation=context.organisation, pk=UUID(context.lease.subject)).first()
    if source is None or Run.objects.filter(source=source, state__in=OPEN_RUNS).exists():
        return None
    try:
        with context.fenced():
            Run.objects.create(
                organisation_id=source.organisation_id,
                source=source,
                job=context.job,
                state=RunState.RUNNING,
                started=Now(),
            )
    except IntegrityError:  # another run has just begun
        return None
    return own.first()
