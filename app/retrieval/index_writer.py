"""Write, count and list the vectors of one embedding model, for workers and commands.

`index_loader.py` imports this module at the first index work; the web process never does.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TypeVar

from qdrant_client import QdrantClient
from qdrant_client import models as m

from app.llm.embeddings import EmbeddingSpace
from app.retrieval.index import (
    DENSE,
    WORDS,
    IndexRefused,
    IndexServer,
    Json,
    Point,
    PointOwner,
    alias_name,
    collection_name,
    match,
    organisation_filter,
)
from app.retrieval.index_client import IndexClient

# The embedded engine serves no other request while it stores one: 200 points are 25 ms.
POINTS_PER_REQUEST = 200
IDS_PER_REQUEST = 1000

KEYWORD = m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD)
# Every field that filters use.
INDEXES = {
    "organisation": m.KeywordIndexParams(type=m.KeywordIndexType.KEYWORD, is_tenant=True),
    "source": KEYWORD,
    "document": KEYWORD,
    "version": KEYWORD,
}
T = TypeVar("T")


def filter_of(organisation: str, *more: Json) -> m.Filter:
    """Return the organisation's filter, which is defined once, in the client's form."""
    return m.Filter.model_validate(organisation_filter(organisation, *more))


class IndexWriter:
    """The vectors of one embedding model. Safe to share between threads.

    Every method raises Upstream with the code search_unavailable when Qdrant fails, after some attempts; all may be
    repeated.
    """

    def __init__(self, server: IndexServer, space: EmbeddingSpace) -> None:
        self.space = space
        self.alias, self.collection = alias_name(space), collection_name(space)
        self.client = IndexClient(server)
        self._lock = threading.Lock()
        self._ensured = False

    def ensure_collection(self) -> None:
        """Create the collection, its indexes and its alias where they are missing."""
        with self._lock:
            if self._ensured:
                return
            in_use = self.collection_in_use()
            name = in_use or self.collection
            if in_use is None and not self.client.call(lambda qdrant: qdrant.collection_exists(name)):
                self._create(name)
            self._create_indexes(name)
            if in_use is None:
                self.alias_switch(name)
            self._ensured = True

    def forget(self) -> None:
        """Look for the collection again before the next write."""
        self._ensured = False

    def collection_in_use(self) -> str | None:
        """Return the name of the collection behind the alias; None without one."""
        aliases = self.client.call(lambda qdrant: qdrant.get_aliases()).aliases
        return next((alias.collection_name for alias in aliases if alias.alias_name == self.alias), None)

    def alias_switch(self, name: str) -> None:
        """Switch writes and searches to that collection in one step, so that no search misses both."""
        actions: list[m.AliasOperations] = []
        if self.collection_in_use():
            actions.append(m.DeleteAliasOperation(delete_alias=m.DeleteAlias(alias_name=self.alias)))
        create = m.CreateAlias(collection_name=name, alias_name=self.alias)
        actions.append(m.CreateAliasOperation(create_alias=create))
        self.client.call(lambda qdrant: qdrant.update_collection_aliases(actions))

    def collection_create(self, name: str) -> None:
        """Create an empty collection with its indexes."""
        self._create(name)
        self._create_indexes(name)

    def points_upsert(self, points: Iterable[Point], *, create: bool = True) -> None:
        """Store points; one with a known id is replaced.

        create: make a missing collection. Raises IndexRefused otherwise.
        """
        if create:
            self.ensure_collection()
        remaining = iter(points)
        while batch := [_point_struct(point) for point in islice(remaining, POINTS_PER_REQUEST)]:
            try:
                self.structs_upsert(self.alias, batch)
            except IndexRefused as refused:
                if refused.upstream_status != 404 or not create:
                    raise
                # The collection is missing: Qdrant was emptied while this process ran.
                self._ensured = False
                self.ensure_collection()
                self.structs_upsert(self.alias, batch)

    def structs_upsert(self, name: str, structs: list[m.PointStruct]) -> None:
        """Store points in the client's form in a collection, and wait until they are stored."""
        self.client.call(lambda qdrant: qdrant.upsert(name, structs, wait=True))

    def points_delete(self, ids: Iterable[str]) -> None:
        """Delete points; missing ones are no error."""
        remaining = iter(ids)
        while batch := list(islice(remaining, IDS_PER_REQUEST)):
            self._delete(m.PointIdsList(points=[*batch]))

    def points_delete_version(self, *, organisation: str, version: str) -> None:
        self._delete(m.FilterSelector(filter=filter_of(organisation, match("version", version))))

    def count(self, *, organisation: str | None = None) -> int:
        """Return the number of points of an organisation, or of all."""
        within = filter_of(organisation) if organisation else None
        count = self._unless_absent(lambda name, qdrant: qdrant.count(name, count_filter=within, exact=True))
        return count.count if count else 0

    def point_ids(self, *, organisation: str, version: str | None = None) -> Iterator[str]:
        """Return the ids of the organisation's points, or of one version's, in ascending order, page by page."""
        within = filter_of(organisation, *([match("version", version)] if version else []))
        for record in self._scroll(within, with_payload=False):
            yield str(record.id)

    def point_owners(self) -> Iterator[PointOwner]:
        """Return the owner of every point of every organisation, for the reconciler."""
        for record in self._scroll(None, with_payload=["organisation", "version"]):
            payload = record.payload or {}
            yield PointOwner(str(record.id), payload.get("organisation", ""), payload.get("version", ""))

    def _create(self, name: str) -> None:
        try:
            self.client.call(lambda qdrant: _create_collection(qdrant, name, self.space.dimensions))
        except IndexRefused as refused:
            # 409: another worker was faster.
            if refused.upstream_status != 409:
                raise

    def _create_indexes(self, name: str) -> None:
        def create(qdrant: QdrantClient) -> None:
            for field, schema in INDEXES.items():
                qdrant.create_payload_index(name, field, schema, wait=True)

        self.client.call(create)

    def _delete(self, selector: m.PointsSelector) -> None:
        self._unless_absent(lambda name, qdrant: qdrant.delete(name, selector, wait=True))

    def _scroll(self, within: m.Filter | None, *, with_payload: bool | list[str]) -> Iterator[m.Record]:
        offset: m.ExtendedPointId | None = None
        while True:
            page = self._page(within, offset, with_payload=with_payload)
            if page is None:
                return
            records, offset = page
            yield from records
            if offset is None:
                return

    def _page(
        self, within: m.Filter | None, offset: m.ExtendedPointId | None, *, with_payload: bool | list[str]
    ) -> tuple[list[m.Record], m.ExtendedPointId | None] | None:
        return self._unless_absent(
            lambda name, qdrant: qdrant.scroll(
                name, within, limit=IDS_PER_REQUEST, offset=offset, with_payload=with_payload
            )
        )

    def _unless_absent(self, operation: Callable[[str, QdrantClient], T]) -> T | None:
        """Run an operation on the collection; return None if it is missing: then there is nothing to list or delete."""
        # A box of the first version has the collection and no alias, until the next document is indexed.
        for name in (self.alias, self.collection):
            try:
                return self.client.call(partial(operation, name))
            except IndexRefused as refused:
                if refused.upstream_status != 404:
                    raise
        return None


def _point_struct(point: Point) -> m.PointStruct:
    words = m.SparseVector(indices=list(point.words.indices), values=list(point.words.values))
    return m.PointStruct(
        id=point.id,
        vector={DENSE: list(point.dense), WORDS: words},
        payload={
            "organisation": point.organisation,
            "source": point.source,
            "document": point.document,
            "version": point.version,
        },
    )


def _create_collection(qdrant: QdrantClient, name: str, dimensions: int) -> None:
    qdrant.create_collection(
        name,
        # Half the memory to read and less than half the time, with the same best ten. The packaged model itself is
        # quantised to int8.
        vectors_config={
            DENSE: m.VectorParams(size=dimensions, distance=m.Distance.COSINE, datatype=m.Datatype.FLOAT16)
        },
        sparse_vectors_config={WORDS: m.SparseVectorParams(modifier=m.Modifier.IDF)},
        # A graph for each organisation instead of one for all: every search is within one organisation. Edge has none.
        hnsw_config=m.HnswConfigDiff(m=0, payload_m=16),
        # A filter on an unindexed field is a mistake, and slow.
        strict_mode_config=m.StrictModeConfig(
            enabled=True, unindexed_filtering_retrieve=False, unindexed_filtering_update=False
        ),
    )
