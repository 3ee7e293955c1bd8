"""Files on their way to a store: written to the local disk once, then renamed into place."""

import contextlib
import errno
import hashlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from app.errors import RefdeskError
from app.lib.storage.interface import TooLarge

# Files with fewer bytes stay in memory until they are stored.
IN_MEMORY_BYTES = 64 * 1024
READ_BYTES = 256 * 1024


@contextmanager
def disk_full_named() -> Iterator[None]:
    """Translate a full disk's error. Raises RefdeskError: disk_full, when the disk has no space."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RefdeskError("disk_full") from error
        raise


def disk_space_check(folder: Path, *, wanted: int, reserve: int) -> None:
    """Check that a disk has room for `wanted` bytes beside its reserve. Raises RefdeskError: disk_full."""
    if shutil.disk_usage(folder).free - wanted < reserve:
        raise RefdeskError("disk_full")


def folder_sync(folder: Path) -> None:
    """Flush a folder's entries to the disk: without them a renamed file does not survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class StagedFile(io.RawIOBase):
    """Bytes on their way to a store, hashed as they arrive: in memory while few, then in a file of `folder`.

    Closing removes the file unless it was moved. Nothing is kept beyond `limit` bytes. keep_free_bytes: by default
    DISK_RESERVE_BYTES.
    """

    def __init__(self, folder: Path, *, limit: int | None = None, keep_free_bytes: int | None = None) -> None:
        super().__init__()
        self.folder, self.limit = folder, limit
        self.bytes = 0
        self.too_large = False
        self.path: Path | None = None
        self._keep_free_bytes = settings.DISK_RESERVE_BYTES if keep_free_bytes is None else keep_free_bytes
        self._digest = hashlib.sha256()
        self._file: BinaryIO = io.BytesIO()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        """Append data; only allowed before the first read.

        Raises:
            TooLarge: the data is longer than the limit; earlier data is dropped.
            RefdeskError: disk_full.
        """
        if self.too_large or (self.limit is not None and self.bytes + len(data) > self.limit):
            self.too_large = True
            self._drop()
            raise TooLarge
        self.bytes += len(data)
        self._digest.update(data)
        if self.path is None and self.bytes > IN_MEMORY_BYTES:
            self.to_disk()
        self._append(data)
        return len(data)

    def _append(self, data: bytes | memoryview) -> None:
        if self.path is not None:
            disk_space_check(self.folder, wanted=len(data), reserve=self._keep_free_bytes)
        with disk_full_named():
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]

    def to_disk(self) -> Path:
        """Return the file's path; bytes in memory are written first. Raises RefdeskError: disk_full."""
        if self.path is None:
            memory = self._file
            with disk_full_named():
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor, name = tempfile.mkstemp(dir=self.folder)
            self._file, self.path = os.fdopen(descriptor, "w+b", buffering=0), Path(name)
            memory.seek(0)
            self._append(memory.read())
        return self.path

    def settle(self) -> None:
        """Flush all bytes to the disk, so that a power cut loses none. Raises RefdeskError: disk_full."""
        self.to_disk()
        with disk_full_named():
            os.fsync(self._file.fileno())

    def move(self, final: Path) -> None:
        """Rename the file; closing no longer removes it."""
        self.to_disk().replace(final)
        self.path = None
        self.close()

    def read(self, size: int | None = -1, /) -> bytes:
        return self._file.read(-1 if size is None else size)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def _drop(self) -> None:
        self._file.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path = None
        self._file = io.BytesIO()

    def close(self) -> None:
        if not self.closed:
            self._drop()
        super().close()


@contextmanager
def staged_file(
    stream: BinaryIO | StagedFile, folder: Path, *, limit: int | None = None, keep_free_bytes: int | None = None
) -> Iterator[StagedFile]:
    """Return a stream as a staged file of `folder`: a staged file unchanged, else a copy. Closed at the end.

    Raises:
        TooLarge: the stream is longer than `limit` bytes.
        RefdeskError: disk_full.
    """
    if isinstance(stream, StagedFile) and stream.folder == folder:
        file = stream
    else:
        file = StagedFile(folder, limit=limit, keep_free_bytes=keep_free_bytes)
    with file:
        if file is not stream:
            while data := stream.read(READ_BYTES):
                file.write(data)
        if file.too_large or (limit is not None and file.bytes > limit):
            raise TooLarge
        file.seek(0)
        yield file


def staging_purge(folder: Path, *, older_than_s: float) -> int:
    """Remove files that were last written to longer ago than this; return the count."""
    removed, now = 0, time.time()
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > older_than_s:
                path.unlink()
                removed += 1
    return removed
