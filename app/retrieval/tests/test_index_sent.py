"""Parts of requests to Qdrant that a stand-in ignores: strict mode, the tenant index, waiting, switching."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import orjson
import pytest

from app.lib.http import http_session_close
from app.llm.embeddings import EmbeddingSpace
from app.retrieval.index import IndexReader, IndexServer, collection_name
from app.retrieval.index_upkeep import index_renew
from app.retrieval.index_writer import IndexWriter
from app.retrieval.tests.test_index import ACME, ONE_WORD, point

SPACE = EmbeddingSpace("listened", 4)
NAME = collection_name(SPACE)
Sent = list[tuple[str, str, Any]]


@pytest.fixture
def sent() -> Iterator[tuple[IndexServer, Sent]]:
    """Run a server that accepts everything and records its requests."""
    asked: Sent = []
    answers: dict[str, Any] = {
        "/aliases": {"aliases": []},
        "/collections": {"collections": []},
        "/exists": {"exists": False},
        "/scroll": {"points": [], "next_page_offset": None},
        "/batch": [{"points": []}, {"points": []}],
    }

    class Listener(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = orjson.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
            asked.append((self.command, self.path, body))
            if self.path == "/collections/aliases":
                answers["/aliases"] = {"aliases": [body["actions"][-1]["create_alias"]]}
            ends = [end for end in answers if self.path.endswith(end)]
            if self.command == "DELETE" or self.path == "/collections/aliases":
                ends = []
            done: Any = {"operation_id": 1, "status": "completed"} if "?wait" in self.path else True
            result = answers[ends[0]] if ends else done
            content = orjson.dumps({"result": result, "status": "ok"})
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (the names that http.server requires)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield IndexServer(f"http://127.0.0.1:{server.server_port}"), asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_collection_is_strict_and_arranged_by_organisation(sent: tuple[IndexServer, Sent]) -> None:
    server, asked = sent
    IndexWriter(server, SPACE).ensure_collection()
    [made] = [body for method, path, body in asked if (method, path) == ("PUT", f"/collections/{NAME}")]
    assert made["strict_mode_config"] == {
        "enabled": True,
        "unindexed_filtering_retrieve": False,
        "unindexed_filtering_update": False,
    }
    assert made["hnsw_config"] == {"m": 0, "payload_m": 16}
    indexes = {body["field_name"]: body["field_schema"] for _, path, body in asked if "/index?wait=true" in path}
    assert indexes.pop("organisation") == {"type": "keyword", "is_tenant": True}
    # All fields that filters use.
    assert indexes == {field: {"type": "keyword"} for field in ("source", "document", "version")}


def test_every_change_of_points_waits(sent: tuple[IndexServer, Sent]) -> None:
    server, asked = sent
    writer = IndexWriter(server, SPACE)
    writer.points_upsert([point()])
    writer.points_delete(["x"])
    writer.points_delete_version(organisation=ACME, version="v")
    changes = [path for method, path, _ in asked if "/points" in path and (method == "PUT" or "delete" in path)]
    assert len(changes) == 3
    assert all(path.endswith("?wait=true") and f"/{NAME}-in-use/" in path for path in changes)


def test_the_alias_is_switched_in_one_request(sent: tuple[IndexServer, Sent]) -> None:
    server, asked = sent
    writer = IndexWriter(server, SPACE)
    writer.ensure_collection()
    asked.clear()
    index_renew(writer)
    [(_, _, switched)] = [one for one in asked if one[1] == "/collections/aliases"]
    assert switched == {
        "actions": [
            {"delete_alias": {"alias_name": f"{NAME}-in-use"}},
            {"create_alias": {"collection_name": f"{NAME}-2", "alias_name": f"{NAME}-in-use"}},
        ]
    }
    order = [(method, path) for method, path, _ in asked if method == "DELETE" or path == "/collections/aliases"]
    assert order == [("POST", "/collections/aliases"), ("DELETE", f"/collections/{NAME}")]


async def test_a_search_is_always_within_an_organisation(sent: tuple[IndexServer, Sent]) -> None:
    server, asked = sent
    await IndexReader(server, SPACE).search(organisation=ACME, dense=[1, 0, 0, 0], words=ONE_WORD, sources=["s"])
    await http_session_close()
    [(method, path, body)] = asked
    assert (method, path) == ("POST", f"/collections/{NAME}-in-use/points/query/batch")
    own = {"key": "organisation", "match": {"value": ACME}}
    assert [own in one["filter"]["must"] for one in body["searches"]] == [True, True]
