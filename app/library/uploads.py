"""Receive a file: clean its name and id, store its bytes, and lock its object and its identity."""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from uuid import UUID

from django.conf import settings
from django.db import connection

from app.errors import Invalid, RefdeskError
from app.lib.storage import StagedUpload, TooLarge, storage
from app.library.models import EXTERNAL_ID_BYTES

NAME_LENGTH = 255
UNNAMED = "file"
# Longer than any real extension: a longer suffix is part of the name.
_EXTENSION_LENGTH = 20
# Cc control, Cs lone surrogates, Zl and Zp line and paragraph ends; of Cf (format) only those that reorder or hide
# text: joiners stay, because emoji and several scripts are written with them.
_DROPPED = {"Cc", "Cs", "Zl", "Zp"}
_REORDERING = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def name_clean(name: str) -> str:
    """Return a name to show: no path, no control or reordering characters, 255 characters with its extension kept."""
    name = name.replace("\\", "/").rpartition("/")[2]
    name = _REORDERING.sub("", unicodedata.normalize("NFC", name))
    name = "".join(char for char in name if unicodedata.category(char) not in _DROPPED).strip()
    if not name.strip(". "):
        return UNNAMED
    if len(name) <= NAME_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > _EXTENSION_LENGTH:
        return name[:NAME_LENGTH]
    return stem[: NAME_LENGTH - len(extension) - 1] + dot + extension


def external_id_check(external_id: str) -> str:
    """Return the id of a document within its source, without the spaces around it.

    Raises:
        Invalid: it is empty or too long, or holds control characters.
    """
    external_id = external_id.strip()
    if not external_id:
        raise Invalid(message="A document needs an external_id.")
    if any(unicodedata.category(char) in _DROPPED for char in external_id):
        raise Invalid(message="An external_id holds no control characters.")
    if len(external_id.encode()) > EXTERNAL_ID_BYTES:
        raise Invalid(message=f"An external_id has at most {EXTERNAL_ID_BYTES:,} bytes.")
    return external_id


@contextmanager
def upload_receive(*, organisation: UUID, stream: BinaryIO) -> Iterator[StagedUpload]:
    """Receive the bytes of one file, hashed.

    Raises:
        RefdeskError: file_too_large, empty_file or disk_full.
    """
    try:
        with storage().stage(stream, organisation=organisation, limit=settings.UPLOAD_MAX_BYTES) as received:
            if not received.bytes:
                raise RefdeskError("empty_file")
            yield received
    except TooLarge as error:
        raise file_too_large() from error


def file_too_large() -> RefdeskError:
    limit = settings.UPLOAD_MAX_BYTES
    return RefdeskError(
        "file_too_large", f"The file is larger than {limit // 1024**2} MB.", details={"limit_bytes": limit}
    )


def object_lock(key: str) -> None:
    """Lock the object of this key against storing and deleting by others, until this transaction ends.

    Without the lock a deletion could find no row with the key just before an upload of the same bytes commits one.
    """
    _lock(key)


def identity_lock(source: UUID, external_id: str) -> None:
    """Lock a document's identity against others that put it, until this transaction ends.

    Two uploads of the same name at once make two versions of one document, in the order of their arrival here.
    """
    _lock(f"{source}:{external_id}")


def _lock(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
