"""Documents as rows alone, for tests that need no file of them."""

import hashlib
from typing import Any

from app.library.choices import VersionState
from app.library.models import Document, DocumentVersion, Source


def document_row(source: Source, name: str, *, size: int = 1000, answers: bool = False, **columns: Any) -> Document:
    """Make a document of one version. answers: that version is the active one."""
    identity = columns.pop("external_id", name)
    document = Document.objects.create(
        organisation_id=source.organisation_id, source=source, external_id=identity, name=name, **columns
    )
    version = DocumentVersion.objects.create(
        organisation_id=source.organisation_id,
        document=document,
        state=VersionState.ACTIVE if answers else VersionState.BUILDING,
        storage_key="none",
        sha256=hashlib.sha256(f"{source.pk}{identity}".encode()).hexdigest(),
        bytes=size,
    )
    if answers:
        document.active_version = version
        document.save(update_fields=["active_version"])
    return document
