from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, create_model

from app.bots.settings import BotSettings


class BotIn(BotSettings):
    """A bot with its settings. No sources: all of the organisation's."""

    slug: str = Field(min_length=1, max_length=50)
    name: str = Field(min_length=1, max_length=200)
    sources: list[UUID] = Field(default_factory=list, max_length=500)


class _Patch(Schema):
    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=200)
    sources: list[UUID] | None = Field(None, max_length=500)


# Every setting, each of them optional; the values are checked as BotSettings together with those that stay.
_fields: dict[str, Any] = dict.fromkeys(BotSettings.model_fields, (Any, None))
BotPatch = create_model("BotPatch", __base__=_Patch, **_fields)


class RestoreIn(Schema):
    model_config = ConfigDict(extra="forbid")

    revision: int = Field(ge=1, le=2**31 - 1)


class BotOut(BotSettings):
    id: UUID
    slug: str
    name: str
    paused: bool
    revision: int
    sources: list[UUID]


class BotPageOut(Schema):
    items: list[BotOut]
    next: str | None


class RevisionOut(Schema):
    number: int
    settings: BotSettings
    created_by: str | None
    created: str


class RevisionPageOut(Schema):
    items: list[RevisionOut]
    next: str | None
