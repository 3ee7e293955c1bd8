"""Vectors of texts from any OpenAI-compatible /v1/embeddings: the packaged model, Ollama, vLLM or another server.

Workers ask with `EmbeddingsClient` (threads, urllib3), the web with `QuestionEmbedder` (its event loop, aiohttp). A
vector travels as base64 where the server can, else as numbers, and is kept as little-endian float32 bytes.
"""

import math
import operator
import threading
from array import array
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson
import urllib3
from django.conf import settings

from app.errors import Upstream
from app.lib.counts import Counter
from app.lib.http import RequestFailed, RetriedRequest, ServerResponse, wait_s

DOCUMENTS_PER_REQUEST = 64
# A CPU needs 2 s for 64 long texts with the packaged model and 30 s with a large one.
DOCUMENTS_S, QUESTION_S = 180.0, 15.0
ATTEMPTS, QUESTION_ATTEMPTS = 5, 2
BACKOFF_S = 0.5
QUESTIONS_KEPT = 1000  # 3 MB as float32
# Texts that have nothing to do with each other, to find the model's dimensions and how near it puts such texts.
PROBES = (
    "Invoices are paid within thirty days.",
    "The volcano erupted twice in the spring.",
    "Whisk the eggs with sugar until they are pale.",
    "She scored in the last minute of the match.",
    "The kidney filters blood.",
    "Restart the router and wait for the green light.",
)
KNOWN = Counter("embedding_cache_hits_total", "Questions whose vector was remembered")
ASKED = Counter("embedding_cache_misses_total", "Questions that the embedding model was asked for")
EMBEDDING_SIGNS = ("embed", "minilm", "bge", "e5", "gte", "bert")


@dataclass(frozen=True, slots=True)
class EmbeddingsServer:
    """`url` ends in /v1; with an empty model the server's first embedding model is taken."""

    url: str
    model: str = ""
    api_key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        key = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return {"Content-Type": "application/json", **key}


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """What the server's vectors are. `max_tokens` is None when the server does not say how much it reads.

    `unrelated` is the cosine of texts that have nothing to do with each other: 0 with MiniLM, .75 with the E5 family.
    """

    model: str
    dimensions: int
    max_tokens: int | None = None
    unrelated: float = field(default=0.0, compare=False)


def unavailable(reason: str, *, retry_after_s: float | None = None) -> Upstream:
    return Upstream("embeddings_unavailable", details={"reason": reason}, retry_after_s=retry_after_s)


def vector_numbers(vector: bytes) -> list[float]:
    """The numbers of a vector as it is stored."""
    return array("f", vector).tolist()


def request_body(texts: Sequence[str], model: str, *, as_base64: bool) -> bytes:
    body: dict[str, Any] = {"model": model, "input": list(texts)}
    if as_base64:
        body["encoding_format"] = "base64"
    return orjson.dumps(body)


def vectors_read(content: bytes, *, count: int, dimensions: int | None) -> list[bytes]:
    """The vectors of an answer in the order of its inputs.

    Raises:
        Upstream: embeddings_unavailable, when the answer is not `count` finite vectors of that many dimensions.
    """
    try:
        items = sorted(orjson.loads(content)["data"], key=lambda item: item["index"])
        vectors = [array("f", _bytes_of(item["embedding"])) for item in items]
    except (ValueError, KeyError, TypeError) as error:
        raise unavailable(f"the answer has no vectors: {error!r}") from error
    size = dimensions or (len(vectors[0]) if vectors else 0)
    if len(vectors) != count or not size or any(len(vector) != size for vector in vectors):
        raise unavailable(f"expected {count} vectors of {size} numbers")
    # The sum is finite only when each number is; inf - inf is nan.
    if any(not abs(sum(vector)) < float("inf") for vector in vectors):
        raise unavailable("a vector has numbers that are not finite")
    return [vector.tobytes() for vector in vectors]


def _bytes_of(embedding: Any) -> bytes:
    return b64decode(embedding) if isinstance(embedding, str) else array("f", embedding).tobytes()


def model_choose(content: bytes, wanted: str) -> tuple[str, int | None]:
    """The model's name and how many tokens it reads, from a /v1/models answer.

    Raises:
        Upstream: embeddings_unavailable, when no model is named and the server has none.
    """
    try:
        listed = orjson.loads(content).get("data") or []
        entries = {str(entry["id"]): entry for entry in listed}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise unavailable(f"the list of models cannot be read: {error!r}") from error
    # Ollama lists its chat models too.
    likely = (name for name in entries if any(sign in name.lower() for sign in EMBEDDING_SIGNS))
    name = wanted or next(likely, next(iter(entries), ""))
    if not name:
        raise unavailable("the server has no model")
    length = entries.get(name, {}).get("max_model_len")
    return name, length if isinstance(length, int) and length > 0 else None


def space_measure(model: str, max_tokens: int | None, probes: Sequence[bytes]) -> EmbeddingSpace:
    """The space of a model, from the vectors of PROBES."""
    vectors = [vector_numbers(vector) for vector in probes]
    norms = [math.hypot(*vector) or 1.0 for vector in vectors]
    cosines = [
        sum(map(operator.mul, vectors[one], vectors[other])) / norms[one] / norms[other]
        for one in range(len(vectors))
        for other in range(one)
    ]
    mean = sum(cosines) / len(cosines)
    # Below .2 it is the probes' chance and not the model's habit.
    return EmbeddingSpace(model, len(vectors[0]), max_tokens, mean if mean > 0.2 else 0.0)


def parts_of(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(texts), DOCUMENTS_PER_REQUEST):
        yield texts[first : first + DOCUMENTS_PER_REQUEST]


class EmbeddingsClient:
    """Vectors for workers. Safe to share between threads."""

    def __init__(self, server: EmbeddingsServer) -> None:
        self.server = server
        self.pool = urllib3.PoolManager(maxsize=8, retries=False)
        self.as_base64 = True
        self._space: EmbeddingSpace | None = None
        self._lock = threading.Lock()

    def space(self) -> EmbeddingSpace:
        """What the server serves, asked once.

        Raises:
            Upstream: embeddings_unavailable.
        """
        with self._lock:
            if self._space is None:
                listed = self._ask("GET", "models", None, timeout_s=QUESTION_S)
                model, max_tokens = model_choose(listed, self.server.model)
                self._space = space_measure(model, max_tokens, self._embed(PROBES, model, None))
            return self._space

    def embed_documents(self, texts: Sequence[str]) -> list[bytes]:
        """One vector per text, as float32 bytes; none of the texts may be empty.

        Raises:
            Upstream: embeddings_unavailable, after a minute of trying.
        """
        space = self.space()
        return [vector for part in parts_of(texts) for vector in self._embed(part, space.model, space.dimensions)]

    def _embed(self, texts: Sequence[str], model: str, dimensions: int | None) -> list[bytes]:
        try:
            content = self._post(texts, model)
        except RefusedError:
            if not self.as_base64:
                raise
            # An old server may refuse a field that it does not know.
            self.as_base64 = False
            content = self._post(texts, model)
        return vectors_read(content, count=len(texts), dimensions=dimensions)

    def _post(self, texts: Sequence[str], model: str) -> bytes:
        body = request_body(texts, model, as_base64=self.as_base64)
        return self._ask("POST", "embeddings", body, timeout_s=DOCUMENTS_S)

    def _ask(self, method: str, path: str, body: bytes | None, *, timeout_s: float) -> bytes:
        ask = RetriedRequest(method, f"{self.server.url}/{path}", self.server.headers, body, ATTEMPTS, BACKOFF_S)
        try:
            return content_of(ask.send(self.pool, read_s=timeout_s))
        except RequestFailed as failure:
            raise unavailable(failure.reason) from failure


class RefusedError(Upstream):
    """The server answers, but not with vectors: trying again gives the same."""

    @classmethod
    def of(cls, status: int, content: bytes) -> "RefusedError":
        said = content[:300].decode("utf-8", "replace")
        return cls("embeddings_unavailable", details={"reason": f"HTTP {status}", "answer": said})


def content_of(answer: ServerResponse) -> bytes:
    """Raises RefusedError."""
    if answer.status != 200:
        raise RefusedError.of(answer.status, answer.content)
    return answer.content


class QuestionEmbedder:
    """Vectors of questions for the web process, before all documents and with the last thousand remembered."""

    def __init__(self, server: EmbeddingsServer) -> None:
        self.server = server
        self.as_base64 = True
        self._space: EmbeddingSpace | None = None
        self._known: OrderedDict[str, bytes] = OrderedDict()

    async def space(self) -> EmbeddingSpace:
        """What the server serves, asked once.

        Raises:
            Upstream: embeddings_unavailable.
        """
        if self._space is None:
            model, max_tokens = model_choose(await self._ask("GET", "models", None), self.server.model)
            self._space = space_measure(model, max_tokens, await self._embed(PROBES, model, None))
        return self._space

    async def embed_question(self, text: str) -> list[float]:
        """The vector of a question.

        Raises:
            Upstream: embeddings_unavailable, within 15 seconds.
        """
        vector = self._known.get(text)
        (KNOWN if vector is not None else ASKED).add()
        if vector is None:
            space = await self.space()
            [vector] = await self._embed([text], space.model, space.dimensions)
            self._known[text] = vector
            if len(self._known) > QUESTIONS_KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(text)
        return vector_numbers(vector)

    async def _embed(self, texts: Sequence[str], model: str, dimensions: int | None) -> list[bytes]:
        try:
            content = await self._post(texts, model)
        except RefusedError:
            if not self.as_base64:
                raise
            self.as_base64 = False
            content = await self._post(texts, model)
        return vectors_read(content, count=len(texts), dimensions=dimensions)

    async def _post(self, texts: Sequence[str], model: str) -> bytes:
        return await self._ask("POST", "embeddings", request_body(texts, model, as_base64=self.as_base64))

    async def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        """Two attempts only: a person is waiting."""
        headers = {**self.server.headers, "X-Priority": "question"}
        ask = RetriedRequest(method, f"{self.server.url}/{path}", headers, body, QUESTION_ATTEMPTS, BACKOFF_S)
        try:
            return content_of(await ask.send_async(within_s=QUESTION_S))
        except RequestFailed as failure:
            later = wait_s(QUESTION_ATTEMPTS, failure.retry_after, backoff_s=BACKOFF_S)
            raise unavailable(failure.reason, retry_after_s=later) from failure


def server_default() -> EmbeddingsServer:
    """The deployment's embeddings server.

    Raises:
        Upstream: embeddings_unavailable, when the deployment names none.
    """
    if not settings.EMBEDDINGS_URL:
        raise unavailable("REFDESK_EMBEDDINGS_URL is not set")
    return EmbeddingsServer(settings.EMBEDDINGS_URL, settings.EMBEDDINGS_MODEL, settings.EMBEDDINGS_API_KEY)


@cache
def embeddings_client() -> EmbeddingsClient:
    """The worker process's client of the deployment's server."""
    return EmbeddingsClient(server_default())


@cache
def question_embedder() -> QuestionEmbedder:
    """The web process's client of the deployment's server."""
    return QuestionEmbedder(server_default())
