from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from app.library.choices import Outcome, RunState, SchedulePreset, SourceKind
from app.library.models import EXTERNAL_ID_BYTES, URL_LENGTH
from app.library.services.intake import PutOutcome


class DocumentErrorOut(Schema):
    code: str
    message: str
    hint: str


class ScheduleIn(Schema):
    """The times at which a source is read: a preset, or `cron` with a cron expression of five fields."""

    model_config = ConfigDict(extra="forbid")

    preset: SchedulePreset = SchedulePreset.OFF
    cron: str = Field("", max_length=100)
    time_zone: str = Field("UTC", max_length=64)


class ScheduleOut(Schema):
    preset: SchedulePreset
    cron: str | None
    time_zone: str
    next_run: str | None


class SourceIn(Schema):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    kind: SourceKind = SourceKind.UPLOADS
    settings: dict[str, Any] = Field(default_factory=dict)
    schedule: ScheduleIn = ScheduleIn(preset=SchedulePreset.OFF, cron="", time_zone="UTC")


class SourcePatch(Schema):
    """Changes of a source. Omitted fields stay; `settings` replaces all settings."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=200)
    settings: dict[str, Any] | None = None
    schedule: ScheduleIn | None = None


class RunCountsOut(Schema):
    seen: int
    read: int
    unchanged: int
    removed: int
    skipped: int
    failed: int


class RunOut(Schema):
    id: UUID
    source: UUID
    state: RunState
    started: str | None
    ended: str | None
    counts: RunCountsOut
    per_second: float | None
    error: DocumentErrorOut | None
    created: str


class AddressOut(Schema):
    """An item of a run, with its outcome."""

    external_id: str
    url: str | None
    outcome: Outcome
    status: int | None
    document: UUID | None
    detail: str
    at: str


class PushIn(Schema):
    """A document as a program pushes it. metadata: an object of JSON, stored with the document."""

    model_config = ConfigDict(extra="forbid")

    external_id: str = Field(min_length=1, max_length=EXTERNAL_ID_BYTES)
    name: str = Field(min_length=1, max_length=255)
    text: str = Field(min_length=1)
    media_type: str = Field("", max_length=100)
    url: str | None = Field(None, max_length=URL_LENGTH)
    metadata: dict[str, Any] | None = None


class PushFileIn(Schema):
    """A document as a file, beside `file`. external_id and name: by default the file's name.

    metadata: an object of JSON, as text.
    """

    model_config = ConfigDict(extra="forbid")

    external_id: str = Field("", max_length=EXTERNAL_ID_BYTES)
    name: str = Field("", max_length=255)
    media_type: str = Field("", max_length=100)
    url: str = Field("", max_length=URL_LENGTH)
    metadata: str = ""


class SourceOut(Schema):
    id: UUID
    name: str
    kind: SourceKind
    settings: dict[str, Any]
    schedule: ScheduleOut
    documents: int
    last_run: RunOut | None
    created: str


class SourcePageOut(Schema):
    items: list[SourceOut]
    next: str | None


class SourceOfDocumentOut(Schema):
    id: UUID
    name: str


class DocumentOut(Schema):
    """A document; for a file that was refused only `name`, `state` and `error` are meaningful.

    version: the number of the newest version, whose bytes these are. active_version: the one that is searched, if any.
    parent: the mail or archive whose file this is, with its name.
    """

    id: UUID | None
    name: str
    source: SourceOfDocumentOut | None
    external_id: str
    parent: UUID | None
    parent_name: str | None
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


class DuplicateOut(Schema):
    """Another document with the same bytes, or with `percent` of this one's passages."""

    document: SourceOfDocumentOut
    percent: int
    same_bytes: bool


class DocumentDetailOut(DocumentOut):
    duplicates: list[DuplicateOut]


class DocumentPutOut(DocumentOut):
    outcome: PutOutcome | None


class DocumentsPutOut(Schema):
    items: list[DocumentPutOut]


class DocumentPatch(Schema):
    """A change of a document: the source, by id or name, that it moves to."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=200)


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
    """A line of a page: its characters in the whole text, and [x0, y0, x1, y1] as fractions of the page."""

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
    sheet: str | None
    slide: int | None
    time: list[float] | None
    words: list[tuple[int, float]]
    start: int
    end: int
    lines: list[TextLineOut]


class TextOut(Schema):
    """Blocks of a version's text, out of `total`, from number `first` on; start, end, mark: offsets in the whole text.

    lines: for the blocks of a PDF that the mark touches. words: of a recording, each word's first character within its
    block and its second. next: the block to continue from. version: the number of the
    version of this text, media_type and pages are that version's.
    """

    blocks: list[TextBlockOut]
    mark: list[int] | None
    first: int
    total: int
    next: int | None
    version: int
    media_type: str
    pages: int | None
