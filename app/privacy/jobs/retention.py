from app.jobs.active_job import ActiveJob
from app.jobs.choices import Lane
from app.jobs.kinds import JobKind, nightly, register
from app.privacy.retention.run import retention_run


@register
@nightly(hour=1)
class Retention(JobKind):
    """A job that removes old data each night at 01:00 UTC, when the day has ended everywhere in Europe."""

    kind = "retention"
    title = "Remove what is too old"
    lane = Lane.SLOW
    steps = {"organisations": 0, "box": 90}
    retries = 2

    def run(self, context: ActiveJob) -> None:
        def on_step(step: str) -> None:
            context.check()
            context.progress(step)

        retention_run(on_step=on_step)
