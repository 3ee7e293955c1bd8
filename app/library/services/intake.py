"""Make a document, or a new version of one, from an item of a source, unless its bytes are stored already."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from app.errors import Conflict
from app.jobs.choices import JobState
from app.lib.storage import StagedUpload
from app.library.choices import DocumentState, VersionState
from app.library.connectors.protocol import Content, Item
from app.library.events import document_publish
from app.library.models import URL_LENGTH, Document, DocumentVersion, Source
from app.library.selectors.documents import document_get
from app.library.services.documents import ENDED, document_audit, document_lock, document_retry
from app.library.services.jobs import ingest_cancel, ingest_job_create, ingest_state
from app.library.services.limits import arrival_check, limits_lock
from app.library.services.versions import version_create, version_newest, versions_retire
from app.library.uploads import external_id_check, identity_lock, name_clean, object_lock, upload_receive


class PutOutcome(StrEnum):
    CREATED = "created"
    REPLACED = "replaced"  # other bytes: a new version
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class PutResult:
    """A document as `document_get` reads it, and the outcome."""

    document: Document
    outcome: PutOutcome


def document_put(
    *,
    organisation: UUID,
    source: Source,
    item: Item,
    content: Content,
    uploaded_by: UUID | None = None,
    audited: bool = True,
    parent: UUID | None = None,
    within: Callable[[], AbstractContextManager[None]] = transaction.atomic,
) -> PutResult:
    """Store a document of a source and queue its ingest, unless the document's newest version has the same bytes.

    Other bytes make a new version, and the old one stays active until the new one is ready. A document whose ingest
    failed or was cancelled is tried again. audited: False in a run, which has one entry of the trail for all items.
    parent: the document whose file holds this one. within: opens the transaction of the rows.

    Raises:
        Invalid: its external id cannot be used.
        Conflict: its external id is that of a file in another document, or of a document that is no such file.
        RefdeskError: file_too_large, empty_file, disk_full or library_full.
    """
    external_id = external_id_check(item.external_id)
    if not connection.in_atomic_block:
        # Receiving may take long, and the pool of connections is small.
        connection.close()
    with upload_receive(organisation=organisation, stream=content.stream) as received, within():
        limited = limits_lock(organisation=organisation)
        object_lock(received.key)
        identity_lock(source.id, external_id)
        row = Document.objects.filter(organisation=organisation, source=source, external_id=external_id).first()
        if limited and (row is None or version_newest(document=row).sha256 != received.sha256):
            arrival_check(organisation=organisation, document=row.id if row else None, size=received.bytes)
        # Stored before the row that names it, and again for a known document, whose object may have been lost.
        received.commit()
        if row is None:
            row = _create(source, external_id, item, content, received, uploaded_by, parent)
            outcome = PutOutcome.CREATED
        elif row.parent_id != parent:
            raise Conflict(message="Another document has this external_id already.")
        else:
            outcome = _replace(row, item, content, received, uploaded_by)
        if audited and outcome != PutOutcome.UNCHANGED:
            _audit(row, source, outcome, received)
    document = document_get(organisation=organisation, document=row.id)
    document_publish(document)
    return PutResult(document, outcome)


def _described(item: Item) -> dict[str, Any]:
    """Return the columns with a document's name, address and metadata."""
    columns: dict[str, Any] = {"name": name_clean(item.name), "url": item.url[:URL_LENGTH]}
    return columns if item.metadata is None else {**columns, "metadata": item.metadata}


def _create(
    source: Source,
    external_id: str,
    item: Item,
    content: Content,
    received: StagedUpload,
    uploaded_by: UUID | None,
    parent: UUID | None,
) -> Document:
    document = Document.objects.create(
        organisation_id=source.organisation_id,
        source=source,
        external_id=external_id,
        uploaded_by_id=uploaded_by,
        parent_id=parent,
        **_described(item),
    )
    version = version_create(document=document, received=received, content=content)
    ingest_job_create(organisation=source.organisation_id, document=document, version=version)
    return document


def _audit(document: Document, source: Source, outcome: PutOutcome, received: StagedUpload) -> None:
    action = "document.upload" if outcome == PutOutcome.CREATED else "document.replace"
    document_audit(document, action, after={"source": source.name, "bytes": received.bytes, "sha256": received.sha256})


def _replace(
    document: Document, item: Item, content: Content, received: StagedUpload, uploaded_by: UUID | None
) -> PutOutcome:
    """Make a version, unless the document's newest version has the same bytes."""
    organisation = document.organisation_id
    # Jobs are locked before their documents everywhere, against deadlocks.
    locked = ingest_state(organisation=organisation, document=document.id, lock=True)
    row = document_lock(organisation=organisation, document=document.id)
    Document.objects.filter(pk=row.pk).update(**_described(item))
    newest, open_job = version_newest(document=row), ingest_state(organisation=organisation, document=row.id)
    if newest.sha256 == received.sha256:
        _validators_store(newest, content)
        if open_job is None and newest.state != VersionState.ACTIVE and row.state in ENDED:
            document_retry(organisation=organisation, document=row.id)
        return PutOutcome.UNCHANGED
    version = version_create(document=row, received=received, content=content)
    if locked == JobState.QUEUED:
        ingest_cancel(organisation=organisation, document=row.id)
        open_job = None
    if open_job is None:
        versions_retire(document=row, below=version.number)
        ingest_job_create(organisation=organisation, document=row, version=version)
        changes: dict[str, Any] = {
            "state": DocumentState.QUEUED,
            "step": None,
            "percent": 0,
            "error_code": "",
            "error_message": "",
        }
    else:
        # The version being read is finished first, or a document that changes faster than it is read would never have
        # an active version. `version_follow` queues this version then.
        changes = {}
    changes |= {"version": version.number, "uploaded_by": uploaded_by, "updated": Now()}
    Document.objects.filter(pk=row.pk).update(**changes)
    return PutOutcome.REPLACED


def _validators_store(version: DocumentVersion, content: Content) -> None:
    """Store the server's new validators of the same bytes: with old ones it would send the bytes each time."""
    if (version.etag, version.last_modified) != (content.etag, content.last_modified):
        version.etag, version.last_modified = content.etag, content.last_modified
        version.save(update_fields=["etag", "last_modified"])
