"""Schemas of the chat's API. Fields that are table columns are declared with the table (app/chat/models.py)."""

from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool

from app.chat.models import Citation, Conversation, Message
from app.lib.columns import Use, with_columns
from app.lib.strict_types import Whole
from app.lib.typescript import TypeScript


class ChatIn(Schema):
    """A question. Without `conversation` a new one begins; with `stream` false the whole answer is one JSON object."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(json_schema_extra={"minLength": 1, "pattern": r"\S"})
    conversation: UUID | None = None
    stream: StrictBool = True


class ConversationPatch(Schema):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=200)


class FeedbackIn(Schema):
    """A rating. 1: good, -1: bad, 0: withdrawn."""

    model_config = ConfigDict(extra="forbid")

    rating: Whole = Field(ge=-1, le=1)


@with_columns(Conversation, Use.API)
class ConversationOut(Schema):
    bot: str  # its slug


class CitedDocumentOut(Schema):
    id: UUID | None
    name: str
    url: str | None


class CitedPassageOut(Schema):
    """n: the passage's number in the answer; 1 is cited first. Null in the event `sources`, before it is cited."""

    id: UUID
    n: int | None
    document: CitedDocumentOut
    version: int
    text: str
    place: Annotated[dict[str, Any], TypeScript("Place")]
    score: float | None
    as_of: str


@with_columns(Citation, Use.API)
class CitationOut(Schema):
    """start and end: characters (code points) of the answer, from the beginning of the sentence that carries the marker
    `[n]` to the end of the marker. quotes: characters of the passage's text, [start, end] of each part that the
    sentence rests on; empty when none matches well; null where only `GET /messages/{id}` looks for it."""

    passage: CitedPassageOut
    quotes: list[tuple[int, int]] | None


class UsageOut(Schema):
    tokens_in: int
    tokens_out: int


class ErrorOut(Schema):
    code: str
    message: str
    details: dict[str, Any]
    request_id: str | None


class NoticeOut(Schema):
    """Why a refusal may not be the last word. count: documents of the bot that were being read at that moment."""

    code: Literal["documents_being_read"]
    message: str
    count: int


@with_columns(Message, Use.API)
class MessageOut(Schema):
    citations: list[CitationOut]
    usage: UsageOut
    error: ErrorOut | None
    notice: NoticeOut | None


class TurnOut(Schema):
    conversation: UUID
    message: MessageOut
