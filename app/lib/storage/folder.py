"""Store files in a folder."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from app.errors import RefdeskError
from app.lib.storage.interface import KEY, ObjectMissing, StagedUpload, StoredObject, object_key
from app.lib.storage.staging import (
    StagedFile,
    disk_full_named,
    folder_sync,
    staged_file,
    staging_purge,
)


class _FolderUpload:
    def __init__(self, root: Path, file: StagedFile, organisation: UUID) -> None:
        self.sha256, self.bytes = file.sha256, file.bytes
        self.key = object_key(organisation, self.sha256)
        self._root, self._file = root, file

    def commit(self) -> None:
        final = self._root / self.key
        if final.is_file() and final.stat().st_size == self.bytes:
            return
        with disk_full_named():
            made = not final.parent.is_dir()
            final.parent.mkdir(parents=True, exist_ok=True)
            self._file.move(final)
            folder_sync(final.parent)
            if made:
                folder_sync(final.parent.parent)
                folder_sync(self._root)


class FolderStorage:
    """Objects as files under `root`; files that are not yet objects are in `root/incoming`."""

    def __init__(self, root: Path, *, keep_free_bytes: int | None = None) -> None:
        self.root = root
        self.keep_free_bytes = keep_free_bytes
        self.staging = root / "incoming"

    @contextmanager
    def stage(self, stream: BinaryIO, *, organisation: UUID, limit: int | None = None) -> Iterator[StagedUpload]:
        with self.staged(stream, limit=limit) as file:
            # Here, because a transaction must not wait for the disk.
            file.settle()
            yield _FolderUpload(self.root, file, organisation)

    def staged(self, stream: BinaryIO, *, limit: int | None = None) -> contextlib.AbstractContextManager[StagedFile]:
        """Return a stream as a file on this disk. Raises TooLarge, RefdeskError: disk_full."""
        return staged_file(stream, self.staging, limit=limit, keep_free_bytes=self.keep_free_bytes)

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
        # Folders stay: removing one could race with a file being added to it.
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
        # Here the folders go too: no more files are added to them.
        shutil.rmtree(self.root / str(organisation), ignore_errors=True)
        return count

    def purge_staging(self, *, older_than_s: float) -> int:
        return staging_purge(self.staging, older_than_s=older_than_s)

    def download_address(self, key: str, *, disposition: str, media_type: str) -> str | None:
        return None

    def check(self) -> None:
        if self.root.exists() and not os.access(self.root, os.W_OK | os.X_OK):
            raise RefdeskError("storage_unavailable", details={"reason": "PermissionError"})
