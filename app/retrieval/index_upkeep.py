"""Maintain all vectors: an organisation's erasure, and the replacement or the end of a model's collection."""

import re
from functools import partial

from qdrant_client import QdrantClient
from qdrant_client import models as m

from app.retrieval.index import COLLECTIONS, IndexServer
from app.retrieval.index_client import IndexClient
from app.retrieval.index_writer import POINTS_PER_REQUEST, IndexWriter, filter_of


class IndexSweep:
    """An organisation's points in the collections of every embedding model ever used, for its erasure."""

    def __init__(self, server: IndexServer) -> None:
        self.client = IndexClient(server)

    def count(self, *, organisation: str) -> int:
        within = filter_of(organisation)
        return self.client.call(
            lambda qdrant: sum(qdrant.count(name, count_filter=within, exact=True).count for name in _names(qdrant))
        )

    def delete(self, *, organisation: str) -> None:
        """Delete the points and return when they are deleted."""
        selector = m.FilterSelector(filter=filter_of(organisation))

        def delete(qdrant: QdrantClient) -> None:
            for name in _names(qdrant):
                qdrant.delete(name, selector, wait=True)

        self.client.call(delete)


def index_renew(writer: IndexWriter) -> int:
    """Copy the points into a new collection with the settings of this version, switch to it, delete the old one.

    Searches go on throughout. Points written during the copy may be missing afterwards: the reconciler compares with
    PostgreSQL and puts it right. Cut short, it changes nothing; the next call clears what was left.

    Returns: the number of copied points.

    Raises:
        Upstream: search_unavailable.
    """
    writer.ensure_collection()
    old = writer.collection_in_use() or writer.collection
    for name in _model_collections(writer):
        if name != old:
            _collection_delete(writer, name)
    new = _next_name(writer.collection, old)
    writer.collection_create(new)
    copied = _copy(writer, old, new)
    writer.alias_switch(new)
    _collection_delete(writer, old)
    return copied


def index_drop(writer: IndexWriter) -> None:
    """Delete all collections of a model, with their alias; missing ones are no error."""
    for name in _model_collections(writer):
        _collection_delete(writer, name)
    writer.forget()


def _copy(writer: IndexWriter, old: str, new: str) -> int:
    copied, offset = 0, None
    while True:
        records, offset = writer.client.call(partial(_page, old, offset))
        if records:
            writer.structs_upsert(new, [_struct(record) for record in records])
        copied += len(records)
        if offset is None:
            return copied


def _page(
    name: str, offset: m.ExtendedPointId | None, qdrant: QdrantClient
) -> tuple[list[m.Record], m.ExtendedPointId | None]:
    return qdrant.scroll(name, limit=POINTS_PER_REQUEST, offset=offset, with_payload=True, with_vectors=True)


def _struct(record: m.Record) -> m.PointStruct:
    # Each form of a record's vectors is also a form of a struct's.
    return m.PointStruct(id=record.id, vector=record.vector or {}, payload=record.payload)  # type: ignore[arg-type]


def _next_name(base: str, old: str) -> str:
    ending = re.fullmatch(rf"{re.escape(base)}-(\d+)", old)
    return f"{base}-{int(ending[1]) + 1 if ending else 2}"


def _model_collections(writer: IndexWriter) -> list[str]:
    """Return all collections of this model, earlier ones too."""
    pattern = re.compile(rf"{re.escape(writer.collection)}(-\d+)?")
    return [name for name in writer.client.call(_names) if pattern.fullmatch(name)]


def _collection_delete(writer: IndexWriter, name: str) -> None:
    writer.client.call(lambda qdrant: qdrant.delete_collection(name))


def _names(qdrant: QdrantClient) -> list[str]:
    """Return the names of all our collections."""
    names = [collection.name for collection in qdrant.get_collections().collections]
    return [name for name in names if name.startswith(COLLECTIONS)]
