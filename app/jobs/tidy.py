from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now

from app.jobs.active_job import ActiveJob
from app.jobs.choices import OPEN, Lane
from app.jobs.kinds import JobKind, every, register
from app.jobs.models import Job

KEPT = timedelta(days=7)
BATCH = 2000


@register
@every(3600)
class JobsTidy(JobKind):
    """Job that removes jobs that ended a week ago."""

    kind = "jobs_tidy"
    title = "Forget old jobs"
    lane = Lane.SLOW
    steps = {"forget": 0}

    def run(self, context: ActiveJob) -> None:
        context.progress("forget")
        while old := list(_old().values_list("pk", flat=True)[:BATCH]):
            context.check()
            Job.objects.filter(pk__in=old).delete()


def _old() -> QuerySet[Job]:
    return Job.objects.filter(ended__lt=Now() - KEPT).exclude(state__in=OPEN)
