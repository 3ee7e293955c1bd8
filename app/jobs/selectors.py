from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, QuerySet

from app.jobs.choices import OPEN, JobState, Lane
from app.jobs.models import Job


@dataclass(frozen=True, slots=True)
class Depth:
    """Open jobs of a lane in one state. oldest: the creation time of the first."""

    lane: Lane
    state: JobState
    jobs: int
    oldest: datetime | None


def lane_depths() -> list[Depth]:
    """Return the number of open jobs of the whole box by lane and state, zeros included, without any names."""
    counted = Job.objects.filter(state__in=OPEN).values_list("lane", "state").annotate(Count("id"), Min("created"))
    by_lane = {(lane, state): (jobs, oldest) for lane, state, jobs, oldest in counted}
    return [
        Depth(lane, JobState(state), *by_lane.get((lane.value, state.value), (0, None)))
        for lane in Lane
        for state in OPEN
    ]


def jobs_open(*, kind: str) -> QuerySet[Job]:
    return Job.objects.filter(kind=kind, state__in=OPEN)
