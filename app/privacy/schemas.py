from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

# A blank name is a mistake of the caller, and never means everybody.
Named = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=254)]


class ExportIn(Schema):
    """Without `person`: the organisation. person: e-mail address or id of one of its people; a blank one is refused."""

    model_config = ConfigDict(extra="forbid")

    person: Named | None = None


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

    person: Named | None = None
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
