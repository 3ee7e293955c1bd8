"""The protocol of providers: the calls that Refdesk makes to a model server, of any wire format."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from app.llm.deltas import Delta
from app.llm.endpoint import Endpoint, ModelInfo
from app.llm.exchange import Exchange, ExchangeFailed
from app.llm.messages import ChatMessage, ToolDefinition

MAX_TOKENS = 800
TEMPERATURE = 0.2


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts of a stream, in seconds. A local model processes a full prompt at about 100 tokens a second."""

    first_token_s: float = 120.0
    between_s: float = 30.0
    total_s: float = 600.0


TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model in a server's list. `context`, in tokens, is None when the list does not state it."""

    name: str
    context: int | None = None


@dataclass(frozen=True, slots=True)
class RankedDocument:
    """The document number `index` (from 0) of those sent; a higher `score` is better, on the model's own scale."""

    index: int
    score: float


class NoModelServed(ExchangeFailed):
    """A server without any model to use."""


class ChatStream(Protocol):
    """A reply while it is written: `async with provider.chat(…) as stream: async for delta in stream: …`.

    Always streamed: only a stream shows the server at once when its reader has disconnected. Leaving the block closes
    the connection, within a second also after a cancellation, which frees the model. No delta is empty; the deltas
    before a failure are yielded before it is raised.

    Raises:
        Upstream: on entering address_refused, model_unavailable, model_missing, prompt_too_long, model_busy or
            model_timeout; while reading model_timeout or model_dropped.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Delta: ...


class Provider(Protocol):
    """The client of one wire format for one endpoint. Created for each use: its only state is the endpoint.

    Every exchange raises ExchangeFailed, which its caller translates to its own error code. Capabilities that a server
    shows (its context, parameters it refuses) are recorded in `endpoint.learnt`.
    """

    @property
    def endpoint(self) -> Endpoint: ...

    def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        model: str,
        tools: Sequence[ToolDefinition] = (),
        max_tokens: int = MAX_TOKENS,
        temperature: float = TEMPERATURE,
        timeouts: Timeouts = TIMEOUTS,
    ) -> ChatStream:
        """Return the stream of the model's reply; the request is sent when the stream is entered."""
        ...

    def models(self) -> Exchange[list[ServedModel]]:
        """Return the models that the server serves."""
        ...

    def info(self, model: str) -> Exchange[ModelInfo]:
        """Return the model's name, context and slots; an empty `model` means the server's first that generates text.

        Raises:
            NoModelServed: no model is named, and the server has none.
        """
        ...

    def embed(self, texts: Sequence[str], *, model: str, dimensions: int | None = None) -> Exchange[list[bytes]]:
        """Return the vector of each text as little-endian float32 bytes, checked to be finite and of one size."""
        ...

    def rerank(
        self, query: str, documents: Sequence[str], *, model: str, top_n: int | None = None
    ) -> Exchange[list[RankedDocument]]:
        """Rank documents by how well they answer the query, best first; at most `top_n` of them."""
        ...
