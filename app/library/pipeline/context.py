"""Hold the state that the steps of one ingest share."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from app.jobs.active_job import ActiveJob
from app.jobs.leases import LeaseLost
from app.library.models import Document, DocumentVersion
from app.library.pipeline.sandbox import ParsedChunks
from app.library.pipeline.timeline import Timeline
from app.llm.embeddings import EmbeddingSpace
from app.llm.models_kept import KeptModels

if TYPE_CHECKING:
    from app.retrieval.index_writer import IndexWriter

# The packaged model's family adds two special tokens to a text.
SPECIAL_TOKENS = 2
# The limit of older models, for a model whose server does not state its own.
USUAL_MAX_TOKENS = 512


def tokens_at_most(space: EmbeddingSpace) -> int:
    """Return the tokens of a text that the model reads, without its special ones."""
    return (space.max_tokens or USUAL_MAX_TOKENS) - SPECIAL_TOKENS


@dataclass(slots=True)
class StoredChunk:
    """The columns of library_chunk that indexing needs."""

    id: UUID
    embed_text: str
    content_hash: bytes


@dataclass(slots=True)
class IngestContext:
    """A version during its ingest. `chunks` are those just cut; None when an earlier worker cut them.

    row: as read when the work began, with its document and organisation; `chunks` and `language` are kept up to date.
    """

    job: ActiveJob
    row: DocumentVersion
    models: KeptModels
    writer: "IndexWriter"
    path: Path | None = None
    parsed: ParsedChunks | None = None
    chunks: list[StoredChunk] | None = None
    vectors: dict[bytes, bytes] = field(default_factory=dict)
    files: ExitStack = field(default_factory=ExitStack)
    timeline: Timeline = field(init=False)

    def __post_init__(self) -> None:
        self.timeline = Timeline(self.job, self.row)

    @property
    def space(self) -> EmbeddingSpace:
        return self.models.in_use.space

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
        """Return the limit of a passage: the least of the models with an index."""
        return min(tokens_at_most(model.space) for model in self.models.all)

    def check(self) -> None:
        """Check that the job may continue. Raises Stopped."""
        self.job.check()


def context_load(job: ActiveJob, models: KeptModels, writer: "IndexWriter") -> IngestContext:
    """Read the version of a job. Raises LeaseLost when it is gone."""
    versions = DocumentVersion.objects.select_related("document__source", "document__parent", "organisation__plan")
    row = versions.filter(pk=job.payload["version"]).first()
    if row is None:
        raise LeaseLost
    return IngestContext(job, row, models, writer)
