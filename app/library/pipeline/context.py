"""Hold what the steps of one ingest hand to each other."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from app.jobs.active_job import ActiveJob
from app.jobs.leases import LeaseLost
from app.library.models import Document, DocumentVersion
from app.library.pipeline.sandbox import ParsedChunks
from app.llm.embeddings import EmbeddingSpace

if TYPE_CHECKING:
    from app.retrieval.index_writer import IndexWriter

# The packaged model's family puts two special tokens around a text.
SPECIAL_TOKENS = 2
# For a model whose server does not say how much it reads: what the older ones read.
USUAL_MAX_TOKENS = 512


@dataclass(slots=True)
class StoredChunk:
    """A row of library_chunk, as far as indexing needs it."""

    id: UUID
    embed_text: str
    content_hash: bytes


@dataclass(slots=True)
class IngestContext:
    """A version while it is ingested. `chunks` are those just cut, None when an earlier worker had cut them.

    row: as it was when the work began, with its document and organisation; `row.chunks` and `row.language` follow.
    """

    job: ActiveJob
    row: DocumentVersion
    space: EmbeddingSpace
    writer: "IndexWriter"
    path: Path | None = None
    parsed: ParsedChunks | None = None
    chunks: list[StoredChunk] | None = None
    vectors: dict[bytes, bytes] = field(default_factory=dict)
    files: ExitStack = field(default_factory=ExitStack)

    @property
    def organisation(self) -> UUID:
        return self.row.organisation_id

    @property
    def version(self) -> UUID:
        return self.row.id

    @property
    def document(self) -> Document:
        return self.row.document

    @property
    def max_tokens(self) -> int:
        return (self.space.max_tokens or USUAL_MAX_TOKENS) - SPECIAL_TOKENS

    def check(self) -> None:
        """Raises Stopped."""
        self.job.check()


def context_load(job: ActiveJob, space: EmbeddingSpace, writer: "IndexWriter") -> IngestContext:
    """Read the version that a job is about. Raises LeaseLost when it is gone."""
    versions = DocumentVersion.objects.select_related("document__source", "organisation")
    row = versions.filter(pk=job.payload["version"]).first()
    if row is None:
        raise LeaseLost
    return IngestContext(job, row, space, writer)
