"""Search the vectors of passages in Qdrant; only the files index*.py call it.

One collection per embedding model holds all organisations; every search and every deletion is filtered by
organisation. A point contains no text: PostgreSQL has it, and each hit is read again there before use. The web process
searches with one plain request (`IndexReader`). Workers and commands write through Qdrant's client (`IndexWriter`),
which is imported at their first index work: docs/decisions/0001-qdrant-client-in-workers.md.
"""

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from django.conf import settings
from prometheus_client import Histogram

from app.errors import Upstream
from app.lib.http import RequestFailed, RetriedRequest
from app.llm.embeddings import EmbeddingSpace
from app.retrieval.fusion import CANDIDATES, Candidates, Scored
from app.retrieval.sparse import SparseVector

DENSE, WORDS = "dense", "words"
COLLECTIONS = "refdesk-"
ALIAS = "-in-use"
SEARCH_S = 5.0

SEARCHES = Histogram(
    "qdrant_search_duration_seconds",
    "One search in the vectors, by meaning and by words",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IndexServer:
    url: str
    api_key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        key = {"api-key": self.api_key} if self.api_key else {}
        return {"Content-Type": "application/json", **key}


@dataclass(frozen=True, slots=True)
class Point:
    """A passage's vectors; ids are UUIDs as text. The id is the chunk's."""

    id: str
    organisation: str
    source: str
    document: str
    version: str
    dense: Sequence[float]
    words: SparseVector


@dataclass(frozen=True, slots=True)
class PointOwner:
    id: str
    organisation: str
    version: str


class IndexRefused(Upstream):
    """A request that Qdrant refuses: a retry gives the same response."""

    def __init__(self, status: int, content: bytes) -> None:
        response = content[:300].decode("utf-8", "replace")
        super().__init__("search_unavailable", details={"reason": f"HTTP {status}", "answer": response})
        self.upstream_status = status


def unavailable(reason: str) -> Upstream:
    return Upstream("search_unavailable", details={"reason": reason})


def collection_name(space: EmbeddingSpace) -> str:
    """Return the name of the model's collection; a digest distinguishes names that differ in dropped characters."""
    digest = hashlib.sha256(space.model.encode()).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9]+", "-", space.model.lower())[:60].strip("-")
    return f"{COLLECTIONS}{slug}-{space.dimensions}-{digest}"


def alias_name(space: EmbeddingSpace) -> str:
    """Return the alias for writes and searches; a renewal switches its collection (index_upkeep.py)."""
    return f"{collection_name(space)}{ALIAS}"


def match(field: str, value: str) -> Json:
    return {"key": field, "match": {"value": value}}


def organisation_filter(organisation: str, *more: Json) -> Json:
    """Return the filter of every search and every deletion, in the form of the REST API."""
    return {"must": [match("organisation", organisation), *more]}


def result_read(content: bytes) -> Any:
    try:
        return orjson.loads(content)["result"]
    except (ValueError, KeyError, TypeError) as error:
        raise unavailable(f"the answer cannot be read: {error!r}") from error


class IndexReader:
    """Search in the vectors of one embedding model, for the web process."""

    def __init__(self, server: IndexServer, space: EmbeddingSpace) -> None:
        self.server = server
        # A box of the first version has the collection and no alias, until the next document is indexed.
        names = (alias_name(space), collection_name(space))
        self.urls = [f"{server.url}/collections/{name}/points/query/batch" for name in names]

    async def search(
        self,
        *,
        organisation: str,
        dense: Sequence[float] | None,
        words: SparseVector,
        sources: Sequence[str] | None = None,
        limit: int = CANDIDATES,
    ) -> Candidates:
        """Return the best `limit` points by meaning and by words, within the organisation and, if given, the sources.

        Without `dense` only words are searched. One request. Before the first document is indexed there are no hits.

        Raises:
            Upstream: search_unavailable, within 5 seconds.
        """
        if sources is not None and not sources:
            return Candidates([], [])
        within = organisation_filter(
            organisation, *([] if sources is None else [{"key": "source", "match": {"any": list(sources)}}])
        )
        stages: dict[str, Any] = {} if dense is None else {DENSE: dense}
        if words.indices:
            stages[WORDS] = {"indices": words.indices, "values": words.values}
        if not stages:
            return Candidates([], [])
        searches = [
            {"query": query, "using": name, "filter": within, "limit": limit, "with_payload": False}
            for name, query in stages.items()
        ]
        scores = await self._query(orjson.dumps({"searches": searches}))
        lists = dict(zip(stages, scores or [[] for _ in stages], strict=True))
        return Candidates(lists.get(DENSE, []), lists.get(WORDS, []))

    async def _query(self, body: bytes) -> list[list[Scored]] | None:
        """Return a list per search; None without a collection."""
        for url in self.urls:
            begun = time.perf_counter()
            try:
                response = await RetriedRequest("POST", url, self.server.headers, body).send_async(within_s=SEARCH_S)
            except RequestFailed as failure:
                raise unavailable(failure.reason) from failure
            finally:
                SEARCHES.observe(time.perf_counter() - begun)
            if response.status == 200:
                return scores_read(response.content)
            if response.status != 404:
                raise IndexRefused(response.status, response.content)
        return None


def scores_read(content: bytes) -> list[list[Scored]]:
    try:
        return [
            [Scored(str(point["id"]), point["score"]) for point in search["points"]] for search in result_read(content)
        ]
    except (KeyError, TypeError) as error:
        raise unavailable(f"the answer cannot be read: {error!r}") from error


def server_default() -> IndexServer:
    """Return the deployment's Qdrant.

    Raises:
        Upstream: search_unavailable, when the deployment has none.
    """
    if not settings.QDRANT_URL:
        raise unavailable("REFDESK_QDRANT_URL is not set")
    return IndexServer(settings.QDRANT_URL, settings.QDRANT_API_KEY)


@cache
def index_reader(space: EmbeddingSpace) -> IndexReader:
    """Return the web process's reader of a model's vectors."""
    return IndexReader(server_default(), space)
