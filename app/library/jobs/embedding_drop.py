from django.db import connection
from django.db.models.functions import Now

from app.jobs.active_job import ActiveJob
from app.jobs.choices import Lane
from app.jobs.kinds import JobKind, register
from app.jobs.leases import LeaseLost
from app.jobs.models import Job
from app.lib.advisory_lock import INDEXES, lock_for_transaction
from app.library.services.embedding_change import drop_delay
from app.library.services.jobs import DROP
from app.llm.choices import ChangeState
from app.llm.embeddings import EmbeddingSpace
from app.llm.models import EmbeddingChange
from app.llm.models_kept import models_kept
from app.retrieval.index import collection_name
from app.retrieval.index_loader import index_delete

ROWS = 5000


@register
class EmbeddingDrop(JobKind):
    """A job that deletes the index that a change of the embedding model leaves: the old one, or the abandoned one."""

    kind = DROP
    title = "Drop the index of an embedding model"
    lane = Lane.SLOW
    steps = {"index": 0, "vectors": 50}
    wait_limit = None
    retries = None
    # Its index is not searched or written any more, so it has to go.
    may_cancel = False

    def run(self, context: ActiveJob) -> None:
        context.progress("index")
        row = EmbeddingChange.objects.filter(pk=context.subject).first()
        if row is None or row.state not in (ChangeState.SWITCHED, ChangeState.DONE, ChangeState.ABANDONED):
            raise LeaseLost
        dropped = EmbeddingSpace(row.old_model, row.old_dimensions or 0)
        if row.state == ChangeState.SWITCHED:
            context.sleep(drop_delay(row).total_seconds())
            # First, so that no upload writes to the index that is about to go.
            with context.fenced():
                lock_for_transaction(INDEXES)
                EmbeddingChange.objects.filter(pk=row.pk).update(state=ChangeState.DONE, ended=Now())
        elif row.state == ChangeState.ABANDONED:
            dropped = EmbeddingSpace(row.model, row.dimensions)
        _index_drop(context, dropped)

    def subject_name(self, job: Job) -> str:
        return EmbeddingChange.objects.filter(pk=job.subject).values_list("model", flat=True).first() or ""


def _index_drop(context: ActiveJob, space: EmbeddingSpace) -> None:
    kept = models_kept().all
    if collection_name(space) in {collection_name(model.space) for model in kept}:
        # The change was to another address of the same model, or another change has begun to fill this index again.
        return
    index_delete(space)
    context.progress("vectors")
    if space.model in {model.space.model for model in kept}:
        return
    while _cache_delete(space.model):
        context.check()


def _cache_delete(model: str) -> int:
    """Delete some of a model's cached vectors; return their number."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM library_embeddingcache WHERE id IN"
            " (SELECT id FROM library_embeddingcache WHERE model = %s LIMIT %s)",
            [model, ROWS],
        )
        deleted: int = cursor.rowcount
    return deleted
