"""Download of a model's file from its publisher: resumed where it broke off, with progress, kept only when it is whole.

The file is compared with its known size and SHA-256, so the address need not be trusted.
"""

import hashlib
import http.client
import os
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from app.embedded.download_progress import Progress
from app.lib.engine_error import EngineError

BLOCK = 1024 * 1024
# Tries in a row that bring nothing; one that brings something begins this count anew, but not that of all tries.
TRIES = 5
TRIES_ALTOGETHER = 50
# Where no server answered at all: machines without a route out wait for this.
TRIES_UNANSWERED = 2
# Room for the rest of the box, besides the whole file.
KEEP_FREE_BYTES = 512 * 1024 * 1024
# Statuses below 500 that are worth another try: request timeout, too early, too many requests.
PASSING = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Patience:
    """timeout_s: that a server may say nothing. pause_s: before another try, times the tries that brought nothing."""

    timeout_s: float = 10.0
    pause_s: float = 2.0


class Unreachable(EngineError):
    """The publisher's address gives no file: no route, no such address, or another file than the known one."""


class Draft:
    """A partly received file, which a later call resumes: `<target>.part`, with the server's ETag beside it."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._etag = target.with_name(f"{target.name}.part.etag")

    def bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def etag(self) -> str:
        """Return the ETag of the file that the draft is the beginning of, or "" when none is known."""
        return self._etag.read_text() if self._etag.exists() else ""

    def begin(self, etag: str | None) -> None:
        """Store the ETag of a file that is received from its first byte. A weak one says nothing of bytes."""
        self._etag.write_text(etag if etag and re.fullmatch(r'"[\x21\x23-\x7e]*"', etag) else "")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._etag.unlink(missing_ok=True)

    def keep(self, target: Path) -> None:
        self.path.replace(target)
        self._etag.unlink(missing_ok=True)


def model_download(
    url: str,
    target: Path,
    *,
    size: int,
    sha256: str,
    output: TextIO | None = None,
    patience: Patience = Patience(),
) -> None:
    """Download a file to `target`, which exists afterwards only when it is the known one.

    size: in bytes. output: what shows the progress, standard output by default.

    Raises:
        Unreachable: the address gives nothing, or another file.
        EngineError: the disk has too little room or cannot be written.
    """
    draft = Draft(target)
    free, missing = shutil.disk_usage(target.parent).free, size - draft.bytes() + KEEP_FREE_BYTES
    if free < missing:
        raise EngineError(
            f"{target.name} needs {missing / 1e9:.1f} GB in {target.parent}, where {free / 1e9:.1f} GB are free."
        )
    progress = Progress(size, output or sys.stdout)
    try:
        _receive(url, draft, size, progress, patience)
    finally:
        progress.end()
    digest = hashlib.sha256()
    with draft.path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != sha256:
        draft.remove()
        raise Unreachable(
            f"{_host(url)} gave another file than the known one: SHA-256 {digest.hexdigest()}. It is removed."
        )
    draft.keep(target)


def model_download_discard(target: Path) -> None:
    """Remove what was received of a file that came another way."""
    Draft(target).remove()


def _receive(url: str, draft: Draft, size: int, progress: Progress, patience: Patience) -> None:
    """Append to the draft until it has its size. Raises Unreachable, EngineError."""
    failures, tries = 0, TRIES_UNANSWERED
    for _ in range(TRIES_ALTOGETHER):
        before = draft.bytes()
        if before == size:
            return
        if before > size:
            draft.remove()
            before = 0
        try:
            _append(url, draft, size, progress, patience.timeout_s)
            reason = "the connection breaks off"
        except urllib.error.HTTPError as error:
            reason, tries = _refusal(url, error, draft), TRIES
        except (OSError, http.client.HTTPException) as error:
            reason = _reason(error)
            # Waiting for each address of a host that never answers takes long enough.
            tries = 1 if "timed out" in reason and tries == TRIES_UNANSWERED else tries
        if draft.bytes() > before:
            failures, tries = 0, TRIES
        else:
            failures += 1
        if failures >= tries:
            break
        if draft.bytes() < size:
            time.sleep(patience.pause_s * failures)
    if draft.bytes() < size:
        raise Unreachable(f"The file cannot be fetched from {_host(url)}: {reason}.")


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _reason(error: Exception) -> str:
    """Return an error of the network in words: "Name or service not known" without its number."""
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or str(cause) or type(error).__name__


def _refusal(url: str, error: urllib.error.HTTPError, draft: Draft) -> str:
    """Return the reason of an answer that may pass. Raises Unreachable for one that will not."""
    error.close()
    if error.code == 416 and draft.bytes():
        # The draft is of another file.
        draft.remove()
    elif error.code < 500 and error.code not in PASSING:
        raise Unreachable(f"{_host(url)} answers {error.code}.")
    return f"the server answers {error.code}"


def _append(url: str, draft: Draft, size: int, progress: Progress, timeout_s: float) -> None:
    """Receive what a connection brings. Raises Unreachable, EngineError, OSError, HTTPException."""
    start, etag = draft.bytes(), draft.etag()
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and etag:
        # Another file than the draft's is sent whole.
        headers["If-Range"] = etag
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  our own table has https addresses
    with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310
        if response.status != 206:
            start = 0
        _check(url, response, start, size)
        if not start:
            with _disk(draft.path):
                draft.begin(response.headers.get("ETag"))
        received = _copy(response, draft.path, start, size, progress)
    # The end of a chunked body is known from one that broke off.
    if received > size or (response.chunked and received != size):
        draft.remove()
        raise Unreachable(f"{_host(url)} gives a file of other than {size:,} bytes. It is removed.")


def _check(url: str, response: http.client.HTTPResponse, start: int, size: int) -> None:
    """Raise Unreachable for a response that is not the file, or not its end from `start`: such as a proxy's page."""
    if response.headers.get_content_type() == "text/html":
        raise Unreachable(f"{_host(url)} gives a page instead of the file.")
    length = response.headers.get("Content-Length")
    whole = start + int(length) if length and length.isdecimal() else size
    if start:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != start:
            raise Unreachable(f"{_host(url)} gives another part of the file than was asked for.")
        whole = whole if found[2] == "*" else int(found[2])
    if whole != size:
        raise Unreachable(f"{_host(url)} gives a file of {whole:,} bytes instead of {size:,}.")


def _copy(response: http.client.HTTPResponse, path: Path, at: int, size: int, progress: Progress) -> int:
    """Write a response's bytes from `at` on, and return how many the file has then: at most one block too many."""
    with _disk(path):
        file = path.open("ab" if at else "wb", buffering=BLOCK)
    try:
        # One read of the network at a time: what came before a break is not lost.
        while at <= size and (block := response.read1(BLOCK)):
            with _disk(path):
                file.write(block)
            at += len(block)
            progress.show(min(at, size))
    finally:
        with _disk(path), file:
            file.flush()
            os.fsync(file.fileno())
    return at


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Tell an error of the disk from one of the network: no other try will help. Raises EngineError."""
    try:
        yield
    except OSError as error:
        raise EngineError(f"{path} cannot be written: {error.strerror}.") from error
