"""The one door to stored files: a folder or any S3, behind one interface.

A key is `{organisation}/{first two of the hash}/{SHA-256 in hex}`: the same bytes of an organisation are one object,
and no key holds a name that a person chose.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

from django.conf import settings

from app.errors import RefdeskError

READ_BYTES = 256 * 1024
# Room that stays free for PostgreSQL and the vectors, which fail worse than an upload does.
KEEP_FREE_BYTES = 512 * 1024 * 1024
KEY = re.compile(r"[0-9a-f-]{36}/[0-9a-f]{2}/[0-9a-f]{64}")


class TooLarge(Exception):
    """A stream went beyond the limit; nothing of it is kept."""


class ObjectMissing(Exception):
    """No object has this key."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """`modified` is in seconds since the epoch, by the store's clock."""

    key: str
    bytes: int
    modified: float


class Received(Protocol):
    """Bytes that have arrived but belong to no key yet; gone at the end of its `with`, unless kept."""

    sha256: str
    bytes: int
    key: str

    def keep(self) -> None:
        """Put the bytes under their key, for good when this returns. Harmless when they are there already."""


class Storage(Protocol):
    """Every call may raise Upstream (storage_unavailable) where the store is a server; asking again may help."""

    def receive(
        self, stream: BinaryIO, *, organisation: UUID, limit: int | None = None
    ) -> AbstractContextManager[Received]:
        """Take a stream, hashed on the way, never whole in memory.

        Raises:
            TooLarge: it is longer than `limit` bytes.
            RefdeskError: disk_full, storage_unavailable.
        """

    def open(self, key: str) -> BinaryIO:
        """The object from its first byte; it can be wound. Raises ObjectMissing."""

    def local_path(self, key: str) -> AbstractContextManager[Path]:
        """The object as a file to read, for as long as the `with` lasts. Raises ObjectMissing."""

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Harmless when it is gone."""

    def objects(self, *, organisation: UUID | None = None) -> Iterator[StoredObject]:
        """Every object, or every one of an organisation, in no order; one that comes or goes meanwhile may be seen or
        not."""

    def organisation_clear(self, organisation: UUID) -> int:
        """Remove every object of an organisation that is gone; how many."""

    def incoming_clear(self, *, older_than_s: float) -> int:
        """Remove what a killed process left half received; how many files."""

    def download_address(self, key: str, *, disposition: str, media_type: str) -> str | None:
        """Where a browser gets the object from the store itself, for a minute; None: it comes through us.

        Raises ObjectMissing.
        """

    def check(self) -> None:
        """Raises RefdeskError: storage_unavailable."""


def object_key(organisation: UUID, sha256: str) -> str:
    return f"{organisation}/{sha256[:2]}/{sha256}"


@contextmanager
def _disk_full_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RefdeskError("disk_full") from error
        raise


class _ReceivedFile:
    def __init__(self, root: Path, temporary: Path, organisation: UUID, sha256: str, size: int) -> None:
        self.sha256, self.bytes = sha256, size
        self.key = object_key(organisation, sha256)
        self._root, self._temporary = root, temporary

    def keep(self) -> None:
        final = self._root / self.key
        if final.is_file() and final.stat().st_size == self.bytes:
            return
        with _disk_full_named():
            made = not final.parent.is_dir()
            final.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.replace(final)
            _folder_sync(final.parent)
            if made:
                _folder_sync(final.parent.parent)
                _folder_sync(self._root)


def _folder_sync(folder: Path) -> None:
    """A renamed file survives a power cut only when its folder is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FolderStorage:
    """Objects as files under `root`; what has not arrived in full is in `root/incoming`."""

    def __init__(self, root: Path, *, keep_free_bytes: int = KEEP_FREE_BYTES) -> None:
        self.root = root
        self.keep_free_bytes = keep_free_bytes
        self.incoming = root / "incoming"

    @contextmanager
    def receive(self, stream: BinaryIO, *, organisation: UUID, limit: int | None = None) -> Iterator[Received]:
        with _disk_full_named():
            descriptor, name = tempfile.mkstemp(dir=self.incoming_made())
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as target:
                sha256, size = self._copy(stream, target, limit)
            yield _ReceivedFile(self.root, temporary, organisation, sha256, size)
        finally:
            temporary.unlink(missing_ok=True)

    def incoming_made(self) -> Path:
        self.incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self.incoming

    def _copy(self, stream: BinaryIO, target: BinaryIO, limit: int | None) -> tuple[str, int]:
        copied = self.copy_in(stream, target, limit)
        with _disk_full_named():
            os.fsync(target.fileno())
        return copied

    def copy_in(self, stream: BinaryIO, target: BinaryIO, limit: int | None) -> tuple[str, int]:
        """Copy to a file on this disk; SHA-256 and size. Raises TooLarge, RefdeskError: disk_full."""
        digest, size = hashlib.sha256(), 0
        with _disk_full_named():
            while data := stream.read(READ_BYTES):
                size += len(data)
                if limit is not None and size > limit:
                    raise TooLarge
                self._check_room(len(data))
                digest.update(data)
                view = memoryview(data)
                while view:
                    view = view[target.write(view) :]
            target.flush()
        return digest.hexdigest(), size

    def _check_room(self, wanted: int) -> None:
        if shutil.disk_usage(self.root).free - wanted < self.keep_free_bytes:
            raise RefdeskError("disk_full")

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ObjectMissing(key)
        return self.root / key

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        path = self._path(key)
        if not path.is_file():
            raise ObjectMissing(key)
        yield path

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        # Folders stay: removing one could race with a file that is just being put there.
        self._path(key).unlink(missing_ok=True)

    def objects(self, *, organisation: UUID | None = None) -> Iterator[StoredObject]:
        for path in self.root.glob(f"{organisation or '*'}/*/*"):
            key = path.relative_to(self.root).as_posix()
            with contextlib.suppress(FileNotFoundError):
                if KEY.fullmatch(key) and path.is_file():
                    stat = path.stat()
                    yield StoredObject(key, stat.st_size, stat.st_mtime)

    def organisation_clear(self, organisation: UUID) -> int:
        count = 0
        for stored in self.objects(organisation=organisation):
            self.delete(stored.key)
            count += 1
        # Here the folders go too: nobody puts anything there any more.
        shutil.rmtree(self.root / str(organisation), ignore_errors=True)
        return count

    def incoming_clear(self, *, older_than_s: float) -> int:
        removed, now = 0, time.time()
        for path in self.incoming.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if now - path.stat().st_mtime > older_than_s:
                    path.unlink()
                    removed += 1
        return removed

    def download_address(self, key: str, *, disposition: str, media_type: str) -> str | None:
        return None

    def check(self) -> None:
        if self.root.exists() and not os.access(self.root, os.W_OK | os.X_OK):
            raise RefdeskError("storage_unavailable", details={"reason": "PermissionError"})


@cache
def _folder_storage(root: Path) -> FolderStorage:
    return FolderStorage(root)


@cache
def _s3_storage(prefix: str, scratch: Path, *place: str) -> Storage:
    # Here, because the client's package costs a process 14 MB that a folder does not need.
    from app.lib.s3_client import Place
    from app.lib.s3_storage import S3Storage

    return S3Storage(Place(*place), prefix=prefix, scratch=FolderStorage(scratch))


def _storage(name: str) -> Storage:
    if not settings.S3_URL:
        return _folder_storage(settings.DATA / name)
    keys = (settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY)
    return _s3_storage(
        name, settings.DATA / "objects", settings.S3_URL, settings.S3_BUCKET, *keys, settings.S3_PUBLIC_URL
    )


def storage_ping(answer_s: float, *, make: bool = False) -> None:
    """Ask the S3 store for its bucket, once and quickly. make: a new store has none yet.

    Raises Upstream: storage_unavailable.
    """
    from app.lib.s3_client import Client, Place, bucket_check

    keys = (settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY)
    bucket_check(Client(Place(settings.S3_URL, settings.S3_BUCKET, *keys), answer_s=answer_s, tries=1), make=make)


def storage() -> Storage:
    """The deployment's store."""
    return _storage("objects")


def exports_storage() -> Storage:
    """Of exports: apart from the documents' store, whose objects are compared with the documents' rows."""
    return _storage("exports")
