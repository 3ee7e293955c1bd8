"""The S3 client as this project uses it: bounded in time, its errors in our words, uploads that are shown when asked.

Imported only where a store is configured: with what it needs it costs a process 14 MB.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio, S3Error
from minio.datatypes import Part
from minio.error import InvalidResponseError, MinioException, ServerError
from urllib3.exceptions import HTTPError

from app.errors import RefdeskError, Upstream
from app.lib.storage import ObjectMissing

log = logging.getLogger(__name__)

CONNECT_S, ANSWER_S = 3.0, 15.0
# Of a store that refuses; one that hangs is asked twice.
TRIES = 3
CONNECTIONS = 16
BUSY = (500, 502, 503, 504)
_GONE = ("NoSuchKey", "NoSuchVersion", "ResourceNotFound")
_FULL = ("XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "ServiceQuotaExceeded")
_TYPE = "application/octet-stream"
# What an operator has to mend; each is logged with this sentence.
_MEND = {
    "NoSuchBucket": "the bucket of REFDESK_S3_BUCKET is not there",
    "AccessDenied": "REFDESK_S3_ACCESS_KEY may not do this; docs/storage.md lists what it needs",
    "InvalidAccessKeyId": "REFDESK_S3_ACCESS_KEY is not known there",
    "SignatureDoesNotMatch": "REFDESK_S3_SECRET_KEY is wrong",
    "RequestTimeTooSkewed": "the clocks of this machine and of the file store differ by more than 15 minutes",
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the objects are. `public_url`: where browsers reach the same store; empty when they cannot."""

    url: str
    bucket: str
    access_key: str
    secret_key: str
    public_url: str = ""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An upload that was begun and not shown."""

    name: str
    upload: str
    begun: datetime


class Client(Minio):
    """Uploads in parts that appear with one last call: the package has these calls for itself only."""

    def __init__(
        self, place: Place, *, url: str = "", region: str | None = None, answer_s: float = ANSWER_S, tries: int = TRIES
    ) -> None:
        parts = urlsplit(url or place.url)
        self.bucket = place.bucket
        again = urllib3.Retry(
            total=tries - 1,
            read=min(1, tries - 1),
            redirect=0,
            raise_on_redirect=False,
            backoff_factor=0.3,
            status_forcelist=BUSY,
            raise_on_status=False,
            # A store that starts asks for two minutes.
            respect_retry_after_header=False,
        )
        timeout = urllib3.Timeout(connect=min(CONNECT_S, answer_s), read=answer_s)
        super().__init__(
            parts.netloc,
            access_key=place.access_key,
            secret_key=place.secret_key,
            secure=parts.scheme == "https",
            region=region,
            http_client=urllib3.PoolManager(maxsize=CONNECTIONS, retries=again, timeout=timeout),
        )

    def upload_begin(self, name: str) -> str:
        return self._create_multipart_upload(self.bucket, name, {"Content-Type": _TYPE})

    def part_put(self, name: str, upload: str, number: int, data: bytes) -> Part:
        """The server compares a digest of the part with what arrived."""
        return Part(number, self._upload_part(self.bucket, name, data, None, upload, number))

    def upload_show(self, name: str, upload: str, parts: list[Part]) -> None:
        self._complete_multipart_upload(self.bucket, name, upload, parts)

    def upload_drop(self, name: str, upload: str) -> None:
        self._abort_multipart_upload(self.bucket, name, upload)

    def uploads_unfinished(self) -> Iterator[Unfinished]:
        """Of the whole bucket: MinIO knows no prefix here but a whole name."""
        key_marker = upload_marker = None
        while True:
            page = self._list_multipart_uploads(self.bucket, key_marker=key_marker, upload_id_marker=upload_marker)
            for one in page.uploads:
                if one.upload_id and one.initiated_time:
                    yield Unfinished(one.object_name, one.upload_id, one.initiated_time)
            if not page.is_truncated or not page.next_key_marker:
                return
            key_marker, upload_marker = page.next_key_marker, page.next_upload_id_marker


@contextmanager
def named(key: str = "") -> Iterator[None]:
    """Errors of the store as ours.

    Raises:
        ObjectMissing: the store knows no such object.
        Upstream: storage_unavailable; it may work later, or when somebody mends what the log says.
        RefdeskError: disk_full.
    """
    try:
        yield
    except (MinioException, HTTPError) as error:
        raise translated(error, key) from error


def translated(error: Exception, key: str = "") -> Exception:
    # After the last try: what that one met.
    met = getattr(error, "reason", None) or error
    code = str(error.code) if isinstance(error, S3Error) else type(met).__name__
    if code in _GONE:
        return ObjectMissing(key)
    if code in _FULL or status_of(error) == 507:
        return RefdeskError("disk_full", "There is no room left in the file store.")
    if code in _MEND:
        log.error("file store: %s (%s)", _MEND[code], code)
    else:
        log.warning("file store: %s", code)
    return Upstream("storage_unavailable", details={"reason": code}, retry_after_s=5)


def status_of(error: Exception) -> int:
    if isinstance(error, S3Error):
        return error.response.status
    if isinstance(error, ServerError):
        return error.status_code
    # Its status has no public name.
    return int(getattr(error, "_code", 0)) if isinstance(error, InvalidResponseError) else 0


def bucket_missing(error: Exception) -> bool:
    return isinstance(error, S3Error) and error.code == "NoSuchBucket"


def bucket_make(client: Client) -> None:
    """Harmless when another process was faster. Raises the package's errors."""
    try:
        client.make_bucket(client.bucket)
        log.info("file store: made the bucket %s", client.bucket)
    except S3Error as error:
        if error.code in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            return
        log.error(
            "file store: there is no bucket %s, and it could not be made (%s): make it, or let REFDESK_S3_ACCESS_KEY"
            " make it",
            client.bucket,
            error.code,
        )
        raise


def bucket_ensure(client: Client) -> None:
    """Raises the package's errors."""
    if not client.bucket_exists(client.bucket):
        bucket_make(client)


def bucket_check(client: Client, *, make: bool = False) -> None:
    """Raises Upstream: storage_unavailable."""
    with named():
        there = client.bucket_exists(client.bucket)
        if make and not there:
            bucket_make(client)
    if not there and not make:
        log.error("file store: there is no bucket %s", client.bucket)
        raise Upstream("storage_unavailable", details={"reason": "NoSuchBucket"}, retry_after_s=5)


def with_bucket(client: Client, do: Callable[[], T]) -> T:
    """Do it; where there is no bucket yet, make it and do it again. Raises the package's errors."""
    try:
        return do()
    except S3Error as error:
        if not bucket_missing(error):
            raise
    bucket_make(client)
    return do()
