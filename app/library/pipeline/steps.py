"""Make a version searchable, step by step. Each step can be repeated, here or in another process, without harm.

Results are stored under the fence: rows of chunks after `chunk`, vectors by content after each batch of `embed`. So a
worker that takes over begins at `embed` and finds in the cache what was embedded already.
"""

import hashlib
from collections.abc import Callable, Sequence
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models.functions import Now

from app.errors import IngestFailed
from app.lib.advisory_lock import INDEXES, lock_shared_for_transaction
from app.lib.storage import ObjectMissing, storage
from app.library.choices import Step, VersionState
from app.library.models import Chunk, DocumentVersion
from app.library.parsers.media import name_hint
from app.library.parsers.recording import NEEDS_SPEECH
from app.library.pipeline.chunk_store import chunks_keep, version_activate
from app.library.pipeline.context import IngestContext, StoredChunk
from app.library.pipeline.disk import disk_check
from app.library.pipeline.matches import matches_store
from app.library.pipeline.members import members_put
from app.library.pipeline.office import read_converted
from app.library.pipeline.points import chunk_batches, points_write, version_vectors
from app.library.pipeline.recordings import recording_read
from app.library.pipeline.sandbox import parse_and_chunk
from app.library.pipeline.scans import needs_recognition, scan_read
from app.library.pipeline.side_index import side_index_behind, side_index_write
from app.library.services.jobs import delete_job_create
from app.library.services.limits import contents_check, limits_lock
from app.library.services.versions import version_follow
from app.llm.embedding_choice import embedding_choice
from app.llm.models_kept import models_kept
from app.retrieval.index_loader import index_writer
from app.retrieval.language import language_detect

CHUNK_IDS = UUID("0f6dbd6a-6d0c-5d9b-8f0e-2c1f6d0c7a11")
# Vectors of larger documents are read from the cache again for indexing, instead of kept in memory (1.5 KB each).
VECTORS_KEPT = 2000
# A version has one language for stemming, detected from this much of its text.
LANGUAGE_SAMPLE = 4000
HASH_BYTES = 1024 * 1024


def chunk_id(*, organisation: UUID, version: UUID, position: int, model: str) -> UUID:
    """Return the id of a chunk and of its point; repeated work gives the same ids."""
    return uuid5(CHUNK_IDS, f"{organisation}:{version}:{position}:{model}")


def fetch(context: IngestContext) -> None:
    """Get the stored file, and check that it is complete."""
    try:
        context.path = context.files.enter_context(storage().local_path(context.row.storage_key))
        with context.path.open("rb") as file:
            digest = hashlib.sha256()
            while data := file.read(HASH_BYTES):
                digest.update(data)
    except (ObjectMissing, FileNotFoundError) as error:
        raise IngestFailed("file_missing") from error
    if digest.hexdigest() != context.row.sha256:
        raise IngestFailed("file_missing")


def parse(context: IngestContext) -> None:
    """Parse and cut in one call of a child process, so that the text crosses between processes once."""
    assert context.path is not None
    context.parsed = read_converted(
        context.path,
        lambda path: parse_and_chunk(
            path,
            name_hint(context.document.name, context.row.media_type),
            target_tokens=context.row.organisation.chunk_tokens,
            overlap_tokens=context.row.organisation.chunk_overlap,
            max_tokens=context.max_tokens,
            counter=context.space.model,
            should_stop=context.job.stop.is_set,
            organisation=context.organisation,
        ),
        context.job.stop.is_set,
    )
    if NEEDS_SPEECH in context.parsed.warnings:
        context.parsed = recording_read(context, context.parsed.media_type)
        if context.parsed is None:
            return
    elif needs_recognition(context.parsed):
        context.parsed = scan_read(context, context.parsed)
        if context.parsed is None:
            return
    if not context.parsed.drafts:
        raise IngestFailed("no_text")
    members_put(context)
    context.files.close()


def chunk(context: IngestContext) -> None:
    """Store the passages and the text: a worker that takes over after this needs no file."""
    parsed = context.parsed
    assert parsed is not None
    drafts = parsed.drafts
    texts = [draft.embed_text for draft in drafts]
    context.chunks = [
        StoredChunk(
            chunk_id(
                organisation=context.organisation, version=context.version, position=position, model=context.space.model
            ),
            text,
            hashlib.sha256(text.encode()).digest(),
        )
        for position, text in enumerate(texts)
    ]
    stored_before = context.row.chunks
    context.row.language = language_detect(_sample(texts))
    context.row.chunks = len(drafts)
    context.row.embedding_model = context.space.model
    if stored_before:
        with context.job.fenced():
            Chunk.objects.filter(version=context.version).delete()
    # Text and passages, the text that is embedded, and as much again for PostgreSQL's log.
    disk_check(4 * sum(len(text) for text in texts) + len(parsed.blocks_json))
    if context.row.organisation.plan.limits_contents:
        with transaction.atomic():
            limits_lock(organisation=context.organisation)
            contents_check(
                organisation=context.organisation,
                document=context.document.id,
                pages=parsed.pages,
                seconds=parsed.seconds,
            )
            chunks_keep(context, parsed, context.chunks)
    else:
        chunks_keep(context, parsed, context.chunks)
    context.parsed = None


def _sample(texts: Sequence[str]) -> str:
    sample = ""
    for text in texts:
        sample += text + "\n"
        if len(sample) >= LANGUAGE_SAMPLE:
            break
    return sample


def embed(context: IngestContext) -> None:
    """Put a vector into the cache for every passage."""
    done, keep = 0, context.row.chunks <= VECTORS_KEPT
    for batch in chunk_batches(context):
        context.check()
        known = version_vectors(context, context.models.in_use, batch)
        if keep:
            context.vectors |= known
        done += len(batch)
        context.job.progress(Step.EMBED, done / max(1, context.row.chunks))


def index(context: IngestContext) -> None:
    """Write and compare the points, then activate the version and retire the one before in the same transaction."""
    points_write(context, context.models.in_use, context.writer)
    aside_written = side_index_write(context)
    matches_store(context)
    _activate(context, aside_written=aside_written)


def _activate(context: IngestContext, *, aside_written: bool) -> None:
    """Activate the version, and queue a newer one that arrived meanwhile.

    The text and the passages of the version before stay: answers cite them (app/privacy/retention).
    """
    while True:
        with transaction.atomic():
            # No index is added or searched first between this comparison and the commit.
            lock_shared_for_transaction(INDEXES)
            if embedding_choice().key == context.models.choice.key:
                if not aside_written:
                    side_index_behind(context)
                newer = _activate_here(context)
                break
        # An operator has started, switched or ended a change of the embedding model meanwhile.
        context.models, context.vectors = models_kept(), {}
        context.writer = index_writer(context.models.in_use.space)
        points_write(context, context.models.in_use, context.writer)
        aside_written = side_index_write(context)
    # If a crash prevents this, the reconciler does it: the document is queued without a job.
    if newer:
        version_follow(organisation=context.organisation, document=context.document.id, number=context.row.number)


def _activate_here(context: IngestContext) -> bool:
    newer = version_activate(context)
    old = context.document.active_version_id
    if old is not None and old != context.version:
        DocumentVersion.objects.filter(pk=old).update(state=VersionState.RETIRED, retired=Now())
        delete_job_create(organisation=context.organisation, versions=[old], objects=[])
    return newer


STEPS: tuple[tuple[Step, Callable[[IngestContext], None]], ...] = (
    (Step.FETCH, fetch),
    (Step.PARSE, parse),
    (Step.CHUNK, chunk),
    (Step.EMBED, embed),
    (Step.INDEX, index),
)
