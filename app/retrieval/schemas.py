from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from app.lib.strict_types import Whole


class SearchIn(Schema):
    """A search in a bot's sources, in given ones, or in all of the organisation's."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=2000)
    bot: str | None = None
    sources: list[UUID] | None = Field(None, max_length=500)
    limit: Whole = Field(8, ge=1, le=50)


class FoundDocumentOut(Schema):
    id: UUID
    name: str
    url: str | None


class ScoresOut(Schema):
    """The scores of each stage; null if the passage was not among the stage's best."""

    dense: float | None
    words: float | None
    fused: float


class HitOut(Schema):
    id: UUID
    n: int
    document: FoundDocumentOut
    version: int
    text: str
    place: dict[str, Any]
    score: float
    scores: ScoresOut
    as_of: str


class SearchOut(Schema):
    """The result of a search. support: the likelihood that the hits contain an answer; below .5 it is refused."""

    hits: list[HitOut]
    support: float
    timings: dict[str, float]
