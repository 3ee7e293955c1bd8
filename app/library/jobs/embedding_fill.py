from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from app.errors import Upstream
from app.jobs.active_job import ActiveJob
from app.jobs.choices import JobState, Lane
from app.jobs.kinds import JobKind, register
from app.jobs.leases import LeaseLost
from app.jobs.models import Job
from app.lib.advisory_lock import INDEXES, lock_for_transaction
from app.library.choices import VersionState
from app.library.models import DocumentVersion
from app.library.pipeline.context import StoredChunk
from app.library.pipeline.points import BATCH, chunk_stored, words_encode
from app.library.pipeline.vectors import vectors_of
from app.library.reconcile.points import points_compare
from app.library.services.embedding_change import change_pause, change_resume
from app.library.services.jobs import FILL
from app.llm.choices import ChangeState
from app.llm.embeddings import vector_numbers
from app.llm.models import EmbeddingChange
from app.llm.models_kept import KeptModel, models_kept
from app.retrieval.index import Point
from app.retrieval.index_loader import index_writer

# Comparisons in a row that find passages missing: then search does not keep what it is given.
ROUNDS = 5

_NEXT = """
SELECT c.id, c.embed_text, c.version_id, c.position, c.organisation_id, c.document_id, d.source_id, v.language,
    v.embedding_model, d.name, coalesce(p.name, '')
FROM library_chunk c JOIN library_documentversion v ON v.id = c.version_id JOIN library_document d
    ON d.id = c.document_id LEFT JOIN library_document p ON p.id = d.parent_id
WHERE v.state = 'active' AND (c.version_id, c.position) > (%s, %s) AND (%s OR c.version_id = %s)
ORDER BY c.version_id, c.position LIMIT %s
"""
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stored passage with the facts that its point needs."""

    chunk: StoredChunk
    version: UUID
    position: int
    organisation: UUID
    document: UUID
    source: UUID
    language: str
    cut_for: str
    name: str
    holder_name: str


@register
class EmbeddingFill(JobKind):
    """A job that fills the second index with every stored passage, and goes on where an earlier one was cut off."""

    kind = FILL
    title = "Fill the index of another embedding model"
    lane = Lane.SLOW
    steps = {"fill": 0, "compare": 95}
    wait_limit = None  # for the new model's server
    retries = None

    def run(self, context: ActiveJob) -> None:
        context.progress("fill")
        models = models_kept()
        row = EmbeddingChange.objects.filter(pk=context.subject).first()
        if row is not None and row.state == ChangeState.READY:
            # By a worker that died just before the end.
            return
        if row is None or row.state != ChangeState.FILLING or models.aside is None:
            raise LeaseLost
        index_writer(models.aside.space).ensure_collection()
        _all_fill(context, models.aside, row)
        for _ in range(ROUNDS):
            context.progress("compare")
            # Reset before the comparison: a version that fails to be written during it sets this again.
            EmbeddingChange.objects.filter(pk=row.pk).update(behind=False)
            missing = points_compare(index_writer(models.aside.space)).missing
            for version in set(missing.values()):
                _batches_fill(context, models.aside, _version_batches(version))
            if not missing and _ready(context, row.pk):
                return
        raise Upstream("search_unavailable", "Search did not keep all passages.")

    def on_state(self, job: Job) -> None:
        # Cancelled and failed are one to the operator: it does not go on by itself.
        if job.state in (JobState.FAILED, JobState.CANCELLED):
            rows = EmbeddingChange.objects.filter(pk=job.subject, state=ChangeState.FILLING)
            rows.update(state=ChangeState.PAUSED, error_code=job.error_code, error_message=job.error_message)
        else:
            EmbeddingChange.objects.filter(pk=job.subject).update(
                error_code=job.error_code, error_message=job.error_message
            )

    def retry(self, job: Job) -> None:
        change_resume(change=UUID(job.subject))

    def cancel(self, job: Job) -> None:
        change_pause(change=UUID(job.subject))

    def subject_name(self, job: Job) -> str:
        return EmbeddingChange.objects.filter(pk=job.subject).values_list("model", flat=True).first() or ""


def _ready(context: ActiveJob, change: UUID) -> bool:
    """Declare the new index complete, unless a version could not be written to it since; return whether it is."""
    with context.fenced():
        lock_for_transaction(INDEXES)
        rows = EmbeddingChange.objects.filter(pk=change, state=ChangeState.FILLING, behind=False)
        return bool(
            rows.update(
                state=ChangeState.READY,
                completed=Now(),
                filled=F("passages"),
                error_code="",
                error_message="",
            )
        )


def _passages(version: UUID, position: int, *, all_versions: bool) -> list[Passage]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [version, position, all_versions, version, BATCH])
        return [Passage(chunk_stored(row[0], row[1]), *row[2:]) for row in cursor.fetchall()]


def _all_fill(context: ActiveJob, model: KeptModel, row: EmbeddingChange) -> None:
    """Write every passage behind the last one that was written."""
    version, position, filled = row.filled_version or _FIRST, row.filled_position, row.filled
    while batch := _passages(version, position, all_versions=True):
        _batches_fill(context, model, [batch])
        version, position, filled = batch[-1].version, batch[-1].position, filled + len(batch)
        with context.keep():
            EmbeddingChange.objects.filter(pk=row.pk).update(
                filled=filled, filled_version=version, filled_position=position
            )
        context.progress("fill", filled / max(1, row.passages))


def _version_batches(version: UUID) -> Iterator[list[Passage]]:
    position = -1
    while batch := _passages(version, position, all_versions=False):
        yield batch
        position = batch[-1].position


def _batches_fill(context: ActiveJob, model: KeptModel, batches: Iterator[list[Passage]] | list[list[Passage]]) -> None:
    writer = index_writer(model.space)
    for batch in batches:
        context.check()
        writer.points_upsert(_points(context, model, batch))
        # The job that deletes a version's points may have run before they were written.
        versions = {passage.version for passage in batch}
        active = set(
            DocumentVersion.objects.filter(pk__in=versions, state=VersionState.ACTIVE).values_list("pk", flat=True)
        )
        writer.points_delete(str(passage.chunk.id) for passage in batch if passage.version not in active)


def _points(context: ActiveJob, model: KeptModel, batch: Sequence[Passage]) -> Iterator[Point]:
    groups: dict[tuple[UUID, str], list[Passage]] = {}
    for passage in batch:
        groups.setdefault((passage.organisation, passage.cut_for), []).append(passage)
    for (organisation, cut_for), passages in groups.items():
        chunks = [passage.chunk for passage in passages]
        vectors = vectors_of(model, chunks, organisation=organisation, lease=context.lease, cut_for=cut_for)
        for passage in passages:
            yield Point(
                str(passage.chunk.id),
                str(organisation),
                str(passage.source),
                str(passage.document),
                str(passage.version),
                vector_numbers(vectors[passage.chunk.content_hash]),
                words_encode(
                    passage.chunk, language=passage.language, name=passage.name, holder_name=passage.holder_name
                ),
            )
