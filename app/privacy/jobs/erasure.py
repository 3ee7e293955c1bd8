from collections.abc import Sequence

from django.db.models.functions import Now

from app.jobs.active_job import ActiveJob
from app.jobs.choices import Lane
from app.jobs.kinds import JobKind, Progress, register
from app.jobs.models import Job
from app.privacy.choices import RequestState
from app.privacy.erasure.run import erasure_do
from app.privacy.erasure.services import ERASURE, erasure_retry
from app.privacy.models import Erasure


@register
class Erase(JobKind):
    """A job that erases the subject of an Erasure from every store. People have a right to it: few errors end it."""

    kind = ERASURE
    title = "Erase"
    lane = Lane.SLOW
    steps = {"count": 0, "rows": 10, "stores": 50, "receipt": 95}
    at_once = 2
    deaths_allowed = 20
    wait_limit = None
    retries = None
    may_cancel = False

    def run(self, context: ActiveJob) -> None:
        erasure_do(context)

    def on_state(self, job: Job) -> None:
        state = RequestState(job.state)
        changes = {"percent": 100} if state == RequestState.DONE else {}
        Erasure.objects.filter(pk=job.subject).update(state=state, error_code=job.error_code, updated=Now(), **changes)

    def on_progress(self, changes: Sequence[Progress]) -> None:
        for change in changes:
            Erasure.objects.filter(pk=change.subject).update(
                state=RequestState.RUNNING, percent=change.percent, error_code="", updated=Now()
            )

    def retry(self, job: Job) -> None:
        erasure_retry(erasure=Erasure.objects.get(pk=job.subject))

    def subject_name(self, job: Job) -> str:
        erasure = Erasure.objects.filter(pk=job.subject).first()
        return str(erasure) if erasure is not None else ""
