"""The state of a turn: the context that its steps share, and the step as a type."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.chat.choices import AnswerMode
from app.chat.citations import Citation, CitationResolver, Piece
from app.chat.extractive import Readable
from app.chat.payloads import Passage, citation_payload
from app.chat.quotes import quotes_exact
from app.chat.turns.repository import LiveBot, OpenedTurn, Owner, TokenReservation
from app.chat.turns.stream import TurnStream
from app.chat.units import Span
from app.errors import RefdeskError
from app.lib.sse import Event
from app.llm.endpoint import Endpoint, ModelInfo
from app.llm.queue import Ticket
from app.retrieval.search import SUPPORTED_FROM, CandidateHits
from app.retrieval.sparse import words_split

CODE_FROM = 0.1  # sufficient support if a passage contains the question's codes


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """A caller's question to a bot. bot: its slug; key: the Idempotency-Key, or empty."""

    owner: Owner
    bot: str
    question: str
    conversation: UUID | None = None
    key: str = ""
    request_id: str = ""


@dataclass(slots=True)
class ModelChoice:
    """The model that is to answer, with its place in the queue; or the error that prevents its answer."""

    endpoint: Endpoint | None = None
    info: ModelInfo | None = None
    ticket: Ticket | None = None
    error: RefdeskError | None = None

    @property
    def available(self) -> bool:
        return self.ticket is not None

    @property
    def name(self) -> str:
        return self.info.model if self.info is not None and self.available else ""

    def leave(self) -> None:
        """Release the place in the queue."""
        if self.ticket is not None:
            self.ticket.leave()


@dataclass(slots=True)
class TurnContext:
    """One turn from its question to its recorded answer. Steps read it and write to it, one after the other.

    Fields without a default are set by the step named in their comment, or by app/chat/turns/run.py; reading one too
    early raises AttributeError.
    """

    request: TurnRequest
    bot: LiveBot
    question: str
    began: float
    conversation: UUID  # a new one's id when the request names none
    question_id: UUID  # the id of the question's row
    stream: TurnStream  # the events that readers follow
    query: str = ""  # rewrite: the text to search for
    model: ModelChoice = field(default_factory=ModelChoice)  # admit
    reservation: TokenReservation = field(default_factory=TokenReservation)  # admit
    tokens_taken: int = 0  # admit: from the minute's limit; the unused ones are given back at the end
    candidates: CandidateHits = field(init=False)  # retrieve
    chunks: Sequence[str] = ()  # retrieve: ids of the candidate passages, best first
    opened: OpenedTurn = field(init=False)  # run: the result of the statement that opened the turn
    passages: list[Passage] = field(default_factory=list)  # select
    mode: str = AnswerMode.EXTRACTIVE
    resolver: CitationResolver = field(default_factory=lambda: CitationResolver(()))  # of the answer's text
    citations: list[tuple[Citation, Passage]] = field(default_factory=list)
    citation_payloads: list[dict[str, Any]] = field(default_factory=list)  # the sent payload of each citation
    tokens_in: int = 0
    tokens_out: int = 0
    columns: dict[str, Any] = field(default_factory=dict)  # further columns of the answer, recorded at the end
    timings: dict[str, float | None] = field(default_factory=dict)
    error: RefdeskError | None = None
    ended: bool = False  # no further step runs
    message: dict[str, Any] | None = None  # run: the answer's payload, once it is recorded
    _announced: bool = False

    @property
    def answer_id(self) -> UUID:
        """Return the id of the answer's row."""
        return self.stream.message

    @property
    def text(self) -> str:
        """Return the answer so far."""
        return self.resolver.text

    @property
    def written_by(self) -> str:
        """Return the name of the model that wrote some of the answer; empty when none did."""
        return self.model.name if self.mode == AnswerMode.MODEL or self.tokens_out else ""

    @property
    def answerable(self) -> bool:
        """Return whether the passages seem to contain an answer. Costs up to 1 ms: only for turns without a model."""
        texts = texts_with_headings(self.passages)
        if not texts:
            return False
        support = self.candidates.support(texts)
        return support >= SUPPORTED_FROM or (
            support >= CODE_FROM and codes_stand_in(self.candidates.question, texts[:3])
        )

    @property
    def out_of_domain(self) -> bool:
        """Return whether the passages are on another subject, so that no model need read them. Nearly free."""
        texts = texts_with_headings(self.passages)
        return self.candidates.out_of_domain(texts) and not codes_stand_in(self.candidates.question, texts[:3])

    def readable(self) -> list[Readable]:
        """Return the passages in the form for extraction and attribution."""
        return [
            Readable(passage.rank, passage.text, f"{passage.row['name']} {passage.heading}", passage.kind)
            for passage in self.passages
        ]

    def emit(self, *events: Event) -> None:
        """Send events to the readers. The turn's own `start` goes before the first of them."""
        if not self._announced:
            self._announced = True
            start = {"conversation": str(self.conversation), "message": str(self.answer_id), "mode": self.mode}
            events = (Event("start", {**start, "model": self.model.name or None}), *events)
        self.stream.add(*events)

    def write(self, pieces: Sequence[Piece]) -> None:
        """Send pieces of the answer to the readers: its text, and citations of the passages."""
        if not pieces:
            return
        if self.timings.get("first_token_s") is None:
            self.timings["first_token_s"] = self.seconds_since(self.began)
        events: list[Event] = []
        for piece in pieces:
            if isinstance(piece, str):
                events.append(Event("delta", {"text": piece}))
            else:
                passage = self.passages[piece.rank - 1]
                values = citation_values(piece, passage)
                payload = citation_payload(values, passage.json(piece.n), self._quotes(piece, passage))
                self.citations.append((piece, passage))
                self.citation_payloads.append(payload)
                events.append(Event("citation", payload))
        self.stream.text = self.text
        self.emit(*events)

    def write_whole(self, text: str, citations: Sequence[Citation] = ()) -> None:
        """Send an answer that is complete from the beginning."""
        self.resolver = CitationResolver(())
        self.resolver.text = text
        self.write([text, *citations])

    def refuse(self) -> None:
        """Send the bot's refusal as the answer, and end the turn."""
        self.mode = AnswerMode.REFUSED
        self.write_whole(self.bot.settings.refusal_text)
        self.end()

    def end(self) -> None:
        """Run no further step; the answer is recorded as it is."""
        self.ended = True

    def _quotes(self, citation: Citation, passage: Passage) -> list[Span] | None:
        return quotes_exact(self.text[citation.start : citation.end], passage.text)

    @staticmethod
    def seconds_since(moment: float) -> float:
        """Return the seconds since a moment of time.perf_counter, rounded as in timings and events."""
        return seconds(time.perf_counter() - moment)


@dataclass(frozen=True, slots=True)
class Step:
    """A named step of a turn. `run` does the step's work on the context."""

    name: str
    run: Callable[[TurnContext], Awaitable[None]]


def citation_values(citation: Citation, passage: Passage) -> dict[str, Any]:
    """Return the columns of a citation without its id (app/chat/models.py)."""
    row = passage.row
    return {
        "n": citation.n,
        "start": citation.start,
        "end": citation.end,
        "support": None,
        "chunk_id": row["id"],
        "document_id": row["document_id"],
        "document_name": row["name"],
        "version": row["number"],
        "text": row["text"],
        "place": row["place"],
        "as_of": row["as_of"],
    }


def seconds(duration: float) -> float:
    return round(duration, 4)


def texts_with_headings(passages: Sequence[Passage]) -> list[str]:
    """Return the passages with their headings: "How heavy is the Vale 3?" may head a table of weights."""
    return [f"{passage.heading}\n{passage.text}" for passage in passages]


def codes_stand_in(question: str, texts: Sequence[str]) -> bool:
    """Return whether the question has codes such as E-17 or TV-4105, and one of the texts contains all of them.

    A vector represents a code badly, but a passage with the code is the one about it.
    """
    codes = {word for word in words_split(question) if not word.isalpha() and not word.isdigit()}
    return bool(codes) and any(codes <= set(words_split(text)) for text in texts)
