"""The steps that make a version searchable, in order. Each may run again, here or in another process, without harm.

What is kept is kept by the fence: rows of chunks after `chunk`, vectors by content after each batch of `embed`. So a
worker that takes over begins at `embed` and finds in the cache what was embedded already.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID, uuid5

from django.db import connection, transaction

from app.errors import IngestFailed, Upstream
from app.lib.storage import ObjectMissing, storage
from app.library.choices import Step, VersionState
from app.library.models import Chunk, DocumentVersion, VersionText
from app.library.pipeline.chunk_store import chunks_keep, version_activate
from app.library.pipeline.context import StoredChunk, Work
from app.library.pipeline.jobs import delete_job_create, fenced
from app.library.pipeline.sandbox import parse_and_chunk
from app.llm.embeddings import embeddings_client, vector_numbers
from app.retrieval.index import Point
from app.retrieval.language import language_of
from app.retrieval.sparse import document_encode

CHUNK_IDS = UUID("0f6dbd6a-6d0c-5d9b-8f0e-2c1f6d0c7a11")
# Passages embedded by one request, about a second of 2 cores: a job that is cancelled ends after the one under way.
BATCH = 32
# Vectors of larger documents are read from the cache again for indexing, instead of kept in memory (1.5 KB each).
VECTORS_KEPT = 2000
# A version has one language for stemming; this much of its text tells it.
LANGUAGE_SAMPLE = 4000
HASH_BYTES = 1024 * 1024


def chunk_id(*, organisation: UUID, version: UUID, position: int, model: str) -> UUID:
    """The id of a chunk and of its point: the same work done twice gives the same ids."""
    return uuid5(CHUNK_IDS, f"{organisation}:{version}:{position}:{model}")


def fetch(work: Work) -> None:
    """The stored file, whole."""
    try:
        work.path = work.files.enter_context(storage().local_path(work.row.storage_key))
        with work.path.open("rb") as file:
            digest = hashlib.sha256()
            while data := file.read(HASH_BYTES):
                digest.update(data)
    except (ObjectMissing, FileNotFoundError) as error:
        raise IngestFailed("file_missing") from error
    if digest.hexdigest() != work.document.sha256:
        raise IngestFailed("file_missing")


def parse(work: Work) -> None:
    """Read and cut in one go, in a child process, so that the text crosses between processes once."""
    assert work.path is not None
    work.parsed = parse_and_chunk(
        work.path,
        work.document.name,
        target_tokens=work.row.organisation.chunk_tokens,
        overlap_tokens=work.row.organisation.chunk_overlap,
        max_tokens=work.max_tokens,
        counter=work.space.model,
        should_stop=work.held.stop.is_set,
    )
    work.files.close()
    if not work.parsed.drafts:
        raise IngestFailed("no_text")


def chunk(work: Work) -> None:
    """Keep the passages and the text: from here on a worker that takes over needs the file no more."""
    parsed = work.parsed
    assert parsed is not None
    drafts = parsed.drafts
    texts = [draft.embed_text for draft in drafts]
    work.chunks = [
        StoredChunk(
            chunk_id(organisation=work.organisation, version=work.version, position=position, model=work.space.model),
            text,
            hashlib.sha256(text.encode()).digest(),
        )
        for position, text in enumerate(texts)
    ]
    stored_before = work.row.chunks
    work.row.language = language_of(_sample(texts))
    work.row.chunks = len(drafts)
    if stored_before:
        with fenced(work.held.lease):
            Chunk.objects.filter(version=work.version).delete()
    chunks_keep(work, parsed, work.chunks)
    work.parsed = None


def _sample(texts: Sequence[str]) -> str:
    sample = ""
    for text in texts:
        sample += text + "\n"
        if len(sample) >= LANGUAGE_SAMPLE:
            break
    return sample


def chunk_batches(work: Work) -> Iterator[list[StoredChunk]]:
    """The version's passages, a request's worth at a time, from memory or from their rows."""
    if work.chunks is not None:
        for first in range(0, len(work.chunks), BATCH):
            yield work.chunks[first : first + BATCH]
        return
    after = -1
    while True:
        rows = list(
            Chunk.objects.filter(version=work.version, position__gt=after)
            .order_by("position")
            .values_list("id", "embed_text", "position")[:BATCH]
        )
        if not rows:
            return
        after = rows[-1][2]
        yield [StoredChunk(key, text, hashlib.sha256(text.encode()).digest()) for key, text, _ in rows]


def vectors_cached(work: Work, batch: Sequence[StoredChunk]) -> dict[bytes, bytes]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT content_hash, vector FROM library_embeddingcache"
            " WHERE organisation_id = %s AND model = %s AND content_hash = ANY(%s)",
            [work.organisation, work.space.model, list({one.content_hash for one in batch})],
        )
        return {bytes(content_hash): bytes(vector) for content_hash, vector in cursor.fetchall()}


def embed(work: Work) -> None:
    """A vector in the cache for every passage."""
    done, keep = 0, work.row.chunks <= VECTORS_KEPT
    for batch in chunk_batches(work):
        work.check()
        known = vectors_cached(work, batch)
        missing = {one.content_hash: one.embed_text for one in batch if one.content_hash not in known}
        if missing:
            vectors = embeddings_client().embed_documents(list(missing.values()))
            fresh = dict(zip(missing, vectors, strict=True))
            _vectors_keep(work, fresh)
            known |= fresh
        if keep:
            work.vectors |= known
        done += len(batch)
        work.held.progress(Step.EMBED, done / max(1, work.row.chunks))


def _vectors_keep(work: Work, vectors: dict[bytes, bytes]) -> None:
    """Into the cache, and the job is alive: deaths before this one do not count any more."""
    lease = work.held.lease
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH held AS (UPDATE library_job SET deaths = 0, waiting_since = NULL"
            " WHERE id = %s AND fence = %s AND state = 'running')"
            " INSERT INTO library_embeddingcache (id, organisation_id, model, content_hash, vector)"
            " SELECT gen_random_uuid(), %s, %s, hash, vector FROM unnest(%s::bytea[], %s::bytea[]) AS v (hash, vector)"
            " ON CONFLICT DO NOTHING",
            [lease.job, lease.fence, work.organisation, work.space.model, list(vectors), list(vectors.values())],
        )


def index(work: Work) -> None:
    """Points written and compared, then the version answers; the one before it stops in the same transaction."""
    wanted: set[str] = set()
    for batch in chunk_batches(work):
        work.check()
        vectors = work.vectors or vectors_cached(work, batch)
        work.writer.points_upsert(_points(work, batch, vectors))
        wanted.update(str(one.id) for one in batch)
        work.held.progress(Step.INDEX, len(wanted) / max(1, work.row.chunks))
    found = set(work.writer.point_ids(organisation=str(work.organisation), version=str(work.version)))
    if wanted - found:
        raise Upstream("search_unavailable", "Search did not keep all passages.")
    # Of the same version cut otherwise, by a worker that died.
    work.writer.points_delete(found - wanted)
    _activate(work)


def _points(work: Work, batch: Sequence[StoredChunk], vectors: dict[bytes, bytes]) -> Iterator[Point]:
    organisation, source = str(work.organisation), str(work.document.source_id)
    document, version = str(work.document.id), str(work.version)
    for one in batch:
        words = document_encode(one.embed_text, language=work.row.language)
        dense = vector_numbers(vectors[one.content_hash])
        yield Point(str(one.id), organisation, source, document, version, dense, words)


def _activate(work: Work) -> None:
    old = work.document.active_version_id
    if old is None or old == work.version:
        version_activate(work)
        return
    with transaction.atomic():
        version_activate(work)
        DocumentVersion.objects.filter(pk=old).update(state=VersionState.RETIRED)
        Chunk.objects.filter(version=old).delete()
        VersionText.objects.filter(version=old).delete()
        delete_job_create(organisation=work.organisation, versions=[old], objects=[])


STEPS: tuple[tuple[Step, Callable[[Work], None]], ...] = (
    (Step.FETCH, fetch),
    (Step.PARSE, parse),
    (Step.CHUNK, chunk),
    (Step.EMBED, embed),
    (Step.INDEX, index),
)
