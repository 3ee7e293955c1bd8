from app.audit.trail import audit_record
from app.jobs.active_job import ActiveJob
from app.jobs.choices import Lane
from app.jobs.kinds import JobKind, register
from app.lib.advisory_lock import RECONCILER, lock_try
from app.library.reconcile.reconciler import reconcile
from app.llm.models_kept import embeddings_client
from app.retrieval.index_loader import index_copy


class ReconcilerBusy(Exception):
    """Raised while the stores are being compared: the comparison would see a partial copy."""


@register
class IndexRenew(JobKind):
    """A job that copies all vectors to a new collection with this version's settings, then switches without a pause."""

    kind = "index_renew"
    title = "Copy all vectors into a new collection"
    lane = Lane.SLOW
    steps = {"copy": 0, "compare": 80}

    def run(self, context: ActiveJob) -> None:
        # Imports Qdrant's client, which the web process never loads.

        context.progress("copy")
        with lock_try(RECONCILER) as alone:
            if not alone:
                raise ReconcilerBusy
            copied = index_copy(embeddings_client().space())
        context.progress("compare")
        # Points that were added or removed during the copy.
        reconcile(repair=True)
        with context.done(payload={"points": copied}):
            audit_record(organisation=None, action="box.index_renewed", after={"points": copied})

    def waits_for(self, error: Exception) -> str | None:
        return "conflict" if isinstance(error, ReconcilerBusy) else None
