"""The S3 client as this project uses it: its public calls, with timeouts and with its errors translated to ours.

Imported only where a store is configured: with its dependencies it costs a process 14 MB.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio, S3Error
from minio.error import MinioException, ServerError
from urllib3.exceptions import HTTPError

from app.errors import RefdeskError, Upstream
from app.lib.storage.interface import ObjectMissing

log = logging.getLogger(__name__)

CONNECT_S, ANSWER_S = 3.0, 15.0
# Tries with a store that refuses; one that hangs is asked twice.
TRIES = 3
CONNECTIONS = 16
BUSY = (500, 502, 503, 504)
_GONE = ("NoSuchKey", "NoSuchVersion", "ResourceNotFound")
_FULL = ("XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "ServiceQuotaExceeded")
# Errors that an operator has to correct, each with the sentence that is logged.
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
    """The address and credentials of a bucket. `public_url`: the store's address for browsers; empty without one."""

    url: str
    bucket: str
    access_key: str
    secret_key: str
    public_url: str = ""


def client_make(
    place: Place, *, url: str = "", region: str | None = None, answer_s: float = ANSWER_S, tries: int = TRIES
) -> Minio:
    """Return a client of the place, or of the same store at another address."""
    parts = urlsplit(url or place.url)
    again = urllib3.Retry(
        total=tries - 1,
        read=min(1, tries - 1),
        redirect=0,
        raise_on_redirect=False,
        backoff_factor=0.3,
        status_forcelist=BUSY,
        raise_on_status=False,
        # A store that is starting sends a Retry-After of two minutes.
        respect_retry_after_header=False,
    )
    timeout = urllib3.Timeout(connect=min(CONNECT_S, answer_s), read=answer_s)
    return Minio(
        parts.netloc,
        access_key=place.access_key,
        secret_key=place.secret_key,
        secure=parts.scheme == "https",
        region=region,
        http_client=urllib3.PoolManager(maxsize=CONNECTIONS, retries=again, timeout=timeout),
    )


@contextmanager
def named(key: str = "") -> Iterator[None]:
    """Convert errors of the store to ours.

    Raises:
        ObjectMissing: the store has no such object.
        Upstream: storage_unavailable; a retry may work later, or after an operator corrects the logged error.
        RefdeskError: disk_full.
    """
    try:
        yield
    except (MinioException, HTTPError) as error:
        raise translated(error, key) from error


def translated(error: Exception, key: str = "") -> Exception:
    # After the last attempt urllib3 wraps the error of that attempt.
    cause = getattr(error, "reason", None) or error
    code = str(error.code) if isinstance(error, S3Error) else type(cause).__name__
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
    """Return the HTTP status behind an error, 0 where the package does not have it."""
    if isinstance(error, S3Error):
        return error.response.status
    return error.status_code if isinstance(error, ServerError) else 0


def bucket_missing(error: Exception) -> bool:
    return isinstance(error, S3Error) and error.code == "NoSuchBucket"


class Bucket:
    """The bucket of a place, created when it is missing."""

    def __init__(self, place: Place, *, answer_s: float = ANSWER_S, tries: int = TRIES) -> None:
        self.name = place.bucket
        self.client = client_make(place, answer_s=answer_s, tries=tries)

    def make(self) -> None:
        """Create the bucket. Harmless when another process was faster. Raises the package's errors."""
        try:
            self.client.make_bucket(self.name)
            log.info("file store: made the bucket %s", self.name)
        except S3Error as error:
            if error.code in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                return
            log.error(
                "file store: there is no bucket %s, and it could not be made (%s): make it, or let"
                " REFDESK_S3_ACCESS_KEY make it",
                self.name,
                error.code,
            )
            raise

    def ensure(self) -> None:
        """Create the bucket if it is missing. Raises the package's errors."""
        if not self.client.bucket_exists(self.name):
            self.make()

    def check(self, *, make: bool = False) -> None:
        """Check that the bucket can be used; make: create it. Raises Upstream: storage_unavailable."""
        with named():
            there = self.client.bucket_exists(self.name)
            if make and not there:
                self.make()
        if not there and not make:
            log.error("file store: there is no bucket %s", self.name)
            raise Upstream("storage_unavailable", details={"reason": "NoSuchBucket"}, retry_after_s=5)

    def do(self, call: Callable[[], T]) -> T:
        """Run a call; if the bucket is missing, create it and run the call again. Raises the package's errors."""
        try:
            return call()
        except S3Error as error:
            if not bucket_missing(error):
                raise
        self.make()
        return call()
