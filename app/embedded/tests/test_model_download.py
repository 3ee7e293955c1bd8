"""A model's file comes whole or not at all, over a server that breaks off, sends other bytes, or is not there."""

import hashlib
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app.embedded import model_download as downloading
from app.embedded.model_download import Unreachable, model_download
from app.lib.engine_error import EngineError
from app.llm.known_models import KNOWN_MODELS

CONTENT = random.Random(7).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Publisher:
    """A file server. breaks_after: bytes that each connection brings. ranges: whether it can resume."""

    content: bytes = CONTENT
    breaks_after: int | None = None
    ranges: bool = True
    status: int = 200
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    state = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            begun = self.headers.get("Range", "")
            state.asked.append(begun)
            start = int(begun.removeprefix("bytes=").rstrip("-")) if begun and state.ranges else 0
            if state.status != 200:
                self.send_error(state.status)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(state.content) - start))
            self.end_headers()
            part = state.content[start:]
            self.wfile.write(part if state.breaks_after is None else part[: state.breaks_after])

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/model.gguf"
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(publisher: Publisher, folder: Path, output: io.StringIO | None = None) -> Path:
    target = folder / "model.gguf"
    model_download(
        publisher.url, target, size=len(CONTENT), sha256=SHA256, output=output or io.StringIO(), pause_s=0.001
    )
    return target


def test_a_file_that_breaks_off_again_and_again_is_resumed(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after = 700_000
    output = io.StringIO()
    assert fetch(publisher, tmp_path, output).read_bytes() == CONTENT
    assert publisher.asked == ["", *(f"bytes={at}-" for at in (700_000, 1_400_000, 2_100_000, 2_800_000))]
    lines = output.getvalue().splitlines()
    assert [line.split("%")[0].strip() for line in lines][-1] == "100"
    assert len(lines) <= 11
    assert [each.name for each in tmp_path.iterdir()] == ["model.gguf"]


def test_a_later_call_goes_on_where_an_earlier_one_stopped(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "model.gguf.download").write_bytes(CONTENT[:1_000_000])
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.asked == ["bytes=1000000-"]


def test_a_server_that_cannot_resume_begins_anew(publisher: Publisher, tmp_path: Path) -> None:
    publisher.ranges = False
    (tmp_path / "model.gguf.download").write_bytes(b"x" * 1_000_000)
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT


def test_other_bytes_are_refused_and_removed(publisher: Publisher, tmp_path: Path) -> None:
    publisher.content = CONTENT[:-1] + b"!"
    with pytest.raises(Unreachable, match=r"another file than the known one: SHA-256 [0-9a-f]{64}\. It is removed"):
        fetch(publisher, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_page_instead_of_the_file_is_refused_before_it_is_read(publisher: Publisher, tmp_path: Path) -> None:
    publisher.content = b"<html>Please sign in to the network</html>"
    with pytest.raises(Unreachable, match="42 bytes instead of 3,000,000"):
        fetch(publisher, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (503, downloading.TRIES)])
def test_an_address_without_the_file_is_named(publisher: Publisher, tmp_path: Path, status: int, tries: int) -> None:
    publisher.status = status
    with pytest.raises(Unreachable, match=str(status)):
        fetch(publisher, tmp_path)
    assert len(publisher.asked) == tries


def test_nothing_listens(tmp_path: Path) -> None:
    gone = Publisher(url="http://127.0.0.1:9/model.gguf")
    with pytest.raises(Unreachable, match="refused"):
        fetch(gone, tmp_path)


def test_too_little_room_is_said_before_anything_is_asked(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="GB are free"):
        model_download(publisher.url, tmp_path / "model.gguf", size=10**18, sha256=SHA256, output=io.StringIO())
    assert publisher.asked == []


def test_every_known_model_names_its_publisher_s_file() -> None:
    for model in KNOWN_MODELS.values():
        assert model.url.startswith("https://")
        assert model.url.endswith(f"/{model.name}.gguf")
        assert len(model.sha256) == 64
