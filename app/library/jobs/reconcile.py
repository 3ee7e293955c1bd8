from app.jobs.active_job import ActiveJob
from app.jobs.choices import Lane
from app.jobs.kinds import JobKind, every, register
from app.library.reconcile.reconciler import STEPS, reconcile


@register
@every(600, at_start=True)
class Reconcile(JobKind):
    """A job that compares rows, vectors and files, and repairs differences. Every repair is one transaction."""

    kind = "reconcile"
    title = "Compare the stores"
    lane = Lane.SLOW
    steps = dict(zip(STEPS, (0, 40, 80, 95), strict=True))

    def run(self, context: ActiveJob) -> None:
        def on_step(step: str) -> None:
            context.check()
            context.progress(step)

        reconcile(repair=True, on_step=on_step)
