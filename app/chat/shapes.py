"""The JSON shapes of docs/api.md that a turn sends: Passage, Citation, Message. Encoded once, sent many times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.chat.choices import MessageState
from app.chat.citations import Citation
from app.chat.quotes import Span
from app.errors import error_json
from app.lib.sse import Event
from app.lib.times import time_shape
from app.library.selectors.documents import document_url


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage shown to the model or the reader. row: as `turn_open` reads it; json: its shape, encoded."""

    n: int
    row: Mapping[str, Any]
    json: orjson.Fragment

    @property
    def text(self) -> str:
        return str(self.row["text"])

    @property
    def kind(self) -> str:
        return str(self.row["place"].get("kind", "text"))

    @property
    def heading(self) -> str:
        return " ".join(self.row["place"].get("heading") or ())


def passage_make(*, n: int, row: Mapping[str, Any], score: float | None) -> Passage:
    shape = passage_shape(
        n=n,
        identity=row["id"],
        document=row["document_id"],
        name=row["name"],
        version=row["number"],
        text=row["text"],
        place=row["place"],
        score=score,
        as_of=row["as_of"],
    )
    return Passage(n, row, orjson.Fragment(orjson.dumps(shape)))


def passage_shape(
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
    """document: None once it is deleted; the passage keeps its words and its name."""
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
        "as_of": time_shape(as_of),
    }


def citation_shape(citation: Citation, passage: Any, quotes: Sequence[Span] | None) -> dict[str, Any]:
    """quotes: of `app.chat.quotes`; None when they have not been looked for."""
    return {
        "n": citation.n,
        "passage": passage,
        "start": citation.start,
        "end": citation.end,
        "support": None,
        "quotes": quotes,
    }


def message_shape(
    *,
    identity: UUID,
    role: str,
    content: str,
    state: str,
    mode: str,
    model: str,
    citations: Sequence[Mapping[str, Any]],
    tokens_in: int,
    tokens_out: int,
    timings: Mapping[str, float | None],
    error_code: str,
    being_read: int,
    rating: int | None,
    created: datetime,
) -> dict[str, Any]:
    return {
        "id": str(identity),
        "role": role,
        "content": content,
        "state": state,
        "mode": mode or None,
        "model": model or None,
        "citations": citations,
        "usage": {"tokens_in": tokens_in, "tokens_out": tokens_out},
        "timings": timings,
        "error": error_json(error_code)["error"] if error_code else None,
        "notice": notice_shape(being_read),
        "rating": rating,
        "created": time_shape(created),
    }


def notice_shape(being_read: int) -> dict[str, Any] | None:
    """What a reader should know of a refusal: documents that were still being read cannot have been searched."""
    if not being_read:
        return None
    subject = "One document is" if being_read == 1 else f"{being_read:,} documents are"
    message = f"{subject} still being read. Ask again in a moment."
    return {"code": "documents_being_read", "message": message, "count": being_read}


def last_event(message: dict[str, Any]) -> Event:
    """The event that ends a turn: `error` when the answer could not be finished, else `done`; both hold the Message."""
    if message["error"] and message["state"] in (MessageState.INTERRUPTED, MessageState.FAILED):
        return Event("error", {"error": message["error"], "message": message})
    return Event("done", {"message": message})
