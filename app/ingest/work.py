"""What the steps of one ingest hand to each other."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from app.ingest.jobs import Fenced
from app.ingest.leases import Held
from app.ingest.sandbox import ParsedChunks
from app.llm.embeddings import EmbeddingSpace
from app.retrieval.index import IndexWriter
from app.sources.models import DocumentVersion

# The packaged model's family puts two special tokens around a text.
SPECIAL_TOKENS = 2
# For a model whose server does not say how much it reads: what the older ones read.
USUAL_MAX_TOKENS = 512


class Stopped(Exception):
    """The job must not go on: a person cancelled it, or this worker stops."""


@dataclass(slots=True)
class StoredChunk:
    """A row of ingest_chunk, as far as indexing needs it."""

    id: UUID
    embed_text: str
    content_hash: bytes


@dataclass(slots=True)
class Work:
    """One version on its way. `chunks` are those just cut, None when an earlier worker had cut them."""

    held: Held
    organisation: UUID
    document: UUID
    version: UUID
    number: int
    source: UUID
    name: str
    bytes: int
    sha256: str
    storage_key: str
    chunk_tokens: int
    chunk_overlap: int
    language: str
    active_version: UUID | None
    space: EmbeddingSpace
    writer: IndexWriter
    cut_with: str  # the embedding model whose tokens the stored chunks were cut by
    stored: int  # how many chunks are stored
    path: Path | None = None
    parsed: ParsedChunks | None = None
    chunks: list[StoredChunk] | None = None
    vectors: dict[bytes, bytes] = field(default_factory=dict)
    files: ExitStack = field(default_factory=ExitStack)

    @property
    def max_tokens(self) -> int:
        return (self.space.max_tokens or USUAL_MAX_TOKENS) - SPECIAL_TOKENS

    def check(self) -> None:
        """Raises Stopped."""
        if self.held.stop.is_set():
            raise Stopped


def work_load(held: Held, space: EmbeddingSpace, writer: IndexWriter) -> Work:
    """Raises Fenced when the version is gone."""
    row = (
        DocumentVersion.objects.filter(pk=held.lease.version)
        .values_list(
            "organisation_id",
            "document_id",
            "id",
            "number",
            "document__source_id",
            "document__name",
            "document__bytes",
            "document__sha256",
            "storage_key",
            "organisation__chunk_tokens",
            "organisation__chunk_overlap",
            "language",
            "document__active_version_id",
            "embedding_model",
            "chunks",
        )
        .first()
    )
    if row is None:
        raise Fenced
    *facts, cut_with, stored = row
    return Work(held, *facts, space, writer, cut_with, stored)
