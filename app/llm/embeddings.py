"""Vectors of texts, from the packaged model or any other server that a provider supports.

Workers use `EmbeddingsClient` (threads, urllib3), the web `QuestionEmbedder` (its event loop, aiohttp); models_kept.py
has those of the models in use. A vector is stored as little-endian float32 bytes.
"""

import math
import operator
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import urllib3
from django.conf import settings
from prometheus_client import Counter

from app.errors import Upstream
from app.llm.endpoint import Endpoint
from app.llm.exchange import Exchange, ExchangeFailed, RequestPolicy, T, exchange_run, exchange_run_async
from app.llm.providers import provider_of
from app.llm.providers.protocol import ServedModel
from app.llm.providers.server_info import model_embeds

DOCUMENTS_PER_REQUEST = 64
# A CPU needs 2 s for 64 long texts with the packaged model and 30 s with a large one.
DOCUMENTS = RequestPolicy(attempts=5, timeout_s=180.0)
MODELS = RequestPolicy(attempts=5, timeout_s=15.0)
# Two attempts only: a person is waiting. The packaged server answers questions before documents.
QUESTION = RequestPolicy(attempts=2, timeout_s=15.0, headers={"X-Priority": "question"})
QUESTIONS_KEPT = 1000  # 3 MB as float32
# Unrelated texts, which give the model's dimensions and its similarity of unrelated texts.
PROBES = (
    "Invoices are paid within thirty days.",
    "The volcano erupted twice in the spring.",
    "Whisk the eggs with sugar until they are pale.",
    "She scored in the last minute of the match.",
    "The kidney filters blood.",
    "Restart the router and wait for the green light.",
)
CACHE_HITS = Counter("embedding_cache_hits_total", "Questions whose vector was remembered")
CACHE_MISSES = Counter("embedding_cache_misses_total", "Questions that the embedding model was asked for")


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """The vector space of a model. `max_tokens` is None when the server does not state its limit.

    `unrelated` is the cosine of unrelated texts: 0 with MiniLM, .75 with the E5 family.
    """

    model: str
    dimensions: int
    max_tokens: int | None = None
    unrelated: float = field(default=0.0, compare=False)


def unavailable(failure: ExchangeFailed, *, retry_after_s: float | None = None) -> Upstream:
    return Upstream("embeddings_unavailable", details=failure.details, retry_after_s=retry_after_s)


def vector_numbers(vector: bytes) -> list[float]:
    """Return the numbers of a stored vector."""
    return array("f", vector).tolist()


def model_choose(models: Sequence[ServedModel], wanted: str) -> ServedModel:
    """Return the wanted model; if none is named, the first that looks like an embedding model, or else the first.

    Raises:
        Upstream: embeddings_unavailable, when no model is named and the server has none.
    """
    if wanted:
        return next((model for model in models if model.name == wanted), ServedModel(wanted))
    likely = (model for model in models if model_embeds(model.name))
    chosen = next(likely, models[0] if models else None)
    if chosen is None:
        raise unavailable(ExchangeFailed("the server has no model"))
    return chosen


def space_measure(model: ServedModel, probes: Sequence[bytes]) -> EmbeddingSpace:
    """Return the vector space of a model, measured with the vectors of PROBES."""
    vectors = [vector_numbers(vector) for vector in probes]
    norms = [math.hypot(*vector) or 1.0 for vector in vectors]
    cosines = [
        sum(map(operator.mul, vectors[first], vectors[second])) / norms[first] / norms[second]
        for first in range(len(vectors))
        for second in range(first)
    ]
    mean = sum(cosines) / len(cosines)
    # Below .2 the mean is chance in the probes, not a property of the model.
    return EmbeddingSpace(model.name, len(vectors[0]), model.context, mean if mean > 0.2 else 0.0)


def parts_of(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split a list of texts into one list for each request."""
    for first in range(0, len(texts), DOCUMENTS_PER_REQUEST):
        yield texts[first : first + DOCUMENTS_PER_REQUEST]


class EmbeddingsClient:
    """Vectors for workers. Safe to share between threads."""

    def __init__(
        self, endpoint: Endpoint, *, space: EmbeddingSpace | None = None, policy: RequestPolicy = DOCUMENTS
    ) -> None:
        """Make a client. space: that of the model, if it is known: vectors of another size are then refused."""
        self.endpoint = endpoint
        self.pool = urllib3.PoolManager(maxsize=8, retries=False)
        self.policy = policy
        self._space = space
        self._lock = threading.Lock()

    def space(self) -> EmbeddingSpace:
        """Return the vector space of the server's model, requested once.

        Raises:
            Upstream: embeddings_unavailable.
        """
        with self._lock:
            if self._space is None:
                provider = provider_of(self.endpoint)
                model = model_choose(self._run(provider.models(), MODELS), self.endpoint.model)
                self._space = space_measure(model, self._run(provider.embed(PROBES, model=model.name), self.policy))
            return self._space

    def embed_documents(self, texts: Sequence[str]) -> list[bytes]:
        """Return one vector for each text, as float32 bytes; none of the texts may be empty.

        Raises:
            Upstream: embeddings_unavailable, after a minute of attempts.
        """
        space, provider = self.space(), provider_of(self.endpoint)
        return [
            vector
            for part in parts_of(texts)
            for vector in self._run(provider.embed(part, model=space.model, dimensions=space.dimensions), self.policy)
        ]

    def _run(self, exchange: Exchange[T], policy: RequestPolicy) -> T:
        try:
            return exchange_run(exchange, endpoint=self.endpoint, policy=policy, pool=self.pool)
        except ExchangeFailed as failure:
            raise unavailable(failure) from failure


class QuestionEmbedder:
    """Vectors of questions for the web process: served before documents, with the last thousand cached."""

    def __init__(self, endpoint: Endpoint, *, space: EmbeddingSpace | None = None) -> None:
        self.endpoint = endpoint
        self._space = space
        self._vectors: OrderedDict[str, bytes] = OrderedDict()

    async def space(self) -> EmbeddingSpace:
        """Return the vector space of the server's model, requested once.

        Raises:
            Upstream: embeddings_unavailable.
        """
        if self._space is None:
            provider = provider_of(self.endpoint)
            model = model_choose(await self._run(provider.models()), self.endpoint.model)
            self._space = space_measure(model, await self._run(provider.embed(PROBES, model=model.name)))
        return self._space

    def remembers(self, text: str) -> bool:
        """Return whether the vector of a question is remembered, so that the model is not asked."""
        return text in self._vectors

    async def embed_question(self, text: str) -> list[float]:
        """Return the vector of a question.

        Raises:
            Upstream: embeddings_unavailable, within 15 seconds.
        """
        vector = self._vectors.get(text)
        (CACHE_HITS if vector is not None else CACHE_MISSES).inc()
        if vector is None:
            space = await self.space()
            embed = provider_of(self.endpoint).embed([text], model=space.model, dimensions=space.dimensions)
            [vector] = await self._run(embed)
            self._vectors[text] = vector
            if len(self._vectors) > QUESTIONS_KEPT:
                self._vectors.popitem(last=False)
        else:
            self._vectors.move_to_end(text)
        return vector_numbers(vector)

    async def _run(self, exchange: Exchange[T]) -> T:
        try:
            return await exchange_run_async(exchange, endpoint=self.endpoint, policy=QUESTION)
        except ExchangeFailed as failure:
            raise unavailable(failure, retry_after_s=failure.retry_after_s) from failure


def embeddings_endpoint() -> Endpoint:
    """Return the deployment's embeddings server.

    Raises:
        Upstream: embeddings_unavailable, when the deployment names none.
    """
    if not settings.EMBEDDINGS_URL:
        raise unavailable(ExchangeFailed("REFDESK_EMBEDDINGS_URL is not set"))
    return Endpoint(settings.EMBEDDINGS_URL, settings.EMBEDDINGS_MODEL, settings.EMBEDDINGS_API_KEY)


@cache
def environment_client() -> EmbeddingsClient:
    """Return the worker process's client of the deployment's server."""
    return EmbeddingsClient(embeddings_endpoint())


@cache
def environment_embedder() -> QuestionEmbedder:
    """Return the web process's client of the deployment's server."""
    return QuestionEmbedder(embeddings_endpoint())
