"""A turn while it runs: what was asked, what was found, who answers, what has been written."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.chat.citations import Citation, CitationResolver, Piece
from app.chat.quotes import Span, quotes_exact
from app.chat.shapes import Passage, citation_shape
from app.chat.turn_log import TurnLog
from app.chat.turn_store import LiveBot, Opened, Owner
from app.errors import RefdeskError
from app.lib.sse import Event
from app.llm.endpoint import Endpoint, ModelInfo
from app.llm.queue import Ticket
from app.retrieval.search import SUPPORTED_FROM, Found
from app.retrieval.sparse import words_of

CODE_FROM = 0.1  # support that is enough when the question's codes stand in a passage


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks. key: the Idempotency-Key, or empty."""

    owner: Owner
    bot: str
    question: str
    conversation: UUID | None = None
    key: str = ""
    request_id: str = ""


@dataclass(slots=True)
class ModelChoice:
    """The model that is to answer, with its place in line; or why there is none."""

    endpoint: Endpoint | None = None
    facts: ModelInfo | None = None
    ticket: Ticket | None = None
    error: RefdeskError | None = None

    @property
    def answers(self) -> bool:
        return self.ticket is not None

    @property
    def name(self) -> str:
        return self.facts.model if self.facts is not None and self.answers else ""

    def leave(self) -> None:
        if self.ticket is not None:
            self.ticket.leave()


@dataclass(slots=True)
class Turn:
    """A turn that runs. `log` has its events; `conversation` and the log's message its ids."""

    asked: Asked
    bot: LiveBot
    opened: Opened
    found: Found
    passages: list[Passage]
    model: ModelChoice
    log: TurnLog
    began: float
    timings: dict[str, float | None]
    mode: str
    resolver: CitationResolver
    tokens_taken: int = 0  # from the minute's limit, given back at the end but for what was used
    tokens_in: int = 0
    tokens_out: int = 0
    being_read: int = 0  # documents that the search could not see yet; known once a refusal is recorded
    error: RefdeskError | None = None
    citations: list[tuple[Citation, Passage]] = field(default_factory=list)
    message: dict[str, Any] | None = None  # the answer's shape, once it has ended

    @property
    def conversation(self) -> UUID:
        return self.opened.conversation

    @property
    def supported(self) -> bool:
        """Whether the passages seem to hold an answer. Not free: asked only when no model judges it."""
        texts = texts_with_headings(self.passages)
        if not texts:
            return False
        support = self.found.support(texts)
        return support >= SUPPORTED_FROM or (support >= CODE_FROM and codes_stand_in(self.found.question, texts[:3]))

    @property
    def out_of_domain(self) -> bool:
        """Whether the passages are on another subject: no model need read them. Nearly free where they are not."""
        texts = texts_with_headings(self.passages)
        return self.found.out_of_domain(texts) and not codes_stand_in(self.found.question, texts[:3])

    def give(self, pieces: Sequence[Piece]) -> None:
        """Hand text and citations to the readers."""
        if not pieces:
            return
        if self.timings.get("first_token_s") is None:
            self.timings["first_token_s"] = seconds(time.perf_counter() - self.began)
        events: list[Event] = []
        for piece in pieces:
            if isinstance(piece, str):
                events.append(Event("delta", {"text": piece}))
            else:
                passage = self.passages[piece.n - 1]
                self.citations.append((piece, passage))
                events.append(Event("citation", citation_shape(piece, passage.json, self.quotes(piece, passage))))
        self.log.text = self.resolver.text
        self.log.add(*events)

    def quotes(self, citation: Citation, passage: Passage) -> list[Span] | None:
        return quotes_exact(self.resolver.text[citation.start : citation.end], passage.text)


def seconds(duration: float) -> float:
    return round(duration, 4)


def texts_with_headings(passages: Sequence[Passage]) -> list[str]:
    """A question's words often stand only in the heading: "How heavy is the Vale 3?" over a table of weights."""
    return [f"{passage.heading}\n{passage.text}" for passage in passages]


def codes_stand_in(question: str, texts: Sequence[str]) -> bool:
    """Whether the question names things such as E-17 or TV-4105, and one of the texts holds them all.

    A vector says little about a code, but where it stands there is what is known of it.
    """
    codes = {word for word in words_of(question) if not word.isalpha() and not word.isdigit()}
    return bool(codes) and any(codes <= set(words_of(text)) for text in texts)
