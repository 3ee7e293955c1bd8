"""What the box does to its vectors as a whole: an organisation's erasure, and a new collection in place of the old."""

import re
from typing import Any

import urllib3

from app.retrieval.index import (
    COLLECTIONS,
    POINTS_PER_REQUEST,
    IndexServer,
    IndexWriter,
    Json,
    organisation_filter,
    server_ask,
)


class IndexSweep:
    """An organisation's points in the collections of every embedding model there ever was: for its erasure."""

    def __init__(self, server: IndexServer) -> None:
        self.server = server
        self.pool = urllib3.PoolManager(maxsize=1, retries=False)

    def count(self, *, organisation: str) -> int:
        body = {"exact": True, "filter": organisation_filter(organisation)}
        return sum(int(self._call("POST", f"/{name}/points/count", body)["count"]) for name in self._names())

    def delete(self, *, organisation: str) -> None:
        """Returns when they are gone."""
        for name in self._names():
            self._call("POST", f"/{name}/points/delete?wait=true", {"filter": organisation_filter(organisation)})

    def _names(self) -> list[str]:
        found = [str(one["name"]) for one in self._call("GET", "")["collections"]]
        return [name for name in found if name.startswith(COLLECTIONS)]

    def _call(self, method: str, path: str, body: Json | None = None) -> Any:
        return server_ask(self.server, self.pool, method, f"/collections{path}", body)


def index_renew(writer: IndexWriter) -> int:
    """Copy the points into a new collection with the settings of this version, switch to it, delete the old one.

    Searches go on throughout. What is written while it copies may be missing afterwards: the reconciler compares with
    PostgreSQL and puts it right. Cut short, it changes nothing; the next call clears what was left.

    Returns: how many points were copied.

    Raises:
        Upstream: search_unavailable.
    """
    writer.ensure_collection()
    old = writer.collection_in_use() or writer.collection
    for left in _of_writer(writer):
        if left != old:
            _collections(writer, "DELETE", left)
    new = _next_name(writer.collection, old)
    writer.collection_make(new)
    copied = _copy(writer, old, new)
    writer.alias_switch(new)
    _collections(writer, "DELETE", old)
    return copied


def _copy(writer: IndexWriter, old: str, new: str) -> int:
    copied, offset = 0, None
    while True:
        asked = {"limit": POINTS_PER_REQUEST, "offset": offset, "with_payload": True, "with_vector": True}
        page = _collections(writer, "POST", f"{old}/points/scroll", asked)
        points = [{"id": one["id"], "vector": one["vector"], "payload": one["payload"]} for one in page["points"]]
        if points:
            _collections(writer, "PUT", f"{new}/points?wait=true", {"points": points})
        copied, offset = copied + len(points), page["next_page_offset"]
        if offset is None:
            return copied


def _next_name(base: str, old: str) -> str:
    found = re.fullmatch(rf"{re.escape(base)}-(\d+)", old)
    return f"{base}-{int(found[1]) + 1 if found else 2}"


def _of_writer(writer: IndexWriter) -> list[str]:
    """The collections that this model ever had."""
    pattern = re.compile(rf"{re.escape(writer.collection)}(-\d+)?")
    return [one["name"] for one in _collections(writer, "GET", "")["collections"] if pattern.fullmatch(one["name"])]


def _collections(writer: IndexWriter, method: str, path: str, body: Json | None = None) -> Any:
    return writer.ask(method, f"/collections/{path}" if path else "/collections", body)
