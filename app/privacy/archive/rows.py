"""Rows of an archive, one class a table: what docs/export.md describes, and all that an import accepts.

Ids are those of the box that made the archive. No class has a password, or the hash of a password, key or token.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.accounts.choices import Role, Scheme
from app.chat.choices import AnswerMode, MessageRole, MessageState
from app.library.choices import DocumentState, SourceKind

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
    """Who is a member, or has conversations here."""

    id: Id
    email: str = Field(max_length=254)
    name: str = Field(max_length=200)
    role: Role | None  # None: no member any more
    since: datetime | None


class ClaimRuleRow(Row):
    claim: str = Field(max_length=200)
    value: str = Field(max_length=200)
    role: Role


class ApiKeyRow(Row):
    """To look at: keys are not imported, for nothing that opens a door is in the archive."""

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
    """To look at."""

    email: str
    role: str
    expires: datetime
    accepted: datetime | None
    created: datetime


class SourceRow(Row):
    id: Id
    name: str = Field(max_length=200, min_length=1)
    kind: SourceKind
    created: datetime


class DocumentRow(Row):
    """`file`: its part of the archive, None when the object was missing. version: the one that answers."""

    id: Id
    source: Id
    name: str = Field(max_length=255)
    media_type: str = Field(max_length=100)
    bytes: int = Field(ge=0)
    sha256: Sha256
    state: DocumentState
    error_code: str = Field(max_length=40)
    error_message: str = Field(max_length=500)
    pages: Count | None
    uploaded_by: Id | None
    created: datetime
    file: str | None


class VersionRow(Row):
    """What was read from a document: the version that answers, or one that is being built. `text`: its part."""

    id: Id
    document: Id
    number: int = Field(ge=1, le=2**31 - 1)
    active: bool
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


class ConversationRow(Row):
    """user or api_key: whose it is."""

    id: Id
    bot: Id
    user: Id | None
    api_key: Id | None
    title: str = Field(max_length=200)
    created: datetime
    updated: datetime


class MessageRow(Row):
    id: Id
    conversation: Id
    role: MessageRole
    reply_to: Id | None
    content: str
    state: MessageState
    mode: AnswerMode | Literal[""]
    model: str = Field(max_length=200)
    revision: Id | None
    tokens_in: Count
    tokens_out: Count
    timings: dict[str, Any]
    error_code: str = Field(max_length=40)
    rating: int | None = Field(ge=-1, le=1)
    created: datetime
    updated: datetime


class CitationRow(Row):
    id: Id
    message: Id
    n: int = Field(ge=0, le=32767)
    start: Count
    end: Count
    support: float | None
    chunk: Id
    document: Id | None
    document_name: str = Field(max_length=255)
    version: Count
    text: str
    place: dict[str, Any]
    as_of: datetime


class AuditRow(Row):
    """To look at: the trail belongs to the box that wrote it."""

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


# In the order in which an import reads them. A table is a part `<name>.jsonl` of the archive.
ORGANISATION_TABLES: dict[str, type[Row]] = {
    "organisation": OrganisationRow,
    "people": PersonRow,
    "claim_rules": ClaimRuleRow,
    "api_keys": ApiKeyRow,
    "invitations": InvitationRow,
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
}
