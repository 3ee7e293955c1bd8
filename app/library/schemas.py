from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from app.library.services.intake import PutOutcome


class SourceIn(Schema):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)


class SourcePatch(Schema):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)


class SourceOut(Schema):
    id: UUID
    name: str
    kind: str
    documents: int
    created: str


class SourcesOut(Schema):
    items: list[SourceOut]
    next: str | None


class SourceOfDocumentOut(Schema):
    id: UUID
    name: str


class DocumentErrorOut(Schema):
    code: str
    message: str
    hint: str


class DocumentOut(Schema):
    """A document; of a file that was refused only `name`, `state` and `error` say something.

    version: the number of the newest one, whose bytes these are. active_version: the one that answers, if there is one.
    """

    id: UUID | None
    name: str
    source: SourceOfDocumentOut | None
    external_id: str
    url: str | None
    metadata: dict[str, Any]
    media_type: str
    bytes: int
    sha256: str
    state: Literal["queued", "running", "ready", "failed", "cancelled"]
    step: Literal["fetch", "parse", "chunk", "embed", "index"] | None
    percent: int
    chunks: int
    pages: int | None
    version: int
    active_version: int | None
    error: DocumentErrorOut | None
    created: str | None
    updated: str | None


class DocumentPutOut(DocumentOut):
    outcome: PutOutcome | None


class DocumentsPutOut(Schema):
    items: list[DocumentPutOut]


class DocumentPageOut(Schema):
    items: list[DocumentOut]
    next: str | None


class PassageDocumentOut(Schema):
    id: UUID
    name: str
    url: str | None


class PassageOut(Schema):
    id: UUID
    n: int
    document: PassageDocumentOut
    version: int
    text: str
    place: dict[str, Any]
    score: float | None
    as_of: str


class PassagePageOut(Schema):
    items: list[PassageOut]
    next: str | None


class TextLineOut(Schema):
    """A line of a page: its characters of the whole text, and [x0, y0, x1, y1] as fractions of the page."""

    start: int
    end: int
    box: tuple[float, float, float, float]


class TextBlockOut(Schema):
    kind: str
    text: str
    level: int
    heading: list[str]
    page: int | None
    rows: list[int] | None
    start: int
    end: int
    lines: list[TextLineOut]


class TextOut(Schema):
    """Blocks of a version's text, of `total`, from number `first` on; start, end and mark are characters of the whole
    text. lines: of the blocks of a PDF that the mark touches. next: the block to go on from. version: the number of the
    version whose text this is; media_type and pages are its own."""

    blocks: list[TextBlockOut]
    mark: list[int] | None
    first: int
    total: int
    next: int | None
    version: int
    media_type: str
    pages: int | None
