"""Store files in any S3: the same keys as in the folder, under a prefix of the bucket.

An upload is on the local disk first, because its key is the hash of all its bytes. It is then put under its key before
the transaction that makes its row, which only checks that it is still there. Without a row the reconciler removes it.
"""

import io
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import urllib3
from minio import Minio, S3Error
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from app.lib.storage.folder import FolderStorage
from app.lib.storage.interface import KEY, ObjectMissing, StagedUpload, StoredObject, object_key
from app.lib.storage.s3_client import (
    ANSWER_S,
    Bucket,
    Place,
    bucket_missing,
    client_make,
    named,
    status_of,
    translated,
)
from app.lib.storage.staging import StagedFile

log = logging.getLogger(__name__)

# Bytes of an upload that are in memory at a time. S3 takes parts from 5 MiB, 10,000 of them: objects up to 80 GB.
PART_BYTES = 8 * 1024 * 1024
# Waits before an interrupted download resumes: a restarting store is back in seconds.
RESUME_S = (0.3, 1.0, 3.0)
RESUME_WITHIN_S = 15.0
# Long enough to begin a download, too short to pass an address on.
ADDRESS_S = 60


class _Reader(io.RawIOBase):
    """An object that is read in order; an interrupted download resumes at the same byte."""

    def __init__(self, fetch: Callable[[int], urllib3.BaseHTTPResponse], size: int) -> None:
        self._fetch, self._size, self._at = fetch, size, 0
        self._response: urllib3.BaseHTTPResponse | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._drop()
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes. Raises Upstream: storage_unavailable; ObjectMissing."""
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        begun = time.monotonic()
        for wait in (*RESUME_S, None):
            try:
                data = self._read(wanted)
            except (MinioException, HTTPError) as error:
                self._drop()
                hopeless = status_of(error) in range(400, 500) or time.monotonic() - begun > RESUME_WITHIN_S
                if wait is None or hopeless:
                    raise translated(error) from error
                log.info("file store: a download broke off at byte %d and goes on", self._at)
                time.sleep(wait)
            else:
                break
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _read(self, wanted: int) -> bytes:
        if self._response is None:
            self._response = self._fetch(self._at)
        data = self._response.read(wanted)
        if not data:
            raise HTTPError("the store sent less than it said")
        return data

    def _drop(self) -> None:
        if self._response is not None:
            # Closed, not returned to the pool: unread bytes are still arriving on its connection.
            self._response.close()
            self._response = None

    def close(self) -> None:
        self._drop()
        super().close()


class _S3Upload:
    def __init__(self, store: "S3Storage", file: StagedFile, organisation: UUID) -> None:
        self.sha256, self.bytes = file.sha256, file.bytes
        self.key = object_key(organisation, self.sha256)
        self._store, self._file = store, file

    def commit(self) -> None:
        """Put the bytes if they are not there already: before a transaction, and again if they were deleted."""
        store = self._store
        if store.has(self.key, self.bytes):
            return

        def put() -> None:
            self._file.seek(0)
            # One part at a time: parallel parts would need more memory.
            store.client.put_object(
                store.bucket.name,
                store.name(self.key),
                cast(BinaryIO, self._file),
                self.bytes,
                part_size=PART_BYTES,
                num_parallel_uploads=1,
            )

        with named(self.key):
            store.bucket.do(put)


class S3Storage:
    """Objects under `prefix/` of the bucket. `scratch` is the local disk for files that are being handled."""

    def __init__(self, place: Place, *, prefix: str, scratch: FolderStorage, answer_s: float = ANSWER_S) -> None:
        self.place, self.prefix, self.scratch = place, prefix, scratch
        self.bucket = Bucket(place, answer_s=answer_s)
        self.client = self.bucket.client

    def name(self, key: str) -> str:
        """Return the name of an object in the bucket. Raises ObjectMissing."""
        if not KEY.fullmatch(key):
            raise ObjectMissing(key)
        return f"{self.prefix}/{key}"

    @contextmanager
    def stage(self, stream: BinaryIO, *, organisation: UUID, limit: int | None = None) -> Iterator[StagedUpload]:
        with self.scratch.staged(stream, limit=limit) as file:
            upload = _S3Upload(self, file, organisation)
            if upload.bytes:
                # The upload takes long: it ends before anybody holds a lock or a transaction.
                upload.commit()
            yield upload

    def open(self, key: str) -> BinaryIO:
        name = self.name(key)
        size = self._size(key)

        def fetch(first: int) -> urllib3.BaseHTTPResponse:
            return self.client.get_object(self.bucket.name, name, offset=first)

        return cast(BinaryIO, _Reader(fetch, size))

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """Return a copy whose hash has been checked: a damaged object counts as missing."""
        with self.open(key) as source, self.scratch.staged(source) as file:
            if file.sha256 != key.rpartition("/")[2]:
                log.error("file store: the object %s is damaged", key)
                raise ObjectMissing(key)
            yield file.to_disk()

    def _size(self, key: str) -> int:
        """Return the size of an object. Raises ObjectMissing, Upstream."""
        name = self.name(key)
        try:
            return self.client.stat_object(self.bucket.name, name).size or 0
        except S3Error as error:
            # The error of a HEAD has no body to distinguish a missing bucket from a missing object.
            failure = translated(error, key)
            if isinstance(failure, ObjectMissing):
                self.check()
            raise failure from error
        except (MinioException, HTTPError) as error:
            raise translated(error, key) from error

    def has(self, key: str, size: int) -> bool:
        """Return whether the object exists with this size; False without a bucket. Raises Upstream."""
        try:
            return self.client.stat_object(self.bucket.name, self.name(key)).size == size
        except (MinioException, HTTPError) as error:
            if bucket_missing(error):
                return False
            failure = translated(error, key)
            if isinstance(failure, ObjectMissing):
                return False
            raise failure from error

    def exists(self, key: str) -> bool:
        self.name(key)
        try:
            self._size(key)
        except ObjectMissing:
            return False
        return True

    def delete(self, key: str) -> None:
        name = self.name(key)
        with named(key):
            if self._keeps_versions:
                self._remove_all(name)
            else:
                self.client.remove_object(self.bucket.name, name)

    @cached_property
    def _keeps_versions(self) -> bool:
        """Return whether the bucket has or had versioning: a delete only hides an object then, so versions go too."""
        try:
            return self.client.get_bucket_versioning(self.bucket.name).status in ("Enabled", "Suspended")
        except (S3Error, ValueError) as error:
            if isinstance(error, S3Error) and (bucket_missing(error) or status_of(error) >= 500):
                raise
            # Stores without versions do not implement this call, and a key may not be permitted to make it.
            return False

    def _remove_all(self, prefix: str) -> int:
        names = set()
        entries = self.client.list_objects(
            self.bucket.name, prefix, recursive=True, include_version=self._keeps_versions
        )
        for entry in entries:
            if entry.object_name:
                self.client.remove_object(self.bucket.name, entry.object_name, version_id=entry.version_id)
                names.add(entry.object_name)
        return len(names)

    def objects(self, *, organisation: UUID | None = None) -> Iterator[StoredObject]:
        start = f"{self.prefix}/{organisation}/" if organisation else f"{self.prefix}/"
        with named():
            self.bucket.ensure()
            for entry in self.client.list_objects(self.bucket.name, start, recursive=True):
                key = (entry.object_name or "").removeprefix(f"{self.prefix}/")
                if KEY.fullmatch(key) and entry.last_modified is not None:
                    yield StoredObject(key, entry.size or 0, entry.last_modified.timestamp())

    def organisation_clear(self, organisation: UUID) -> int:
        with named():
            self.bucket.ensure()
            return self._remove_all(f"{self.prefix}/{organisation}/")

    def purge_staging(self, *, older_than_s: float) -> int:
        return self.scratch.purge_staging(older_than_s=older_than_s)

    def download_address(self, key: str, *, disposition: str, media_type: str) -> str | None:
        if not self.place.public_url:
            return None
        self._size(key)
        headers: dict[str, str | list[str] | tuple[str]] = {
            "response-content-disposition": disposition,
            "response-content-type": media_type,
            "response-cache-control": "private, no-cache",
        }
        with named(key):
            return self._public_client.presigned_get_object(
                self.bucket.name, self.name(key), timedelta(seconds=ADDRESS_S), headers
            )

    @cached_property
    def _public_client(self) -> Minio:
        """Return the client that signs for browsers. No request goes to their address: the region is known inside."""
        signed = self.client.presigned_get_object(self.bucket.name, "region")
        # …/20261121/eu-central-1/s3/aws4_request
        region = parse_qs(urlsplit(signed).query)["X-Amz-Credential"][0].split("/")[-3]
        return client_make(self.place, url=self.place.public_url, region=region)

    def check(self) -> None:
        """Check that files can be stored. Raises Upstream: storage_unavailable."""
        self.bucket.check()
