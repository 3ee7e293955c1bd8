"""A fake server of embeddings or reranking, of any make: real HTTP, with replies that a test chooses."""

import base64
import json
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Any, dict[str, str]]  # status, content (JSON unless bytes), headers


@dataclass
class FakeServer:
    """The server's replies to the body of a POST, and the requests that it received."""

    reply: Callable[[dict[str, Any]], Reply]
    models: list[str] = field(default_factory=lambda: ["scripted-embed"])
    facts: dict[str, Any] = field(default_factory=dict)  # of each model, such as max_model_len
    paths: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


def vector(text: str) -> list[float]:
    """Return three numbers that tell texts apart, exact in float32."""
    return [float(len(text)), float(ord(text[0])), 0.5]


def as_floats(body: dict[str, Any]) -> Reply:
    data = [{"index": n, "embedding": vector(text)} for n, text in enumerate(body["input"])]
    return 200, {"data": data[::-1]}, {}


def as_base64(body: dict[str, Any]) -> Reply:
    vectors = [base64.b64encode(struct.pack("<3f", *vector(text))).decode() for text in body["input"]]
    return 200, {"data": [{"index": n, "embedding": text} for n, text in enumerate(vectors)]}, {}


@contextmanager
def serving(fake: FakeServer) -> Iterator[FakeServer]:
    class Responder(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.respond(200, {"data": [{"id": name, **fake.facts} for name in fake.models]}, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.paths.append(self.path)
            fake.bodies.append(body)
            fake.headers.append(dict(self.headers))
            self.respond(*fake.reply(body))

        def respond(self, status: int, content: Any, headers: dict[str, str]) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Responder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
