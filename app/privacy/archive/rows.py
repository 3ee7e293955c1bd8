"""Rows of an archive, one class a table: what docs/privacy.md describes, and all that an import accepts.

Ids are those of the box that made the archive. No class has a password, or a hash of a password, key or token.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.accounts.choices import Role, Scheme
from app.chat.choices import MessageState
from app.chat.models import Citation, Conversation, Message
from app.lib.columns import Use, with_columns
from app.library.choices import DocumentState, Outcome, RunState, SchedulePreset, SourceKind
from app.library.models import EXTERNAL_ID_BYTES, URL_LENGTH, VALIDATOR_LENGTH

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Id = UUID


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OrganisationRow(Row):
    id: Id
    slug: str = Field(max_length=50)
    name: str = Field(max_length=200)
    chunk_tokens: int = Field(ge=50, le=4000)
    chunk_overlap: int = Field(ge=0, le=1000)
    retention_days: int | None = Field(ge=1, le=36500)
    accent: str = Field(pattern=r"^(#[0-9a-fA-F]{6})?$")
    scheme: Scheme
    welcome: str = Field(max_length=300)
    created: datetime


class PersonRow(Row):
    """A person who is a member or has conversations here."""

    id: Id
    email: str = Field(max_length=254)
    name: str = Field(max_length=200)
    role: Role | None  # None: no longer a member
    since: datetime | None


class ClaimRuleRow(Row):
    claim: str = Field(max_length=200)
    value: str = Field(max_length=200)
    role: Role


class ApiKeyRow(Row):
    """For reading only: keys are not imported, since the archive holds no secret."""

    id: Id
    name: str
    prefix: str
    role: str
    scopes: list[str]
    expires: datetime | None
    revoked: datetime | None
    last_used: datetime | None
    created: datetime


class InvitationRow(Row):
    """An invitation, for information; not imported."""

    email: str
    role: str
    expires: datetime
    accepted: datetime | None
    created: datetime


class EndpointRow(Row):
    """A model server, for information: its address may be in another network, and no archive holds its key."""

    name: str
    kind: str
    url: str
    api_key_set: bool
    models: list[dict[str, Any]]
    defaults: dict[str, Any]
    is_default: bool
    created: datetime


class SourceRow(Row):
    """A source, without its credential."""

    id: Id
    name: str = Field(max_length=200, min_length=1)
    kind: SourceKind
    settings: dict[str, Any] = Field(default_factory=dict)
    preset: SchedulePreset = SchedulePreset.OFF
    cron: str = Field("", max_length=100)
    time_zone: str = Field("UTC", max_length=64)
    created: datetime


class RunRow(Row):
    """A run of a source, for information; not imported."""

    id: Id
    source: Id
    state: RunState
    seen: Count
    read: Count
    unchanged: Count
    removed: Count
    skipped: Count
    failed: Count
    error_code: str
    started: datetime | None
    ended: datetime | None
    created: datetime


class RunItemRow(Row):
    """The outcome of an item of a run, for information; not imported."""

    run: Id
    external_id: str
    url: str
    outcome: Outcome
    status: int | None
    document: Id | None
    detail: str
    at: datetime


class DocumentRow(Row):
    """A document of a source.

    Only archives from before versions had their own bytes have `bytes`, `sha256` and `file` here, and they have no
    `external_id`.
    """

    id: Id
    source: Id
    external_id: str = Field("", max_length=EXTERNAL_ID_BYTES)
    parent: Id | None = None  # the document whose file holds this one
    name: str = Field(max_length=255)
    url: str = Field("", max_length=URL_LENGTH)
    metadata: dict[str, Any] = Field(default_factory=dict)
    media_type: str = Field(max_length=100)
    bytes: int | None = Field(None, ge=0)
    sha256: Sha256 | None = None
    state: DocumentState
    error_code: str = Field(max_length=40)
    error_message: str = Field(max_length=500)
    pages: Count | None
    uploaded_by: Id | None
    created: datetime
    file: str | None = None


class VersionRow(Row):
    """The bytes of a document at one time: of its active version, or of one that is being ingested.

    `file` and `text` are parts of the archive. Archives from before versions had their own bytes lack `file`, `bytes`
    and `sha256` here.
    """

    id: Id
    document: Id
    number: int = Field(ge=1, le=2**31 - 1)
    active: bool
    bytes: int | None = Field(None, ge=0)
    sha256: Sha256 | None = None
    fetched: datetime | None = None
    etag: str = Field("", max_length=VALIDATOR_LENGTH)
    last_modified: str = Field("", max_length=VALIDATOR_LENGTH)
    file: str | None = None
    media_type: str = Field(max_length=100)
    title: str = Field(max_length=500)
    language: str = Field(max_length=10)
    pages: Count | None
    chunks: Count
    embedding_model: str = Field(max_length=200)
    warnings: list[Any]
    created: datetime
    text: str | None


class ChunkRow(Row):
    id: Id
    document: Id
    version: Id
    position: Count
    text: str
    embed_text: str
    tokens: Count
    start: Count
    end: Count
    place: dict[str, Any]


class BotRow(Row):
    id: Id
    slug: str = Field(max_length=50)
    name: str = Field(max_length=200)
    live_revision: Id | None
    sources: list[Id]
    created: datetime


class RevisionRow(Row):
    id: Id
    bot: Id
    number: int = Field(ge=1, le=2**31 - 1)
    settings: dict[str, Any]
    created_by: Id | None
    created: datetime


@with_columns(Conversation, Use.ARCHIVE)
class ConversationRow(Row):
    """A conversation of a user or an api_key. Fields not named here follow from the table's columns."""


@with_columns(Message, Use.ARCHIVE)
class MessageRow(Row):
    """A question or an answer. Fields that an import translates are named here; the table declares the others."""

    id: Id
    conversation: Id
    reply_to: Id | None
    state: MessageState
    revision: Id | None


@with_columns(Citation, Use.ARCHIVE)
class CitationRow(Row):
    """A citation. Fields that an import translates are named here; the table declares the others."""

    id: Id
    message: Id
    chunk: Id
    document: Id | None


class AuditRow(Row):
    """An entry of the audit trail, for information: the trail belongs to the box that wrote it."""

    number: int
    at: datetime
    action: str
    target_kind: str
    target: str
    actor_kind: str
    actor: Id | None
    previous: str
    hash: str
    detail: dict[str, Any] | None


# In the order in which an import reads them. The part of a table is `<name>.jsonl`.
ORGANISATION_TABLES: dict[str, type[Row]] = {
    "organisation": OrganisationRow,
    "people": PersonRow,
    "claim_rules": ClaimRuleRow,
    "api_keys": ApiKeyRow,
    "invitations": InvitationRow,
    "endpoints": EndpointRow,
    "sources": SourceRow,
    "documents": DocumentRow,
    "versions": VersionRow,
    "chunks": ChunkRow,
    "bots": BotRow,
    "revisions": RevisionRow,
    "conversations": ConversationRow,
    "messages": MessageRow,
    "citations": CitationRow,
    "audit": AuditRow,
    "runs": RunRow,
    "run_items": RunItemRow,
}
# Missing in archives of earlier versions, which had no such rows.
LATER_TABLES = frozenset({"endpoints", "runs", "run_items"})
