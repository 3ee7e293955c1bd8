"""The deployment's file stores, a folder or any S3: the only way to stored files."""

from functools import cache
from pathlib import Path

from django.conf import settings

from app.lib.storage.folder import FolderStorage
from app.lib.storage.interface import (
    ObjectMissing,
    StagedUpload,
    Storage,
    StoredObject,
    TooLarge,
    object_key,
)

__all__ = (
    "ObjectMissing",
    "StagedUpload",
    "Storage",
    "StoredObject",
    "TooLarge",
    "exports_storage",
    "object_key",
    "storage",
    "storage_ping",
)


@cache
def _folder_storage(root: Path) -> FolderStorage:
    return FolderStorage(root)


@cache
def _s3_storage(prefix: str, scratch: Path, *place: str) -> Storage:
    # Imported here, because the client's package costs a process 14 MB that a folder does not need.
    from app.lib.storage.s3 import S3Storage
    from app.lib.storage.s3_client import Place

    return S3Storage(Place(*place), prefix=prefix, scratch=FolderStorage(scratch))


def _storage(name: str) -> Storage:
    if not settings.S3_URL:
        return _folder_storage(settings.DATA / name)
    keys = (settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY)
    return _s3_storage(
        name, settings.DATA / "objects", settings.S3_URL, settings.S3_BUCKET, *keys, settings.S3_PUBLIC_URL
    )


def storage_ping(answer_s: float, *, make: bool = False) -> None:
    """Check the S3 store's bucket with one quick request. make: a new store has no bucket yet.

    Raises Upstream: storage_unavailable.
    """
    from app.lib.storage.s3_client import Bucket, Place

    keys = (settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY)
    Bucket(Place(settings.S3_URL, settings.S3_BUCKET, *keys), answer_s=answer_s, tries=1).check(make=make)


def storage() -> Storage:
    """Return the store of documents."""
    return _storage("objects")


def exports_storage() -> Storage:
    """Return the store of exports: separate, because the objects of documents are compared with the documents' rows."""
    return _storage("exports")
