"""Stored files in any S3: the same keys as in the folder, under a prefix of the bucket.

An upload is spooled on the local disk first, because its key is the hash of all of it. What is larger than a part is
then sent in parts that nobody sees, so that keeping it, inside a transaction, is one small call.
"""

import io
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import urllib3
from minio import S3Error
from minio.datatypes import Part
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from app.lib.s3_client import (
    ANSWER_S,
    Client,
    Place,
    bucket_check,
    bucket_ensure,
    bucket_missing,
    named,
    status_of,
    translated,
    with_bucket,
)
from app.lib.storage import KEY, FolderStorage, ObjectMissing, Received, StoredObject, object_key

log = logging.getLogger(__name__)

# Of an upload this much is in memory at a time. S3 takes parts from 5 MiB, 10,000 of them: objects up to 80 GB.
PART_BYTES = 8 * 1024 * 1024
SPOOL_IN_MEMORY = 256 * 1024
# Waits before a download that broke off goes on: a store that restarts is back in seconds.
RESUME_S = (0.3, 1.0, 3.0)
RESUME_WITHIN_S = 15.0
# Long enough to begin a download, too short to pass an address on.
ADDRESS_S = 60


class _Reader(io.RawIOBase):
    """An object that is read in order; when the store breaks off, it goes on from the same byte."""

    def __init__(self, fetch: Callable[[int], urllib3.BaseHTTPResponse], size: int) -> None:
        self._fetch, self._size, self._at = fetch, size, 0
        self._answer: urllib3.BaseHTTPResponse | None = None

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
        """Raises Upstream: storage_unavailable; ObjectMissing."""
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
        if self._answer is None:
            self._answer = self._fetch(self._at)
        data = self._answer.read(wanted)
        if not data:
            raise HTTPError("the store sent less than it said")
        return data

    def _drop(self) -> None:
        if self._answer is not None:
            # Closed, not given back: what was not read is still on its way.
            self._answer.close()
            self._answer = None

    def close(self) -> None:
        self._drop()
        super().close()


class _ReceivedSpool:
    def __init__(self, store: "S3Storage", spool: BinaryIO, organisation: UUID, sha256: str, size: int) -> None:
        self.sha256, self.bytes = sha256, size
        self.key = object_key(organisation, sha256)
        self._store, self._spool = store, spool
        self._upload, self._parts = "", list[Part]()

    def send_ahead(self) -> None:
        """All that takes long, before anybody holds a lock or a transaction."""
        if self.bytes > PART_BYTES and not self._store.has(self.key, self.bytes):
            self._send()

    def _send(self) -> None:
        client, name = self._store.client, self._store.name(self.key)
        with named(self.key):
            self._upload = with_bucket(client, lambda: client.upload_begin(name))
            self._spool.seek(0)
            number = 0
            while data := self._spool.read(PART_BYTES):
                number += 1
                self._parts.append(client.part_put(name, self._upload, number, data))

    def keep(self) -> None:
        if self._store.has(self.key, self.bytes):
            return
        client, name = self._store.client, self._store.name(self.key)
        if self.bytes > PART_BYTES:
            if not self._upload:
                self._send()
            with named(self.key):
                client.upload_show(name, self._upload, self._parts)
            self._upload = ""
            return
        self._spool.seek(0)
        data = self._spool.read()
        with named(self.key):
            with_bucket(client, lambda: client.put_object(client.bucket, name, io.BytesIO(data), len(data)))

    def drop(self) -> None:
        if not self._upload:
            return
        try:
            self._store.client.upload_drop(self._store.name(self.key), self._upload)
        except (MinioException, HTTPError) as error:
            # `incoming_clear` does it when the store is back; nobody sees these parts.
            log.warning("file store: an unfinished upload stays for now (%s)", type(error).__name__)


class S3Storage:
    """Objects under `prefix/` of the bucket. `scratch` is the local disk on which files lie while they are handled."""

    def __init__(self, place: Place, *, prefix: str, scratch: FolderStorage, answer_s: float = ANSWER_S) -> None:
        self.place, self.prefix, self.scratch = place, prefix, scratch
        self.client = Client(place, answer_s=answer_s)

    def name(self, key: str) -> str:
        """Raises ObjectMissing."""
        if not KEY.fullmatch(key):
            raise ObjectMissing(key)
        return f"{self.prefix}/{key}"

    @contextmanager
    def receive(self, stream: BinaryIO, *, organisation: UUID, limit: int | None = None) -> Iterator[Received]:
        # Without a name on the disk: a killed process leaves nothing.
        with tempfile.SpooledTemporaryFile(SPOOL_IN_MEMORY, dir=str(self.scratch.incoming_made())) as file:
            spool = cast(BinaryIO, file)
            sha256, size = self.scratch.copy_in(stream, spool, limit)
            received = _ReceivedSpool(self, spool, organisation, sha256, size)
            try:
                received.send_ahead()
                yield received
            finally:
                received.drop()

    def open(self, key: str) -> BinaryIO:
        name = self.name(key)
        size = self._size(key)

        def fetch(first: int) -> urllib3.BaseHTTPResponse:
            return self.client.get_object(self.client.bucket, name, offset=first)

        return cast(BinaryIO, _Reader(fetch, size))

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """A copy, compared with its hash: a damaged object is as good as none."""
        folder = self.scratch.incoming_made()
        with self.open(key) as source, tempfile.NamedTemporaryFile(buffering=0, dir=folder) as target:
            sha256, _ = self.scratch.copy_in(source, cast(BinaryIO, target), None)
            if sha256 != key.rpartition("/")[2]:
                log.error("file store: the object %s is damaged", key)
                raise ObjectMissing(key)
            yield Path(target.name)

    def _size(self, key: str) -> int:
        """Raises ObjectMissing, Upstream."""
        name = self.name(key)
        try:
            return self.client.stat_object(self.client.bucket, name).size or 0
        except S3Error as error:
            # A HEAD has no body to tell a missing bucket from a missing object.
            found = translated(error, key)
            if isinstance(found, ObjectMissing):
                self.check()
            raise found from error
        except (MinioException, HTTPError) as error:
            raise translated(error, key) from error

    def has(self, key: str, size: int) -> bool:
        """Whether it is there with this size; without a bucket nothing is. Raises Upstream."""
        try:
            return self.client.stat_object(self.client.bucket, self.name(key)).size == size
        except (MinioException, HTTPError) as error:
            if bucket_missing(error):
                return False
            found = translated(error, key)
            if isinstance(found, ObjectMissing):
                return False
            raise found from error

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
                self.client.remove_object(self.client.bucket, name)

    @cached_property
    def _keeps_versions(self) -> bool:
        """Where a bucket keeps or has kept old versions, deleting hides an object and every version must go too."""
        try:
            return self.client.get_bucket_versioning(self.client.bucket).status in ("Enabled", "Suspended")
        except (S3Error, ValueError) as error:
            if isinstance(error, S3Error) and (bucket_missing(error) or status_of(error) >= 500):
                raise
            # Stores without versions do not know the question, and a key may be forbidden to ask.
            return False

    def _remove_all(self, prefix: str) -> int:
        names = set()
        found = self.client.list_objects(
            self.client.bucket, prefix, recursive=True, include_version=self._keeps_versions
        )
        for one in found:
            if one.object_name:
                self.client.remove_object(self.client.bucket, one.object_name, version_id=one.version_id)
                names.add(one.object_name)
        return len(names)

    def objects(self, *, organisation: UUID | None = None) -> Iterator[StoredObject]:
        start = f"{self.prefix}/{organisation}/" if organisation else f"{self.prefix}/"
        with named():
            bucket_ensure(self.client)
            for one in self.client.list_objects(self.client.bucket, start, recursive=True):
                key = (one.object_name or "").removeprefix(f"{self.prefix}/")
                if KEY.fullmatch(key) and one.last_modified is not None:
                    yield StoredObject(key, one.size or 0, one.last_modified.timestamp())

    def organisation_clear(self, organisation: UUID) -> int:
        with named():
            bucket_ensure(self.client)
            return self._remove_all(f"{self.prefix}/{organisation}/")

    def incoming_clear(self, *, older_than_s: float) -> int:
        removed = self.scratch.incoming_clear(older_than_s=older_than_s)
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with named():
            bucket_ensure(self.client)
            for one in list(self.client.uploads_unfinished()):
                if one.name.startswith(f"{self.prefix}/") and one.begun < before:
                    self.client.upload_drop(one.name, one.upload)
                    removed += 1
        return removed

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
                self.client.bucket, self.name(key), timedelta(seconds=ADDRESS_S), headers
            )

    @cached_property
    def _public_client(self) -> Client:
        """It signs for the address that browsers use, and asks nothing there: the region comes from inside."""
        signed = self.client.presigned_get_object(self.client.bucket, "region")
        # …/20261121/eu-central-1/s3/aws4_request
        region = parse_qs(urlsplit(signed).query)["X-Amz-Credential"][0].split("/")[-3]
        return Client(self.place, url=self.place.public_url, region=region)

    def check(self) -> None:
        """Raises Upstream: storage_unavailable."""
        bucket_check(self.client)
