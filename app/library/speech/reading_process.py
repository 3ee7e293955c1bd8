"""The parent's side of the confined program: it is started for one recording, and ends with it."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import orjson

from app.library.parsers.blocks import ParseError
from app.library.speech.transcript import Transcript

_ROOT = Path(__file__).resolve().parents[3]
_PACKAGES = ("faster-whisper", "ctranslate2", "av")
_POLL_S = 0.2
# The longest silence of the program: two minutes of sound are decoded and searched for speech on a slow machine.
QUIET_S = 300.0
# Others are served first; the model's own threads, of which more than four gain little.
NICE = 10
THREADS = min(4, os.cpu_count() or 1)
# A piece of two minutes for a server is 4 MB.
_MESSAGE_BYTES = 16 * 1024 * 1024


def packages_missing() -> list[str]:
    """Return the packages of the optional set that are not installed."""
    missing = []
    for name in _PACKAGES:
        try:
            distribution(name)
        except PackageNotFoundError:
            missing.append(name)
    return missing


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the program: its fields, and the samples that came with it."""

    fields: dict[str, Any]
    samples: bytes = b""


def messages(
    path: Path,
    media_type: str,
    transcript: Transcript,
    *,
    files: dict[str, list[Path]],
    should_stop: Callable[[], bool] | None,
) -> Iterator[Message]:
    """Read a recording from `transcript.position_s` on; keep the transcript's duration, language and warnings.

    files: of the model; none: the pieces of sound come instead of segments.

    Raises:
        ParseError: the program's own, parse_timeout, parse_crashed, cancelled.
    """
    request = {
        "path": str(path),
        "media_type": media_type,
        "start_s": transcript.position_s,
        "language": transcript.language,
        "files": {name: [str(part) for part in parts] for name, parts in files.items()},
        "threads": THREADS,
        "parent": os.getpid(),
    }
    process = _start()
    try:
        assert process.stdin is not None
        process.stdin.write(orjson.dumps(request))
        process.stdin.close()
        for message in _messages(process, should_stop):
            fields = message.fields
            if "error" in fields:
                raise ParseError(fields["error"], fields["detail"])
            transcript.duration_s = fields.get("duration") or transcript.duration_s
            transcript.language = fields.get("language") or transcript.language
            if fields.get("end"):
                _end(transcript, cut_short=fields["cut_short"])
                return
            yield message
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _end(transcript: Transcript, *, cut_short: bool) -> None:
    if cut_short:
        transcript.warnings.append(f"recording_cut_short:{round(transcript.duration_s or 0)}")


def _start() -> subprocess.Popen[bytes]:
    # Only these variables: a process that reads foreign files must not have the worker's passwords.
    environment = {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": str(THREADS),
        "HF_HUB_OFFLINE": "1",
    }
    command = ["nice", "-n", str(NICE), sys.executable, "-m", "app.library.speech.child"]
    return subprocess.Popen(
        command, cwd=_ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _messages(process: subprocess.Popen[bytes], should_stop: Callable[[], bool] | None) -> Iterator[Message]:
    """Yield messages until the program ends. Raises ParseError."""
    assert process.stdout is not None
    received = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        heard = time.monotonic()
        while True:
            if should_stop is not None and should_stop():
                raise ParseError("cancelled")
            if selector.select(_POLL_S):
                part = os.read(process.stdout.fileno(), 1024 * 1024)
                if not part:
                    raise _death(process)
                received += part
                heard = time.monotonic()
                yield from _complete(received)
                if len(received) > _MESSAGE_BYTES:
                    raise ParseError("file_too_complex", "more than a piece of sound in a message")
            elif time.monotonic() - heard > QUIET_S:
                raise ParseError("parse_timeout", f"{QUIET_S:g} s without a word")


def _complete(received: bytearray) -> Iterator[Message]:
    """Take the complete messages from the front of what was received."""
    while (end := received.find(b"\n")) >= 0:
        fields = orjson.loads(received[:end])
        size = fields.get("samples", 0)
        if len(received) < end + 1 + size:
            return
        message = Message(fields, bytes(received[end + 1 : end + 1 + size]))
        del received[: end + 1 + size]
        yield message


def _death(process: subprocess.Popen[bytes]) -> ParseError:
    number = -process.wait()
    if number == signal.SIGXCPU:
        return ParseError("parse_timeout", "processor time")
    return ParseError("parse_crashed", signal.Signals(number).name if number > 0 else "ended without an answer")
