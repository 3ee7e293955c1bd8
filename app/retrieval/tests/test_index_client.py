"""Qdrant's client as configured here: its retries, its address, and processes that never import it."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, NamedTuple

import pytest

from app.errors import Upstream
from app.retrieval import index_client
from app.retrieval.index import IndexRefused, IndexServer
from app.retrieval.index_client import ATTEMPTS, IndexClient
from tests.engines import ROOT

GOOD = b'{"result": {"collections": [{"name": "a"}]}, "status": "ok", "time": 0}'


class Reply(NamedTuple):
    status: int = 200
    content: bytes = GOOD
    headers: dict[str, str] = {}


class Scripted:
    """A server that sends prepared replies, repeating the last one, and records the requests."""

    def __init__(self) -> None:
        self.replies: list[Reply] = [Reply()]
        self.requests: list[tuple[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.path, self.headers))
                reply = outer.replies.pop(0) if len(outer.replies) > 1 else outer.replies[0]
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Length": str(len(reply.content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    monkeypatch.setattr(index_client, "BACKOFF_S", 0.01)
    made = Scripted()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def names(server: IndexServer) -> list[str]:
    collections = IndexClient(server).call(lambda qdrant: qdrant.get_collections()).collections
    return [collection.name for collection in collections]


def test_what_may_pass_is_tried_again(scripted: Scripted) -> None:
    scripted.replies = [Reply(503, b"busy"), Reply(429, b"", {"Retry-After": "0"}), Reply(429, b"{}"), Reply()]
    assert names(IndexServer(scripted.url)) == ["a"]
    assert len(scripted.requests) == 4


@pytest.mark.parametrize(
    "reply", [Reply(500, b"no"), Reply(200, b"<html>"), Reply(429, b"", {"Retry-After": "later"})], ids=str
)
def test_after_the_last_attempt_search_is_unavailable(scripted: Scripted, reply: Reply) -> None:
    scripted.replies = [reply]
    with pytest.raises(Upstream) as failed:
        names(IndexServer(scripted.url))
    assert (failed.value.code, len(scripted.requests)) == ("search_unavailable", ATTEMPTS)


def test_a_refusal_is_not_tried_again_and_says_why(scripted: Scripted) -> None:
    scripted.replies = [Reply(403, b"wrong key")]
    with pytest.raises(IndexRefused) as refused:
        names(IndexServer(scripted.url))
    assert (refused.value.upstream_status, refused.value.details["answer"]) == (403, "wrong key")
    assert len(scripted.requests) == 1


def test_the_address_s_path_and_the_key_are_kept_and_the_environment_s_proxy_is_not_asked(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    names(IndexServer(f"{scripted.url}/vectors", "a key"))
    [(path, headers)] = scripted.requests
    assert (path, headers["api-key"]) == ("/vectors/collections", "a key")


def test_an_address_without_a_port_means_http_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_client, "BACKOFF_S", 0.0)
    addresses: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> None:
        addresses.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Upstream):
        names(IndexServer("http://vectors.example"))
    assert set(addresses) == {("vectors.example", 80)}


def test_the_web_process_searches_without_loading_the_client() -> None:
    program = """
import asyncio, contextlib, sys
import app.asgi
from app.errors import Upstream
from app.llm.embeddings import EmbeddingSpace
from app.retrieval.index import index_reader
from app.retrieval.sparse import SparseVector

async def search():
    await index_reader(EmbeddingSpace("any", 1)).search(organisation="x", dense=[1.0], words=SparseVector([1], [1.0]))

with contextlib.suppress(Upstream):
    asyncio.run(search())
print(sorted({"qdrant_client", "grpc", "numpy"} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == "[]\n", result.stderr[-2000:]
