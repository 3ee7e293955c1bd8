"""The parent's side of the confined program: it is started for one scan, and ends with it."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import orjson

from app.library.parsers.blocks import ParseError

_ROOT = Path(__file__).resolve().parents[3]
_PACKAGES = ("rapidocr", "opencv-python-headless", "pyclipper", "shapely", "onnxruntime")
_POLL_S = 0.2
# The longest time of one page, which takes 2 s of an idle machine and waits for all other work on a busy one.
QUIET_S = 600.0
# Others are served first; more than four threads gain little.
NICE = 10
THREADS = min(4, os.cpu_count() or 1)
# A page of 20,000 pieces.
_MESSAGE_BYTES = 4 * 1024 * 1024


def packages_missing() -> list[str]:
    """Return the packages of the optional set that are not installed."""
    missing = []
    for name in _PACKAGES:
        try:
            distribution(name)
        except PackageNotFoundError:
            missing.append(name)
    return missing


def pages_recognise(
    path: Path,
    media_type: str,
    *,
    pages: Sequence[int] = (),
    skipped: Collection[int] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the recognised pages of a scan: page, count (of the file's pages), width, height, turn, pieces.

    pages: the wanted ones; none: all. skipped: those that are read already.

    Raises:
        ParseError: the program's own, parse_timeout, parse_crashed, cancelled.
    """
    request = {
        "path": str(path),
        "media_type": media_type,
        "pages": list(pages),
        "skipped": list(skipped),
        "threads": THREADS,
        "parent": os.getpid(),
    }
    process = _start()
    try:
        assert process.stdin is not None
        process.stdin.write(orjson.dumps(request))
        process.stdin.close()
        for message in _messages(process, should_stop):
            if "error" in message:
                raise ParseError(message["error"], message["detail"])
            if message.get("end"):
                return
            yield message
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _start() -> "subprocess.Popen[bytes]":
    # Only these variables: a process that reads foreign files must not have the worker's passwords.
    environment = {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": str(THREADS),
    }
    command = ["nice", "-n", str(NICE), sys.executable, "-m", "app.library.ocr.child"]
    return subprocess.Popen(
        command, cwd=_ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _messages(process: "subprocess.Popen[bytes]", should_stop: Callable[[], bool] | None) -> Iterator[dict[str, Any]]:
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
                while (end := received.find(b"\n")) >= 0:
                    message: dict[str, Any] = orjson.loads(received[:end])
                    del received[: end + 1]
                    yield message
                if len(received) > _MESSAGE_BYTES:
                    raise ParseError("file_too_complex", "more text than a page can have")
                heard = time.monotonic()
            elif time.monotonic() - heard > QUIET_S:
                raise ParseError("parse_timeout", f"{QUIET_S:g} s for one page")


def _death(process: "subprocess.Popen[bytes]") -> ParseError:
    number = -process.wait()
    if number == signal.SIGXCPU:
        return ParseError("parse_timeout", "processor time")
    return ParseError("parse_crashed", signal.Signals(number).name if number > 0 else "ended without an answer")
