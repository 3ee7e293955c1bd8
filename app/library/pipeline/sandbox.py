"""Read a file in a child process that may use little memory and time.

The children are forked by a small process without threads that has the parsers loaded (`zygote.py`): forking a worker
with threads is not safe, and loading the parsers for each file costs 0.3 s of CPU instead of milliseconds. It is
started when the first file comes and ends a minute after the last.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from app.library.parsers.blocks import ChunkDraft, Parsed, ParseError, Place, blocks_from_json
from app.library.parsers.limits import DEFAULT, Limits

_ROOT = Path(__file__).resolve().parents[3]
_POLL_S = 0.2
_READ_BYTES = 1024 * 1024
# The boxes, places and repeated text of a document take less than this per character of its text.
_ANSWER_BYTES_PER_CHAR = 16
_ATTEMPTS = 3
# A child that died with this share of its memory in use died of it.
_MEMORY_SHARE = 0.6


@dataclass(frozen=True)
class ParsedChunks:
    """blocks_json: `blocks_to_json(parsed)` as the child wrote it, to be stored as it is."""

    media_type: str
    pages: int | None
    title: str | None
    warnings: tuple[str, ...]
    text_chars: int
    drafts: list[ChunkDraft]
    blocks_json: bytes

    @cached_property
    def parsed(self) -> Parsed:
        return blocks_from_json(self.blocks_json)


class _ZygoteGone(Exception):
    """It ended, for being idle or killed, before it took the request."""


class _Zygote:
    """The one of this process, started when needed. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner = 0

    def send(self, message: bytes, answer: socket.socket) -> None:
        with self._lock:
            # A process forked from ours must not speak over our socket.
            if self._control is None or self._owner != os.getpid():
                self._start()
            assert self._control is not None
            try:
                socket.send_fds(self._control, [message], [answer.fileno()])
            except OSError as error:
                self._forget()
                raise _ZygoteGone from error

    def forget(self, process: subprocess.Popen[bytes] | None) -> None:
        with self._lock:
            if process is self._process:
                self._forget()

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self._process

    def _start(self) -> None:
        self._forget()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Only what is named here: what reads foreign files must not know the passwords of the worker.
            environment = {
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "LANG": "C.UTF-8",
                "TOKENIZERS_PARALLELISM": "false",
                "MALLOC_ARENA_MAX": "1",
            }
            command = [sys.executable, "-m", "app.library.pipeline.fork_server", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, cwd=_ROOT, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        self._control = ours
        self._owner = os.getpid()

    def _forget(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None and self._owner == os.getpid():
            # It ends by itself now that its socket has.
            self._process.wait()
            self._process = None


_zygote = _Zygote()


def parse_and_chunk(
    path: Path,
    name: str,
    *,
    target_tokens: int = 500,
    overlap_tokens: int = 50,
    max_tokens: int,
    counter: str = "all-MiniLM-L6-v2",
    limits: Limits = DEFAULT,
    should_stop: Callable[[], bool] | None = None,
) -> ParsedChunks:
    """Safe from any thread. Errors: ParseError with any code of docs/parsers.md, or `cancelled` by should_stop,
    which is asked about five times a second.

    counter: name of the embedding model whose tokens count (see `tokens.counter_for`).
    """
    request = {
        "path": str(path),
        "name": name,
        "target_tokens": target_tokens,
        "overlap_tokens": overlap_tokens,
        "max_tokens": max_tokens,
        "counter": counter,
        "limits": asdict(limits),
    }
    message = orjson.dumps(request)
    deadline = time.monotonic() + limits.wall_s
    for _ in range(_ATTEMPTS):
        process = _zygote.process
        try:
            received = _ask(message, deadline, limits, should_stop)
        except _ZygoteGone:
            _zygote.forget(process)
            continue
        return _result(received, limits)
    raise ParseError("parse_crashed", "the reading process does not start")


def _ask(message: bytes, deadline: float, limits: Limits, should_stop: Callable[[], bool] | None) -> bytearray:
    ours, theirs = socket.socketpair()
    # Closing our end is how the zygote learns that the child is no longer wanted.
    with ours:
        with theirs:
            _zygote.send(message, theirs)
        ours.settimeout(_POLL_S)
        return _receive(ours, deadline, limits, should_stop)


def _receive(
    answer: socket.socket, deadline: float, limits: Limits, should_stop: Callable[[], bool] | None
) -> bytearray:
    received = bytearray()
    asked = time.monotonic()
    while True:
        try:
            part = answer.recv(_READ_BYTES)
        except TimeoutError:
            part = None
        except ConnectionResetError as error:
            raise _ZygoteGone from error
        if part == b"":
            if not received:
                raise _ZygoteGone
            return received
        received += part or b""
        if len(received) > limits.text_chars * _ANSWER_BYTES_PER_CHAR:
            raise ParseError("file_too_complex", "more text and places than can be kept")
        now = time.monotonic()
        if now > deadline:
            raise ParseError("parse_timeout", f"{limits.wall_s:g} s")
        if should_stop is not None and now - asked >= _POLL_S:
            asked = now
            if should_stop():
                raise ParseError("cancelled")


def _result(received: bytearray, limits: Limits) -> ParsedChunks:
    kind = received[:1]
    if kind == b"M":
        raise ParseError("parse_memory", f"{limits.memory_bytes >> 20} MiB")
    if kind == b"E":
        raise _death(orjson.loads(received[1:]), limits)
    size = int.from_bytes(received[1:9], "little")
    if kind != b"J" or len(received) < 9 + size:
        at_end = received.rfind(b'E{"signal"')
        raise _death(orjson.loads(received[at_end + 1 :]) if at_end >= 0 else {}, limits)
    body = bytes(memoryview(received)[9 : 9 + size])
    if body.startswith(b"{"):
        error = orjson.loads(body)
        raise ParseError(error["error"], error["detail"])
    # Big-endian, so that its first byte is 0 and never the brace of an error.
    head_size = int.from_bytes(body[:8], "big")
    return _parsed_chunks(orjson.loads(body[8 : 8 + head_size]), body[8 + head_size :])


def _death(end: dict[str, int], limits: Limits) -> ParseError:
    number, memory = end.get("signal", 0), end.get("rss", 0)
    if number == signal.SIGXCPU:
        return ParseError("parse_timeout", f"{limits.cpu_s} s of CPU time")
    if memory > limits.memory_bytes * _MEMORY_SHARE:
        return ParseError("parse_memory", f"{limits.memory_bytes >> 20} MiB")
    return ParseError("parse_crashed", signal.Signals(number).name if number else "ended without an answer")


def _parsed_chunks(head: dict[str, Any], blocks_json: bytes) -> ParsedChunks:
    drafts = [
        ChunkDraft(position, text, tokens, Place.from_json(place), start, end, tuple(context))
        for position, (text, tokens, start, end, context, place) in enumerate(head["drafts"])
    ]
    return ParsedChunks(
        media_type=head["media_type"],
        pages=head["pages"],
        title=head["title"],
        warnings=tuple(head["warnings"]),
        text_chars=head["text_chars"],
        drafts=drafts,
        blocks_json=blocks_json,
    )
