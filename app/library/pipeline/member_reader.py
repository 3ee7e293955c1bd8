"""Read the files inside a file, which a child process sends one after the other (`member_sender.py`)."""

import io
import socket
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from app.library.parsers.blocks import ParseError
from app.library.parsers.limits import DEFAULT, Limits
from app.library.pipeline.sandbox import POLL_S, ForkServerGone, child_start, death, fork_server

_ATTEMPTS = 3
_READ_BYTES = 256 * 1024
# A frame holds a piece of a file, or JSON with its path.
_FRAME_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MemberFile:
    """A file inside a file. stream: its bytes, to be read before the next file; raises ParseError on damage."""

    path: str
    media_type: str
    stream: "MemberStream"


def members_read(
    path: Path,
    media_type: str,
    *,
    limits: Limits = DEFAULT,
    should_stop: Callable[[], bool] | None = None,
) -> Generator[MemberFile, None, int]:
    """Yield the files inside a file; return the number of those that the limits left out.

    Errors: ParseError with the codes of the format, parse_timeout, parse_memory, parse_crashed, or `cancelled`.
    """
    request = {"members": True, "path": str(path), "media_type": media_type, "limits": asdict(limits)}
    message = orjson.dumps(request)
    for _ in range(_ATTEMPTS):
        process = fork_server.process
        child = child_start(message, stays=False)
        frames = _Frames(child.answer, limits, should_stop)
        try:
            first = frames.next()
        except ForkServerGone:
            child.close()
            fork_server.forget(process)
            continue
        except BaseException:
            child.close()
            raise
        try:
            left_out = yield from _files(frames, first)
            return left_out
        finally:
            child.close()
    raise ParseError("parse_crashed", "the reading process does not start")


def _files(frames: "_Frames", frame: tuple[bytes, bytes]) -> Generator[MemberFile, None, int]:
    while True:
        kind, content = frame
        entry = orjson.loads(content)
        if kind == b"Z":
            if "error" in entry:
                raise ParseError(entry["error"], entry["detail"])
            return int(entry["left_out"])
        if kind != b"N":
            raise ParseError("parse_crashed", "frames out of order")
        stream = MemberStream(frames)
        yield MemberFile(entry["path"], entry["media_type"], stream)
        stream.drain()
        frame = frames.next()


class _Frames:
    """The frames of a child's answer. Only the time that is spent waiting for them counts."""

    def __init__(self, answer: socket.socket, limits: Limits, should_stop: Callable[[], bool] | None) -> None:
        self._answer, self._limits, self._should_stop = answer, limits, should_stop
        self._received = bytearray()
        self._waited = 0.0

    def next(self) -> tuple[bytes, bytes]:
        """Return the next frame. Errors: ParseError; ForkServerGone before the first byte."""
        kind = bytes(self._take(1))
        # The child ended: what follows tells how, without a length.
        if kind == b"M":
            raise ParseError("parse_memory", f"{self._limits.memory_bytes >> 20} MiB")
        if kind == b"E":
            raise death(self._end(), self._limits)
        size = int.from_bytes(self._take(8), "little")
        if size > _FRAME_BYTES:
            raise ParseError("parse_crashed", "a frame too large")
        return kind, bytes(self._take(size))

    def _take(self, size: int) -> bytearray:
        while len(self._received) < size:
            if not self._receive():
                if not self._received and not self._waited:
                    raise ForkServerGone
                raise ParseError("parse_crashed", "ended without an answer")
        taken = self._received[:size]
        del self._received[:size]
        return taken

    def _receive(self) -> bool:
        """Receive some bytes; return whether there are more."""
        while True:
            begun = time.monotonic()
            try:
                part = self._answer.recv(_READ_BYTES)
            except TimeoutError:
                part = None
            except ConnectionResetError:
                part = b""
            self._waited += time.monotonic() - begun if part else POLL_S if part is None else 0.0
            if part is not None:
                self._received += part
                return bool(part)
            if self._waited > self._limits.wall_s:
                raise ParseError("parse_timeout", f"{self._limits.wall_s:g} s")
            if self._should_stop is not None and self._should_stop():
                raise ParseError("cancelled")

    def _end(self) -> dict[str, Any]:
        while self._receive():
            pass
        try:
            end: dict[str, Any] = orjson.loads(bytes(self._received))
        except orjson.JSONDecodeError:
            return {}
        return end


class MemberStream(io.RawIOBase):
    """The bytes of one file, as they come."""

    def __init__(self, frames: _Frames) -> None:
        super().__init__()
        self._frames = frames
        self._piece = b""
        self.ended = False
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        while not self._piece and not self.ended:
            self._next()
        size = min(len(view), len(self._piece))
        view[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size

    def drain(self) -> None:
        """Skip what was not read; the file's own error no longer matters."""
        while not self.ended:
            try:
                self._next()
            except ParseError:
                if not self.ended:
                    raise

    def _next(self) -> None:
        kind, content = self._frames.next()
        if kind == b"D":
            self._piece = content
            self.size += len(content)
            return
        if kind != b"F":
            raise ParseError("parse_crashed", "frames out of order")
        self.ended = True
        end = orjson.loads(content)
        if "error" in end:
            raise ParseError(end["error"], end["detail"])
