"""A file that arrives: its name made harmless, its bytes stored, its rows found or made."""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from app.errors import RefdeskError
from app.lib.storage import StagedUpload, TooLarge, storage
from app.library.models import Document, DocumentVersion, Source

NAME_LENGTH = 255
UNNAMED = "file"
# Longer than any real extension: beyond it a dot is part of the name.
_EXTENSION_LENGTH = 20
# Cc control, Cs lone surrogates, Zl and Zp line and paragraph ends; of Cf (format) only those that reorder or hide
# text: joiners stay, because emoji and several scripts are written with them.
_DROPPED = {"Cc", "Cs", "Zl", "Zp"}
_REORDERING = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def name_clean(name: str) -> str:
    """A name to show: no path, no control or reordering characters, 255 characters with its extension kept."""
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


@contextmanager
def upload_receive(*, organisation: UUID, stream: BinaryIO) -> Iterator[StagedUpload]:
    """The bytes of one file, hashed.

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
    """Until this transaction ends, nobody else keeps or deletes the object of this key.

    Without it a delete could find no row that names an object just before an upload of the same bytes commits one.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


@transaction.atomic
def document_keep(
    *, organisation: UUID, source: Source, received: StagedUpload, name: str, uploaded_by: UUID | None = None
) -> tuple[Document, DocumentVersion | None]:
    """The document of these bytes, and its version when both were just made. The object is there before its row is."""
    object_lock(received.key)
    known = Document.objects.select_related("source").filter(organisation=organisation, sha256=received.sha256).first()
    # Also for a document that is there: its object may have been lost, and here it is again.
    received.commit()
    if known is not None:
        return known, None
    document = Document.objects.create(
        organisation_id=organisation,
        source=source,
        name=name_clean(name),
        bytes=received.bytes,
        sha256=received.sha256,
        uploaded_by_id=uploaded_by,
    )
    version = DocumentVersion.objects.create(
        organisation_id=organisation, document=document, storage_key=received.key, number=1
    )
    return document, version
