"""Write a backup's file: a tar that gets its name only when it is complete.

Members are written one after the other and hashed on the way, so that memory does not grow with them. Their content
is compressed already (documents, the database's dump), so that the tar is not.
"""

import contextlib
import fcntl
import hashlib
import os
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

BLOCK = 512
READ_BYTES = 1024 * 1024
MANIFEST, SEAL = "manifest.json", "manifest.sha256"
DRAFT = ".part"


class Unwritable(Exception):
    """Raised when the file cannot be made; the text explains it to a person."""


class ArchiveWriter:
    """A writer of an archive. `members`: size and SHA-256 of each member that `add` wrote, for the manifest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.members: dict[str, dict[str, Any]] = {}

    @property
    def written(self) -> int:
        return self._file.tell()

    def add(self, name: str, write: Callable[[Callable[[bytes], object]], object]) -> None:
        """Add a member of unknown length: `write` gets a function that takes its bytes."""
        sha256, size = self._member(name, write)
        self.members[name] = {"bytes": size, "sha256": sha256}

    def add_bytes(self, name: str, data: bytes) -> None:
        self.add(name, lambda put: put(data))

    def add_object(self, name: str, source: BinaryIO, *, sha256: str) -> int | None:
        """Add a stored file, named by its hash; return its size, or None (and write nothing) when it is damaged."""

        def write(put: Callable[[bytes], object]) -> None:
            while data := source.read(READ_BYTES):
                put(data)

        start = self._file.tell()
        found, size = self._member(name, write)
        if found == sha256:
            return size
        self._file.seek(start)
        self._file.truncate()
        return None

    def _member(self, name: str, write: Callable[[Callable[[bytes], object]], object]) -> tuple[str, int]:
        start, digest, size = self._file.tell(), hashlib.sha256(), 0
        # A placeholder with the length of the final header, which depends on the name alone.
        self._file.write(_header(name, 0))

        def put(data: bytes) -> None:
            nonlocal size
            digest.update(data)
            size += len(data)
            self._file.write(data)

        write(put)
        self._file.write(bytes(-size % BLOCK))
        end = self._file.tell()
        self._file.seek(start)
        self._file.write(_header(name, size))
        self._file.seek(end)
        return digest.hexdigest(), size

    def end(self, facts: Mapping[str, Any]) -> None:
        """Write the manifest, followed by its own hash."""
        text = orjson.dumps({**facts, "members": self.members}, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        self._member(MANIFEST, lambda put: put(text))
        self._member(SEAL, lambda put: put(hashlib.sha256(text).hexdigest().encode() + b"\n"))
        self._file.write(bytes(2 * BLOCK))


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member.tobuf(tarfile.GNU_FORMAT)


@contextmanager
def archive_written(path: Path) -> Iterator[ArchiveWriter]:
    """Open a writer. After the `with` the file is on the disk under its name; after an error it is removed.

    Raises Unwritable.
    """
    draft = path.with_name(path.name + DRAFT)
    try:
        _drafts_clear(path.parent)
        # Readable by its owner only: it holds the database and its secrets.
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Unwritable(f"Another backup is being written to {draft}.") from None
    except OSError as error:
        raise Unwritable(f"{draft} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "w+b") as file:
        # The kernel drops the lock with its holder: a draft without a lock is left over from a killed backup.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield ArchiveWriter(file)
            file.flush()
            os.fsync(file.fileno())
            _name_give(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def _name_give(draft: Path, path: Path) -> None:
    """Name the file by a link: a rename would replace a file that got this name meanwhile."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise Unwritable(f"{path} is there already; a backup replaces no file.") from None
    except OSError:
        # For file systems without hard links.
        if path.exists():
            raise Unwritable(f"{path} is there already; a backup replaces no file.") from None
        draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _drafts_clear(folder: Path) -> None:
    """Remove the drafts that killed backups left in the folder."""
    for path in folder.glob(f"*.tar{DRAFT}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
