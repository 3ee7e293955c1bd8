"""Vectors of passages in Qdrant: with index_upkeep.py the only code that talks to it.

One collection per embedding model, all organisations in it; every search and every deletion is filtered by
organisation. A point holds no text: PostgreSQL has it, and a hit is read again there before use. Workers use
`IndexWriter` (threads), the web `IndexReader` (its event loop). Plain requests instead of qdrant-client:
docs/decisions/0001-no-qdrant-client-at-run-time.md.
"""

import hashlib
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import orjson
import urllib3
from django.conf import settings

from app.errors import Upstream
from app.lib.counts import Histogram
from app.lib.http import RequestFailed, RetriedRequest
from app.llm.embeddings import EmbeddingSpace
from app.retrieval.fusion import CANDIDATES, Candidates, Scored
from app.retrieval.sparse import SparseVector

DENSE, WORDS = "dense", "words"
COLLECTIONS = "refdesk-"
ALIAS = "-in-use"
WRITE_S, SEARCH_S = 30.0, 5.0
# The embedded engine answers nobody while it stores a request: 200 points are 25 ms.
POINTS_PER_REQUEST = 200
IDS_PER_REQUEST = 1000
ATTEMPTS = 4

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
    """Qdrant answers, but not as asked: trying again gives the same."""

    def __init__(self, status: int, content: bytes) -> None:
        said = content[:300].decode("utf-8", "replace")
        super().__init__("search_unavailable", details={"reason": f"HTTP {status}", "answer": said})
        self.upstream_status = status


def unavailable(reason: str) -> Upstream:
    return Upstream("search_unavailable", details={"reason": reason})


def collection_name(space: EmbeddingSpace) -> str:
    """A name for the model's vectors; a digest keeps apart names that differ only in letters that are not kept."""
    digest = hashlib.sha256(space.model.encode()).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9]+", "-", space.model.lower())[:60].strip("-")
    return f"{COLLECTIONS}{slug}-{space.dimensions}-{digest}"


def alias_name(space: EmbeddingSpace) -> str:
    """What is written to and searched in: the collection in use has it, and a renewal switches it (index_upkeep.py)."""
    return f"{collection_name(space)}{ALIAS}"


def _match(field: str, value: str) -> Json:
    return {"key": field, "match": {"value": value}}


def organisation_filter(organisation: str, *more: Json) -> Json:
    return {"must": [_match("organisation", organisation), *more]}


def _point_body(point: Point) -> Json:
    return {
        "id": point.id,
        "vector": {DENSE: point.dense, WORDS: {"indices": point.words.indices, "values": point.words.values}},
        "payload": {
            "organisation": point.organisation,
            "source": point.source,
            "document": point.document,
            "version": point.version,
        },
    }


def _collection_body(dimensions: int) -> Json:
    return {
        # Half the memory to read and less than half the time, with the same best ten. The packaged model itself is
        # rounded to int8.
        "vectors": {DENSE: {"size": dimensions, "distance": "Cosine", "datatype": "float16"}},
        "sparse_vectors": {WORDS: {"modifier": "idf"}},
        # A graph for each organisation instead of one for all: every search is within one. Edge has none.
        "hnsw_config": {"m": 0, "payload_m": 16},
        # A filter on a field that is not indexed is a mistake, and slow.
        "strict_mode_config": {
            "enabled": True,
            "unindexed_filtering_retrieve": False,
            "unindexed_filtering_update": False,
        },
    }


INDEXES: tuple[Json, ...] = (
    {"field_name": "organisation", "field_schema": {"type": "keyword", "is_tenant": True}},
    {"field_name": "source", "field_schema": "keyword"},
    {"field_name": "document", "field_schema": "keyword"},
    {"field_name": "version", "field_schema": "keyword"},
)


def server_ask(server: IndexServer, pool: urllib3.PoolManager, method: str, path: str, body: Json | None = None) -> Any:
    """The `result` of one call, from a thread. Raises Upstream: search_unavailable."""
    content = None if body is None else orjson.dumps(body)
    ask = RetriedRequest(method, f"{server.url}{path}", server.headers, content, ATTEMPTS)
    try:
        answer = ask.send(pool, read_s=WRITE_S)
    except RequestFailed as failure:
        raise unavailable(failure.reason) from failure
    if answer.status != 200:
        raise IndexRefused(answer.status, answer.content)
    return result_read(answer.content)


class IndexWriter:
    """The vectors of one embedding model, for workers. Safe to share between threads.

    Every method raises Upstream with the code search_unavailable when Qdrant does not do it, after some tries; all may
    be done again.
    """

    def __init__(self, server: IndexServer, space: EmbeddingSpace) -> None:
        self.server, self.space = server, space
        self.alias, self.collection = alias_name(space), collection_name(space)
        self.pool = urllib3.PoolManager(maxsize=8, retries=False)
        self._lock = threading.Lock()
        self._ensured = False

    def ensure_collection(self) -> None:
        """Make the collection, its indexes and its alias, as far as they are not there."""
        with self._lock:
            if self._ensured:
                return
            in_use = self.collection_in_use()
            name = in_use or self.collection
            if in_use is None and not self._call("GET", "/exists", name=name)["exists"]:
                self._create(name)
            for index in INDEXES:
                self._call("PUT", "/index?wait=true", index, name=name)
            if in_use is None:
                self.alias_switch(name)
            self._ensured = True

    def collection_in_use(self) -> str | None:
        """What the alias names; None when there is none yet."""
        listed = self.ask("GET", "/aliases")["aliases"]
        return next((str(one["collection_name"]) for one in listed if one["alias_name"] == self.alias), None)

    def alias_switch(self, name: str) -> None:
        """Write to and search in that collection from now on: in one step, so no search finds neither."""
        create = {"create_alias": {"collection_name": name, "alias_name": self.alias}}
        old = [{"delete_alias": {"alias_name": self.alias}}] if self.collection_in_use() else []
        self.ask("POST", "/collections/aliases", {"actions": [*old, create]})

    def collection_make(self, name: str) -> None:
        """An empty collection with its indexes."""
        self._create(name)
        for index in INDEXES:
            self._call("PUT", "/index?wait=true", index, name=name)

    def points_upsert(self, points: Iterable[Point]) -> None:
        """Store points; one with a known id is replaced."""
        self.ensure_collection()
        remaining = iter(points)
        while batch := [_point_body(point) for point in islice(remaining, POINTS_PER_REQUEST)]:
            try:
                self._call("PUT", "/points?wait=true", {"points": batch})
            except IndexRefused as refused:
                if refused.upstream_status != 404:
                    raise
                # The collection is gone: Qdrant was emptied while we ran.
                self._ensured = False
                self.ensure_collection()
                self._call("PUT", "/points?wait=true", {"points": batch})

    def points_delete(self, ids: Iterable[str]) -> None:
        """Delete points; those that are not there are no error."""
        remaining = iter(ids)
        while batch := list(islice(remaining, IDS_PER_REQUEST)):
            self._delete({"points": batch})

    def points_delete_version(self, *, organisation: str, version: str) -> None:
        self._delete({"filter": organisation_filter(organisation, _match("version", version))})

    def count(self, *, organisation: str | None = None) -> int:
        """Points of an organisation, or of all."""
        body = {"exact": True, **({"filter": organisation_filter(organisation)} if organisation else {})}
        answer = self._unless_absent("POST", "/points/count", body)
        return int(answer["count"]) if answer else 0

    def point_ids(self, *, organisation: str, version: str | None = None) -> Iterator[str]:
        """Ids of the organisation's points, or of those of one version, in rising order, page by page."""
        within = organisation_filter(organisation, *([_match("version", version)] if version else []))
        for point in self._scroll({"filter": within, "with_payload": False}):
            yield str(point["id"])

    def point_owners(self) -> Iterator[PointOwner]:
        """Every point of every organisation, for the reconciler."""
        for point in self._scroll({"with_payload": ["organisation", "version"]}):
            payload = point.get("payload") or {}
            yield PointOwner(str(point["id"]), payload.get("organisation", ""), payload.get("version", ""))

    def _create(self, name: str) -> None:
        try:
            self._call("PUT", "", _collection_body(self.space.dimensions), name=name)
        except IndexRefused as refused:
            # 409: another worker was faster.
            if refused.upstream_status != 409:
                raise

    def _delete(self, body: Json) -> None:
        self._unless_absent("POST", "/points/delete?wait=true", body)

    def _scroll(self, body: Json) -> Iterator[Json]:
        offset = None
        while True:
            page = {**body, "limit": IDS_PER_REQUEST, "offset": offset}
            answer = self._unless_absent("POST", "/points/scroll", page)
            if answer is None:
                return
            yield from answer["points"]
            offset = answer["next_page_offset"]
            if offset is None:
                return

    def _unless_absent(self, method: str, path: str, body: Json) -> Any:
        """None when there is no collection yet: then there is nothing to find or delete."""
        # A box of the first version has the collection and no alias, until the next document comes.
        for name in (self.alias, self.collection):
            try:
                return self._call(method, path, body, name=name)
            except IndexRefused as refused:
                if refused.upstream_status != 404:
                    raise
        return None

    def _call(self, method: str, path: str, body: Json | None = None, *, name: str = "") -> Any:
        return self.ask(method, f"/collections/{name or self.alias}{path}", body)

    def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        """One call, of the collections' own paths too. Raises Upstream: search_unavailable."""
        return server_ask(self.server, self.pool, method, path, body)


def result_read(content: bytes) -> Any:
    try:
        return orjson.loads(content)["result"]
    except (ValueError, KeyError, TypeError) as error:
        raise unavailable(f"the answer cannot be read: {error!r}") from error


class IndexReader:
    """Search in the vectors of one embedding model, for the web process."""

    def __init__(self, server: IndexServer, space: EmbeddingSpace) -> None:
        self.server = server
        # A box of the first version has the collection and no alias, until the next document comes.
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
        """The best `limit` points by meaning and by words, within the organisation and, if given, the sources.

        Without `dense` only words are searched. One request. Nothing is found before the first document is indexed.

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
        found = await self._query(orjson.dumps({"searches": searches}))
        lists = dict(zip(stages, found or [[] for _ in stages], strict=True))
        return Candidates(lists.get(DENSE, []), lists.get(WORDS, []))

    async def _query(self, body: bytes) -> list[list[Scored]] | None:
        """A list per search; None without a collection."""
        for url in self.urls:
            begun = time.perf_counter()
            try:
                answer = await RetriedRequest("POST", url, self.server.headers, body).send_async(within_s=SEARCH_S)
            except RequestFailed as failure:
                raise unavailable(failure.reason) from failure
            finally:
                SEARCHES.observe(time.perf_counter() - begun)
            if answer.status == 200:
                return scores_read(answer.content)
            if answer.status != 404:
                raise IndexRefused(answer.status, answer.content)
        return None


def scores_read(content: bytes) -> list[list[Scored]]:
    try:
        return [[Scored(str(point["id"]), point["score"]) for point in one["points"]] for one in result_read(content)]
    except (KeyError, TypeError) as error:
        raise unavailable(f"the answer cannot be read: {error!r}") from error


def server_default() -> IndexServer:
    """The deployment's Qdrant.

    Raises:
        Upstream: search_unavailable, when the deployment names none.
    """
    if not settings.QDRANT_URL:
        raise unavailable("REFDESK_QDRANT_URL is not set")
    return IndexServer(settings.QDRANT_URL, settings.QDRANT_API_KEY)


@cache
def index_writer(space: EmbeddingSpace) -> IndexWriter:
    """The worker process's writer for a model's vectors."""
    return IndexWriter(server_default(), space)


@cache
def index_reader(space: EmbeddingSpace) -> IndexReader:
    """The web process's reader of a model's vectors."""
    return IndexReader(server_default(), space)
