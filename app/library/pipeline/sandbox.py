"""Read a file in a child process with little memory and time.

A child reads one file, or several small ones of one organisation in a row, so a malicious file can affect files of its
own organisation only. A small process without threads, which has the parsers loaded, forks the children
(`fork_server.py`): forking a worker with threads is not safe, and loading the parsers for each file costs 0.3 s of CPU
instead of milliseconds. That process starts with the first file and ends a minute after the last.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from app.library.parsers.blocks import ChunkDraft, Parsed, ParseError, Place, blocks_from_json
from app.library.parsers.limits import DEFAULT, Limits

_ROOT = Path(__file__).resolve().parents[3]
POLL_S = 0.2
_READ_BYTES = 1024 * 1024
# Boxes, places and repeated text of a document take less than this per character of its text.
_ANSWER_BYTES_PER_CHAR = 16
_ATTEMPTS = 3
# Larger files get a child of their own.
SMALL_BYTES = 1024 * 1024
IDLE_AT_MOST = 8
# Repeated from app/library/pipeline/fork_server.py, which this process does not import because it loads the parsers.
FILES_OF_A_CHILD = 32
NEXT_FILE_S = 2.0
# A child that died with this share of its memory in use died for lack of memory.
_MEMORY_SHARE = 0.6


@dataclass(frozen=True)
class ParsedChunks:
    """The result of a child. blocks_json: `blocks_to_json(parsed)` as the child wrote it, stored unchanged.

    seconds: of a recording. members: number of files inside this one, which app/library/pipeline/member_reader.py
    reads.
    """

    media_type: str
    pages: int | None
    seconds: int | None
    title: str | None
    warnings: tuple[str, ...]
    text_chars: int
    drafts: list[ChunkDraft]
    blocks_json: bytes
    members: int = 0

    @cached_property
    def parsed(self) -> Parsed:
        return blocks_from_json(self.blocks_json)


class ForkServerGone(Exception):
    """Raised when the fork server ended, idle or killed, before it took the request."""


class _ForkServer:
    """The fork server of this process, started when needed. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner = 0

    def send(self, message: bytes, *sockets: socket.socket) -> None:
        """Have a child forked that gets these sockets."""
        with self._lock:
            # A process forked from ours must not use our socket.
            if self._control is None or self._owner != os.getpid():
                self._start()
            assert self._control is not None
            try:
                socket.send_fds(self._control, [message], [each.fileno() for each in sockets])
            except OSError as error:
                self._forget()
                raise ForkServerGone from error

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
            # Only these variables: a process that reads foreign files must not have the worker's passwords.
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
            # The process ends because its socket is closed.
            self._process.wait()
            self._process = None


@dataclass(slots=True)
class _Child:
    """A child's sockets. The fork server kills the child when they are closed."""

    answer: socket.socket
    further: socket.socket | None
    files: int = 0
    idle_since: float = 0.0

    def close(self) -> None:
        self.answer.close()
        if self.further is not None:
            self.further.close()


class IdleChildren:
    """Children that have read a file and can read another one of the same organisation. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: list[tuple[UUID, int, _Child]] = []

    def take(self, organisation: UUID) -> _Child | None:
        with self._lock:
            self._drop_old()
            for entry in reversed(self._children):
                # A process forked from ours must not use our sockets.
                if entry[0] == organisation and entry[1] == os.getpid():
                    self._children.remove(entry)
                    return entry[2]
        return None

    def give(self, organisation: UUID, child: _Child) -> None:
        child.idle_since = time.monotonic()
        with self._lock:
            self._children.append((organisation, os.getpid(), child))
            self._drop_old()

    def _drop_old(self) -> None:
        oldest = time.monotonic() - NEXT_FILE_S
        kept = [entry for entry in self._children if entry[2].idle_since > oldest][-IDLE_AT_MOST:]
        for entry in self._children:
            if entry not in kept:
                entry[2].close()
        self._children = kept


fork_server = _ForkServer()
idle_children = IdleChildren()


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
    organisation: UUID | None = None,
    is_blocks: bool = False,
    scans: Path | None = None,
) -> ParsedChunks:
    """Parse a file in a child process and cut it into passages. Safe from any thread.

    Errors: ParseError with any code of docs/errors.md, or `cancelled` when should_stop, called about five times a
    second, returns true. counter: name of the embedding model whose tokens count (see `tokens.counter_for`).
    organisation: the child may read other small files of this organisation; None: it reads this file alone.
    is_blocks: the file holds blocks that were read already (`blocks_chunk`). scans: a file of recognised pages.
    """
    request = {
        "path": str(path),
        "name": name,
        "is_blocks": is_blocks,
        "scans": str(scans or ""),
        "target_tokens": target_tokens,
        "overlap_tokens": overlap_tokens,
        "max_tokens": max_tokens,
        "counter": counter,
        "limits": asdict(limits),
    }
    message = orjson.dumps(request)
    deadline = time.monotonic() + limits.wall_s

    def ask(child: _Child) -> bytearray:
        return _receive(child.answer, deadline, limits, should_stop)

    if organisation is None or path.stat().st_size > SMALL_BYTES or limits != DEFAULT:
        return _result(_ask(message, ask, None), limits)
    child = idle_children.take(organisation)
    if child is not None:
        with suppress(ForkServerGone, OSError):
            received = _ask_again(child, message, ask, organisation)
            if _is_whole(received):
                return _result(received, limits)
        # The child ended as idle, or earlier files had left it too little for this one: a new child decides.
    return _result(_ask(message, ask, organisation), limits)


def blocks_chunk(
    blocks_json: bytes,
    *,
    target_tokens: int,
    overlap_tokens: int,
    max_tokens: int,
    counter: str,
    should_stop: Callable[[], bool] | None = None,
) -> ParsedChunks:
    """Cut blocks that were read elsewhere, such as a transcript, into passages. Errors: as `parse_and_chunk`."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(blocks_json)
        file.flush()
        return parse_and_chunk(
            Path(file.name),
            "",
            target_tokens=target_tokens,
            overlap_tokens=overlap_tokens,
            max_tokens=max_tokens,
            counter=counter,
            should_stop=should_stop,
            is_blocks=True,
        )


def _ask(message: bytes, ask: "Callable[[_Child], bytearray]", organisation: UUID | None) -> bytearray:
    """Have a new child read a file; with an organisation the child waits for another one."""
    for _ in range(_ATTEMPTS):
        process = fork_server.process
        try:
            child = child_start(message, stays=organisation is not None)
            return _with(child, ask, organisation)
        except ForkServerGone:
            fork_server.forget(process)
    raise ParseError("parse_crashed", "the reading process does not start")


def _ask_again(child: "_Child", message: bytes, ask: "Callable[[_Child], bytearray]", organisation: UUID) -> bytearray:
    assert child.further is not None
    try:
        child.further.send(message)
    except OSError:
        child.close()
        raise
    return _with(child, ask, organisation)


def _with(child: "_Child", ask: "Callable[[_Child], bytearray]", organisation: UUID | None) -> bytearray:
    """Return a child's answer; keep the child if the answer is complete, else kill it."""
    stays = False
    try:
        received = ask(child)
        child.files += 1
        stays = organisation is not None and child.files < FILES_OF_A_CHILD and _is_whole(received)
        if stays and organisation is not None:
            idle_children.give(organisation, child)
        return received
    finally:
        if not stays:
            child.close()


def child_start(message: bytes, *, stays: bool) -> "_Child":
    ours, theirs = socket.socketpair()
    further, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) if stays else (None, None)
    child = _Child(ours, further)
    try:
        with theirs:
            fork_server.send(message, *(each for each in (theirs, requests) if each is not None))
        ours.settimeout(POLL_S)
    except BaseException:
        child.close()
        raise
    finally:
        if requests is not None:
            requests.close()
    return child


def _is_whole(received: bytearray) -> bool:
    """Return whether an answer is one complete `J` message."""
    return received[:1] == b"J" and len(received) == 9 + int.from_bytes(received[1:9], "little")


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
            raise ForkServerGone from error
        if part == b"":
            if not received:
                raise ForkServerGone
            return received
        received += part or b""
        if _is_whole(received):
            return received
        if len(received) > limits.text_chars * _ANSWER_BYTES_PER_CHAR:
            raise ParseError("file_too_complex", "more text and places than can be kept")
        now = time.monotonic()
        if now > deadline:
            raise ParseError("parse_timeout", f"{limits.wall_s:g} s")
        if should_stop is not None and now - asked >= POLL_S:
            asked = now
            if should_stop():
                raise ParseError("cancelled")


def _result(received: bytearray, limits: Limits) -> ParsedChunks:
    kind = received[:1]
    if kind == b"M":
        raise ParseError("parse_memory", f"{limits.memory_bytes >> 20} MiB")
    if kind == b"E":
        raise death(orjson.loads(received[1:]), limits)
    size = int.from_bytes(received[1:9], "little")
    if kind != b"J" or len(received) < 9 + size:
        at_end = received.rfind(b'E{"signal"')
        raise death(orjson.loads(received[at_end + 1 :]) if at_end >= 0 else {}, limits)
    body = bytes(memoryview(received)[9 : 9 + size])
    if body.startswith(b"{"):
        error = orjson.loads(body)
        raise ParseError(error["error"], error["detail"])
    # Big-endian, so that its first byte is 0 and never the `{` of an error.
    head_size = int.from_bytes(body[:8], "big")
    return _parsed_chunks(orjson.loads(body[8 : 8 + head_size]), body[8 + head_size :])


def death(end: dict[str, int], limits: Limits) -> ParseError:
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
        seconds=head["seconds"],
        title=head["title"],
        warnings=tuple(head["warnings"]),
        text_chars=head["text_chars"],
        drafts=drafts,
        blocks_json=blocks_json,
        members=head["members"],
    )
