from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field


class ExportIn(Schema):
    """A request for an export: of `person` (e-mail address or id), or, without it, of the organisation."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field("", max_length=254)


class ExportOut(Schema):
    id: UUID
    kind: str
    conversations: bool
    state: str
    percent: int
    bytes: int
    sha256: str
    counts: dict[str, int]
    error: dict[str, Any] | None
    created: str
    expires: str


class ErasureIn(Schema):
    """A request to erase a person (e-mail address or id), a conversation, or an organisation (slug, twice)."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field("", max_length=254)
    conversation: UUID | None = None
    organisation: str = Field("", max_length=50)
    confirm: str = Field("", max_length=50)


class ErasureOut(Schema):
    id: UUID
    kind: str
    subject: UUID
    state: str
    percent: int
    error: dict[str, Any] | None
    receipt: dict[str, Any] | None
    created: str
    finished: str | None
