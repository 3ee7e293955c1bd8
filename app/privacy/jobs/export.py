from collections.abc import Sequence
from datetime import timedelta

from django.db.models.functions import Now

from app.errors import RefdeskError
from app.jobs.active_job import ActiveJob
from app.jobs.choices import JobState, Lane
from app.jobs.kinds import JobKind, Progress, register
from app.jobs.models import Job
from app.privacy.choices import RequestState
from app.privacy.exports.run import export_make
from app.privacy.exports.services import EXPORT
from app.privacy.models import Export


@register
class MakeExport(JobKind):
    """Makes an export's file. People see its state in the Export."""

    kind = EXPORT
    title = "Make an export"
    lane = Lane.SLOW
    steps = {"rows": 0, "files": 30, "keep": 99}
    # Two at once: a second organisation's export does not wait for the 20,000 documents of the first.
    at_once = 2
    per_organisation = 1
    wait_limit = timedelta(hours=1)
    retries = 2

    def run(self, context: ActiveJob) -> None:
        export_make(context)

    def waits_for(self, error: Exception) -> str | None:
        # Fail at once: waiting does not free the disk.
        return "" if isinstance(error, RefdeskError) and error.code == "disk_full" else None

    def on_state(self, job: Job) -> None:
        state = RequestState.FAILED if job.state == JobState.CANCELLED else RequestState(job.state)
        changes = {"percent": 100} if state == RequestState.DONE else {}
        Export.objects.filter(pk=job.subject).update(state=state, error_code=job.error_code, updated=Now(), **changes)

    def on_progress(self, changes: Sequence[Progress]) -> None:
        for change in changes:
            Export.objects.filter(pk=change.subject).update(
                state=RequestState.RUNNING, percent=change.percent, error_code="", updated=Now()
            )

    def subject_name(self, job: Job) -> str:
        export = Export.objects.filter(pk=job.subject).first()
        return str(export) if export is not None else ""
