"""The interface of a store of files, its keys and its errors.

A key is `{organisation}/{first two of the hash}/{SHA-256 in hex}`: the same bytes of an organisation are one object,
and no key holds a name that a person chose.
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
    """A stream went beyond the limit; nothing of it is kept."""


class ObjectMissing(Exception):
    """No object has this key."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """`modified` is in seconds since the epoch, by the store's clock."""

    key: str
    bytes: int
    modified: float


class StagedUpload(Protocol):
    """An upload that has arrived in full and is no object of a row yet.

    A server's store has the bytes under their key already, so that a transaction need not wait for them; without a
    row the reconciler removes them. A folder has them aside, and removes them at the end of the `with`.
    """

    sha256: str
    bytes: int
    key: str

    def commit(self) -> None:
        """Have the bytes under their key, for good when this returns. Harmless when they are there already."""


class Storage(Protocol):
    """Every call may raise Upstream (storage_unavailable) where the store is a server; asking again may help."""

    def stage(
        self, stream: BinaryIO, *, organisation: UUID, limit: int | None = None
    ) -> AbstractContextManager[StagedUpload]:
        """Take a stream, hashed on the way, never whole in memory. A `StagedFile` of this disk is taken as it is.

        Raises:
            TooLarge: it is longer than `limit` bytes.
            RefdeskError: disk_full, storage_unavailable.
        """

    def open(self, key: str) -> BinaryIO:
        """Return the object from its first byte; it can be wound. Raises ObjectMissing."""

    def local_path(self, key: str) -> AbstractContextManager[Path]:
        """Return the object as a file to read, for as long as the `with` lasts. Raises ObjectMissing."""

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Delete an object. Harmless when it is gone."""

    def objects(self, *, organisation: UUID | None = None) -> Iterator[StoredObject]:
        """Return every object, or every one of an organisation, in no order; one that comes or goes meanwhile may be
        among them or not."""

    def organisation_clear(self, organisation: UUID) -> int:
        """Remove every object of an organisation that is gone; return how many."""

    def purge_staging(self, *, older_than_s: float) -> int:
        """Remove the files that a killed process left half written; return how many."""

    def download_address(self, key: str, *, disposition: str, media_type: str) -> str | None:
        """Return where a browser gets the object from the store itself, for a minute; None: it comes through us.

        Raises ObjectMissing.
        """

    def check(self) -> None:
        """Check that files can be stored. Raises RefdeskError: storage_unavailable."""


def object_key(organisation: UUID, sha256: str) -> str:
    return f"{organisation}/{sha256[:2]}/{sha256}"
