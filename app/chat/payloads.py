"""API payloads that a turn sends: Passage, Citation, Message. Encoded once, sent many times.

Plain columns follow from their declaration (app/chat/models.py); the rest is made here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.chat import models
from app.chat.choices import MessageState
from app.chat.units import Span
from app.errors import error_json
from app.lib.columns import payload
from app.lib.sse import Event
from app.lib.times import time_text
from app.library.selectors.documents import document_url


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage shown to the model or the reader. row: as `turn_open` reads it; payload: without a number.

    rank: its place by how well it was found, from 1. It gets its number in the answer when it is cited first.
    """

    rank: int
    row: Mapping[str, Any]
    payload: Mapping[str, Any]

    @property
    def text(self) -> str:
        return str(self.row["text"])

    @property
    def kind(self) -> str:
        return str(self.row["place"].get("kind", "text"))

    @property
    def heading(self) -> str:
        return " ".join(self.row["place"].get("heading") or ())

    def json(self, n: int | None = None) -> orjson.Fragment:
        """Return the payload, encoded, under its number in the answer; None as long as nothing cites it."""
        return orjson.Fragment(orjson.dumps({**self.payload, "n": n}))


def passage_make(*, rank: int, row: Mapping[str, Any], score: float | None) -> Passage:
    """Rank a row of `turn_open`."""
    payload = passage_payload(
        n=None,
        identity=row["id"],
        document=row["document_id"],
        name=row["name"],
        version=row["number"],
        text=row["text"],
        place=row["place"],
        score=score,
        as_of=row["as_of"],
    )
    return Passage(rank, row, payload)


def passage_payload(
    *,
    n: int | None,
    identity: UUID | str,
    document: UUID | str | None,
    name: str,
    version: int,
    text: str,
    place: Any,
    score: float | None,
    as_of: datetime | str,
) -> dict[str, Any]:
    """Return the payload of a passage. document: None once deleted; the passage keeps its text and its name."""
    return {
        "id": str(identity),
        "n": n,
        "document": {
            "id": str(document) if document else None,
            "name": name,
            "url": document_url(document) if document else None,
        },
        "version": version,
        "text": text,
        "place": place,
        "score": score,
        "as_of": time_text(as_of),
    }


def citation_payload(values: Mapping[str, Any], passage: Any, quotes: Sequence[Span] | None) -> dict[str, Any]:
    """Return the payload of a citation. values: its columns; quotes: by app/chat/quotes.py, None if not searched."""
    return {**payload(models.Citation, values), "passage": passage, "quotes": quotes}


def message_payload(values: Mapping[str, Any], citations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the payload of a message. values: its columns, by the names in SQL."""
    code = values["error_code"]
    return {
        **payload(models.Message, values),
        "citations": citations,
        "usage": {"tokens_in": values["tokens_in"], "tokens_out": values["tokens_out"]},
        "error": error_json(code)["error"] if code else None,
        "notice": notice_payload(values["being_read"]),
    }


def notice_payload(being_read: int) -> dict[str, Any] | None:
    """Return the notice of a refusal: documents that were still being read could not be searched."""
    if not being_read:
        return None
    subject = "One document is" if being_read == 1 else f"{being_read:,} documents are"
    message = f"{subject} still being read. Ask again in a moment."
    return {"code": "documents_being_read", "message": message, "count": being_read}


def last_event(message: dict[str, Any]) -> Event:
    """Return the event that ends a turn: `error` when the answer could not be finished, else `done`.

    Both contain the whole message.
    """
    if message["error"] and message["state"] in (MessageState.INTERRUPTED, MessageState.FAILED):
        return Event("error", {"error": message["error"], "message": message})
    return Event("done", {"message": message})
