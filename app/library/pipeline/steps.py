"""Make a version searchable, step by step. Each step can be repeated, here or in another process, without harm.

Results are stored under the fence: rows of chunks after `chunk`, vectors by content after each batch of `embed`. So a
worker that takes over begins at `embed` and finds in the cache what was embedded already.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID, uuid5

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from app.errors import IngestFailed, Upstream
from app.lib.storage import ObjectMissing, storage
from app.lib.storage.staging import disk_space_check
from app.library.choices import Step, VersionState
from app.library.models import Chunk, DocumentVersion
from app.library.parsers.media import name_hint, name_words
from app.library.pipeline.chunk_store import chunks_keep, version_activate
from app.library.pipeline.context import IngestContext, StoredChunk
from app.library.pipeline.matches import matches_store
from app.library.pipeline.sandbox import parse_and_chunk
from app.library.services.jobs import delete_job_create
from app.library.services.limits import contents_check, limits_lock
from app.library.services.versions import version_follow
from app.llm.embeddings import embeddings_client, vector_numbers
from app.retrieval.index import Point
from app.retrieval.language import language_detect
from app.retrieval.sparse import document_encode

CHUNK_IDS = UUID("0f6dbd6a-6d0c-5d9b-8f0e-2c1f6d0c7a11")
# Passages in one request, about a second of 2 cores: a cancelled job ends after the request under way.
BATCH = 32
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
    context.parsed = parse_and_chunk(
        context.path,
        name_hint(context.document.name, context.row.media_type),
        target_tokens=context.row.organisation.chunk_tokens,
        overlap_tokens=context.row.organisation.chunk_overlap,
        max_tokens=context.max_tokens,
        counter=context.space.model,
        should_stop=context.job.stop.is_set,
        organisation=context.organisation,
    )
    context.files.close()
    if not context.parsed.drafts:
        raise IngestFailed("no_text")


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


def disk_check(wanted: int = 0) -> None:
    """Check that the disk has room for the next writes. Raises RefdeskError: disk_full, and then the job waits.

    Vectors of a batch need less than the reserve's ten-thousandth.
    """
    disk_space_check(settings.DATA, wanted=wanted, reserve=settings.DISK_RESERVE_BYTES // 2)


def _sample(texts: Sequence[str]) -> str:
    sample = ""
    for text in texts:
        sample += text + "\n"
        if len(sample) >= LANGUAGE_SAMPLE:
            break
    return sample


def chunk_batches(context: IngestContext) -> Iterator[list[StoredChunk]]:
    """Yield the version's passages in batches of one request, from memory or from their rows."""
    if context.chunks is not None:
        for first in range(0, len(context.chunks), BATCH):
            yield context.chunks[first : first + BATCH]
        return
    after = -1
    while True:
        rows = list(
            Chunk.objects.filter(version=context.version, position__gt=after)
            .order_by("position")
            .values_list("id", "embed_text", "position")[:BATCH]
        )
        if not rows:
            return
        after = rows[-1][2]
        yield [StoredChunk(key, text, hashlib.sha256(text.encode()).digest()) for key, text, _ in rows]


def vectors_cached(context: IngestContext, batch: Sequence[StoredChunk]) -> dict[bytes, bytes]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT content_hash, vector FROM library_embeddingcache"
            " WHERE organisation_id = %s AND model = %s AND content_hash = ANY(%s)",
            [context.organisation, context.space.model, list({one.content_hash for one in batch})],
        )
        return {bytes(content_hash): bytes(vector) for content_hash, vector in cursor.fetchall()}


def embed(context: IngestContext) -> None:
    """Put a vector into the cache for every passage."""
    done, keep = 0, context.row.chunks <= VECTORS_KEPT
    for batch in chunk_batches(context):
        context.check()
        known = vectors_cached(context, batch)
        missing = {one.content_hash: one.embed_text for one in batch if one.content_hash not in known}
        if missing:
            disk_check()
            vectors = embeddings_client().embed_documents(list(missing.values()))
            fresh = dict(zip(missing, vectors, strict=True))
            _vectors_keep(context, fresh)
            known |= fresh
        if keep:
            context.vectors |= known
        done += len(batch)
        context.job.progress(Step.EMBED, done / max(1, context.row.chunks))


def _vectors_keep(context: IngestContext, vectors: dict[bytes, bytes]) -> None:
    """Store vectors in the cache, and reset the job's count of deaths."""
    lease = context.job.lease
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH lease AS (UPDATE jobs_job SET deaths = 0, waiting_since = NULL"
            " WHERE id = %s AND fence = %s AND state = 'running')"
            " INSERT INTO library_embeddingcache (id, organisation_id, model, content_hash, vector)"
            " SELECT gen_random_uuid(), %s, %s, hash, vector FROM unnest(%s::bytea[], %s::bytea[]) AS v (hash, vector)"
            " ON CONFLICT DO NOTHING",
            [lease.job, lease.fence, context.organisation, context.space.model, list(vectors), list(vectors.values())],
        )


def index(context: IngestContext) -> None:
    """Write and compare the points, then activate the version and retire the one before in the same transaction."""
    wanted: set[str] = set()
    for batch in chunk_batches(context):
        context.check()
        disk_check()
        vectors = context.vectors or vectors_cached(context, batch)
        context.writer.points_upsert(_points(context, batch, vectors))
        wanted.update(str(one.id) for one in batch)
        context.job.progress(Step.INDEX, len(wanted) / max(1, context.row.chunks))
    found = set(context.writer.point_ids(organisation=str(context.organisation), version=str(context.version)))
    if wanted - found:
        raise Upstream("search_unavailable", "Search did not keep all passages.")
    # Points of the same version with other passages, by a worker that died.
    context.writer.points_delete(found - wanted)
    matches_store(context)
    _activate(context)


def _points(context: IngestContext, batch: Sequence[StoredChunk], vectors: dict[bytes, bytes]) -> Iterator[Point]:
    organisation, source = str(context.organisation), str(context.document.source_id)
    document, version = str(context.document.id), str(context.version)
    name = name_words(context.document.name)
    for one in batch:
        # A question may name the file. In the word index alone: bench/README.md, "Passages".
        words = document_encode(f"{name}\n{one.embed_text}", language=context.row.language)
        dense = vector_numbers(vectors[one.content_hash])
        yield Point(str(one.id), organisation, source, document, version, dense, words)


def _activate(context: IngestContext) -> None:
    """Activate the version, and queue a newer one that arrived meanwhile.

    The text and the passages of the version before stay: answers cite them (app/privacy/retention).
    """
    old = context.document.active_version_id
    if old is None or old == context.version:
        newer = version_activate(context)
    else:
        with transaction.atomic():
            newer = version_activate(context)
            DocumentVersion.objects.filter(pk=old).update(state=VersionState.RETIRED, retired=Now())
            delete_job_create(organisation=context.organisation, versions=[old], objects=[])
    # If a crash prevents this, the reconciler does it: the document is queued without a job.
    if newer:
        version_follow(organisation=context.organisation, document=context.document.id, number=context.row.number)


STEPS: tuple[tuple[Step, Callable[[IngestContext], None]], ...] = (
    (Step.FETCH, fetch),
    (Step.PARSE, parse),
    (Step.CHUNK, chunk),
    (Step.EMBED, embed),
    (Step.INDEX, index),
)
