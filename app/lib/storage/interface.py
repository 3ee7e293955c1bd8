"""The interface of a store of files, its keys and its errors.

A key is `{organisation}/{first two of the hash}/{SHA-256 in hex}`: the same bytes of an organisation are one object,
and no key contains a name that a person chose.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

KEY = re.compile(r"[0-9a-f-]{36}/[0-9a-f]{2}/[0-9a-f]{64}")


class TooLarge(Exception):
    """A stream longer than the limit; none of it is kept."""


class ObjectMissing(Exception):
    """A key without an object."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A stored object; `modified` is in seconds since the epoch, by the store's clock."""

    key: str
    bytes: int
    modified: float


class StagedUpload(Protocol):
    """An upload that has arrived in full and is not yet the object of a row.

    A server's store already has the bytes under their key, so that a transaction need not wait for them; without a
    row the reconciler removes them. A folder keeps them aside, and removes them at the end of the `with`.
    """

    sha256: str
    bytes: int
    key: str

    def commit(self) -> None:
        """Store the bytes durably under their key. Harmless when they are already there."""


class Storage(Protocol):
    """A store of files. Any call may raise Upstream (storage_unavailable) if it is a server; a retry may help."""

    def stage(
        self, stream: BinaryIO, *, organisation: UUID, limit: int | None = None
    ) -> AbstractContextManager[StagedUpload]:
        """Take a stream, hashed while it is read, never whole in memory. A `StagedFile` of this disk is used as it is.

        Raises:
            TooLarge: the stream is longer than `limit` bytes.
            RefdeskError: disk_full, storage_unavailable.
        """

    def open(self, key: str) -> BinaryIO:
        """Return the object, open at its first byte and seekable. Raises ObjectMissing."""

    def local_path(self, key: str) -> AbstractContextManager[Path]:
        """Return the object as a file to read, for as long as the `with` lasts. Raises ObjectMissing."""

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Delete an object. Harmless when it is already deleted."""

    def objects(self, *, organisation: UUID | None = None) -> Iterator[StoredObject]:
        """Return every object, or every one of an organisation, unordered.

        Objects added or deleted meanwhile may or may not be included.
        """

    def organisation_clear(self, organisation: UUID) -> int:
        """Remove every object of a deleted organisation; return the count."""

    def purge_staging(self, *, older_than_s: float) -> int:
        """Remove the files that a killed process left half written; return the count."""

    def download_address(self, key: str, *, disposition: str, media_type: str) -> str | None:
        """Return the address for a browser's download from the store itself, valid for a minute; None: through the web.

        Raises ObjectMissing.
        """

    def check(self) -> None:
        """Check that files can be stored. Raises RefdeskError: storage_unavailable."""


def object_key(organisation: UUID, sha256: str) -> str:
    return f"{organisation}/{sha256[:2]}/{sha256}"
