"""Write the points of a version to an index, from its stored passages and their vectors in the cache."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from app.errors import Upstream
from app.library.choices import Step
from app.library.models import Chunk
from app.library.parsers.media import name_words
from app.library.pipeline.context import IngestContext, StoredChunk
from app.library.pipeline.disk import disk_check
from app.library.pipeline.vectors import vectors_of
from app.llm.embeddings import vector_numbers
from app.llm.models_kept import KeptModel
from app.retrieval.index import Point
from app.retrieval.sparse import SparseVector, document_encode

if TYPE_CHECKING:
    from app.retrieval.index_writer import IndexWriter

# Passages in one request, about a second of 2 cores: a cancelled job ends after the request under way.
BATCH = 32


def chunk_stored(key: UUID, embed_text: str) -> StoredChunk:
    return StoredChunk(key, embed_text, hashlib.sha256(embed_text.encode()).digest())


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
        yield [chunk_stored(key, text) for key, text, _ in rows]


def version_vectors(context: IngestContext, model: KeptModel, batch: Sequence[StoredChunk]) -> dict[bytes, bytes]:
    cut_for = context.row.embedding_model
    return vectors_of(model, batch, organisation=context.organisation, lease=context.job.lease, cut_for=cut_for)


def points_write(context: IngestContext, model: KeptModel, writer: "IndexWriter", *, create: bool = True) -> None:
    """Write the version's points to the index of a model, and compare. create: make the index if it is missing.

    Raises:
        Upstream: search_unavailable, embeddings_unavailable.
    """
    wanted: set[str] = set()
    for batch in chunk_batches(context):
        context.check()
        disk_check()
        in_use = model is context.models.in_use
        vectors = (context.vectors if in_use else None) or version_vectors(context, model, batch)
        writer.points_upsert(_points(context, batch, vectors), create=create)
        wanted.update(str(one.id) for one in batch)
        context.job.progress(Step.INDEX, len(wanted) / max(1, context.row.chunks))
    found = set(writer.point_ids(organisation=str(context.organisation), version=str(context.version)))
    if wanted - found:
        raise Upstream("search_unavailable", "Search did not keep all passages.")
    # Points of the same version with other passages, by a worker that died.
    writer.points_delete(found - wanted)


def words_encode(chunk: StoredChunk, *, language: str, name: str, holder_name: str) -> SparseVector:
    """Return a passage's entry in the word index, with the words of its file's name, since a question may name it.

    holder_name: of the file that this one is inside of: a question about an attachment often names the mail. Names are
    in the word index alone: bench/README.md, "Passages".
    """
    names = " ".join(name_words(each) for each in (name, holder_name) if each)
    return document_encode(f"{names}\n{chunk.embed_text}", language=language)


def _points(context: IngestContext, batch: Sequence[StoredChunk], vectors: dict[bytes, bytes]) -> Iterator[Point]:
    organisation, source = str(context.organisation), str(context.document.source_id)
    document, version = str(context.document.id), str(context.version)
    holder = context.document.parent
    holder_name = "" if holder is None else holder.name
    for one in batch:
        words = words_encode(one, language=context.row.language, name=context.document.name, holder_name=holder_name)
        dense = vector_numbers(vectors[one.content_hash])
        yield Point(str(one.id), organisation, source, document, version, dense, words)
