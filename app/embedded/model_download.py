"""Download of a model's file from its publisher: resumed where it broke off, with progress, kept only when it is whole.

The file is compared with its known size and SHA-256, so the address need not be trusted.
"""

import hashlib
import http.client
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, TextIO

from app.lib.engine_error import EngineError

BLOCK = 1024 * 1024
TIMEOUT_S = 15
# Tries in a row that bring nothing; one that brings something begins the count anew.
TRIES = 5
# Where no server answered at all: machines without a route out wait for this.
TRIES_UNANSWERED = 2
PAUSE_S = 2.0
# A whole file and room for the rest of the box to go on.
KEEP_FREE_BYTES = 512 * 1024 * 1024


class Unreachable(EngineError):
    """The publisher's address gives no file: no route, no such address, or another file than the known one."""


def model_download(
    url: str, target: Path, *, size: int, sha256: str, output: TextIO = sys.stderr, pause_s: float = PAUSE_S
) -> None:
    """Download a file to `target`, which exists afterwards only when it is the known one.

    size: in bytes. What was received stays in `<target>.download` and is resumed by the next call.

    Raises:
        Unreachable: the address gives nothing, or another file.
        EngineError: too little room on the disk.
    """
    draft = target.with_name(f"{target.name}.download")
    received = draft.stat().st_size if draft.exists() else 0
    free = shutil.disk_usage(target.parent).free
    if free < size - received + KEEP_FREE_BYTES:
        raise EngineError(
            f"{target.name} needs {(size - received + KEEP_FREE_BYTES) / 1e9:.1f} GB in {target.parent}, "
            f"where {free / 1e9:.1f} GB are free."
        )
    progress = Progress(size, output)
    _receive(url, draft, size, progress, pause_s)
    progress.end()
    digest = hashlib.sha256()
    with draft.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != sha256:
        draft.unlink()
        raise Unreachable(f"{url} gave another file than the known one: SHA-256 {digest.hexdigest()}. It is removed.")
    draft.replace(target)


def _receive(url: str, draft: Path, size: int, progress: "Progress", pause_s: float) -> None:
    """Append to the draft until it has its size."""
    failures, tries = 0, TRIES_UNANSWERED
    while True:
        before = draft.stat().st_size if draft.exists() else 0
        if before > size:
            draft.unlink()
            before = 0
        if before == size:
            return
        try:
            _append(url, draft, before, size, progress)
        except urllib.error.HTTPError as error:
            tries = TRIES
            # 416: the draft is of another file. 5xx may pass.
            if error.code == 416 and before:
                draft.unlink()
            elif error.code < 500:
                raise Unreachable(f"{url} answers {error.code}.") from error
            reason = f"answers {error.code}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        else:
            reason = "breaks off"
        after = draft.stat().st_size if draft.exists() else 0
        failures = 0 if after > before else failures + 1
        tries = TRIES if after > before else tries
        if failures >= tries:
            raise Unreachable(f"{url} cannot be fetched: {reason}.")
        if after < size:
            time.sleep(pause_s * failures)


def _append(url: str, draft: Path, start: int, size: int, progress: "Progress") -> None:
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  our own table has https addresses
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        resumed = response.status == 206
        length = response.headers.get("Content-Length")
        whole = (start if resumed else 0) + int(length) if length and length.isdecimal() else None
        if whole is not None and whole != size:
            # Such as a proxy's page instead of the file.
            raise Unreachable(f"{url} gives a file of {whole:,} bytes instead of {size:,}.")
        with draft.open("ab" if resumed else "wb") as file:
            _copy(response, file, start if resumed else 0, size, progress)


def _copy(response: IO[bytes], file: IO[bytes], at: int, size: int, progress: "Progress") -> None:
    while block := response.read(BLOCK):
        file.write(block)
        at += len(block)
        if at > size:
            raise Unreachable("The address gives more bytes than the known file has.")
        progress.show(at)
    file.flush()
    os.fsync(file.fileno())


class Progress:
    """One bar with size, speed and time left; without a terminal a line each tenth."""

    def __init__(self, size: int, output: TextIO) -> None:
        self._size = size
        self._output = output
        self._began: tuple[float, int] | None = None
        self._shown = -1

    def show(self, received: int) -> None:
        if self._began is None:
            self._began = time.monotonic(), received
        percent = 100 * received // self._size
        step = percent if self._output.isatty() else percent // 10 * 10
        if step == self._shown:
            return
        self._shown = step
        seconds = time.monotonic() - self._began[0]
        speed = (received - self._began[1]) / seconds if seconds > 0.5 else 0.0
        left = f", {(self._size - received) / speed:.0f} s left" if speed else ""
        line = f"  {step:3} % of {self._size / 1e9:.1f} GB, {speed / 1e6:.1f} MB/s{left}"
        if self._output.isatty():
            bar = "#" * (percent // 4)
            self._output.write(f"\r[{bar:<25}]{line:<60}")
        else:
            self._output.write(f"{line}\n")
        self._output.flush()

    def end(self) -> None:
        if self._output.isatty() and self._shown >= 0:
            self._output.write("\n")
