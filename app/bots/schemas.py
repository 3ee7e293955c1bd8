from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from app.bots.settings import BotSettings
from app.lib.strict_types import Whole


class BotIn(BotSettings):
    """A bot with its settings. No sources: all of the organisation's."""

    # The pattern documents valid slugs; Django's validator enforces it.
    slug: str = Field(min_length=1, max_length=50, json_schema_extra={"pattern": "^[-a-zA-Z0-9_]+$"})
    name: str = Field(min_length=1, max_length=200)
    sources: list[UUID] = Field(default_factory=list, max_length=500)


class _Patch(Schema):
    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=200)
    sources: list[UUID] | None = Field(None, max_length=500)


def _optional(field: FieldInfo) -> FieldInfo:
    """Return a field that may be omitted; null is refused."""
    return FieldInfo.merge_field_infos(field, default=None, default_factory=None, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


# Every setting, each optional; the service validates them again together with the unchanged ones.
_fields: dict[str, Any] = {
    name: (field.annotation, _optional(field)) for name, field in BotSettings.model_fields.items()
}
BotPatch = create_model("BotPatch", __base__=_Patch, **_fields)


class RestoreIn(Schema):
    model_config = ConfigDict(extra="forbid")

    revision: Whole = Field(ge=1, le=2**31 - 1)


class BotOut(BotSettings):
    id: UUID
    slug: str
    name: str
    paused: bool
    revision: int
    sources: list[UUID]


class RevisionOut(Schema):
    number: int
    settings: BotSettings
    created_by: str | None
    created: str
