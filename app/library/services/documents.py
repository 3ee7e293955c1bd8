from datetime import timedelta
from typing import Any, BinaryIO
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from app.audit.trail import audit_record
from app.errors import Conflict
from app.library.choices import DocumentState, VersionState
from app.library.events import document_publish, document_publish_deleted
from app.library.models import Document, DocumentVersion, Source
from app.library.selectors.documents import document_get
from app.library.services.jobs import delete_job_create, ingest_cancel, ingest_is_open, ingest_job_create
from app.library.uploads import document_keep, upload_receive

# A worker that was told to stop may have a request on its way to the vectors; what it writes goes after that.
STOP_GRACE = timedelta(seconds=15)
# Retrying makes sense again from these; a document that is ready is read anew, with the settings of now.
ENDED = (DocumentState.FAILED, DocumentState.CANCELLED, DocumentState.READY)
FAILED = (DocumentState.FAILED, DocumentState.CANCELLED)


def document_upload(
    *, organisation: UUID, source: Source, stream: BinaryIO, name: str, uploaded_by: UUID | None = None
) -> Document:
    """Store a file and queue its ingest; the same bytes again answer the document that is there.

    One that had failed, or was cancelled, is tried again.

    Raises:
        RefdeskError: file_too_large, empty_file or disk_full.
    """
    if not connection.in_atomic_block:
        # Receiving may take long, and a pool of connections is small.
        connection.close()
    with upload_receive(organisation=organisation, stream=stream) as received, transaction.atomic():
        document, version = document_keep(
            organisation=organisation, source=source, received=received, name=name, uploaded_by=uploaded_by
        )
        if version is not None:
            ingest_job_create(organisation=organisation, document=document, version=version)
            _audit(document, "document.upload", after={"source": source.name, "bytes": document.bytes})
        elif document.state in FAILED:
            document = document_retry(organisation=organisation, document=document.id)
    document_publish(document)
    return document


def _audit(document: Document, action: str, **sides: Any) -> None:
    audit_record(
        organisation=document.organisation_id,
        action=action,
        target_kind="document",
        target=str(document.pk),
        target_name=document.name,
        **sides,
    )


@transaction.atomic
def document_retry(*, organisation: UUID, document: UUID) -> Document:
    """Read a document again. While a new version of a ready one is made, the old one answers.

    Raises:
        NotFound: no such document here.
        Conflict: it is being worked on.
    """
    row = _document_lock(organisation, document)
    if row.state not in ENDED or ingest_is_open(organisation=organisation, document=document):
        raise Conflict(message="This document is being worked on already.")
    version = DocumentVersion.objects.filter(document=row, state=VersionState.BUILDING).order_by("-number").first()
    if version is None:
        last = DocumentVersion.objects.filter(document=row).latest("number")
        version = DocumentVersion.objects.create(
            organisation_id=organisation, document=row, number=last.number + 1, storage_key=last.storage_key
        )
    ingest_job_create(organisation=organisation, document=row, version=version)
    before = row.state
    _document_set(row, DocumentState.QUEUED, percent=0)
    _audit(row, "document.retry", before={"state": before}, after={"state": row.state})
    transaction.on_commit(lambda: document_publish(row))
    return row


@transaction.atomic
def document_cancel(*, organisation: UUID, document: UUID) -> Document:
    """Stop the work on a document; the worker notices within a second, and can write nothing from now on.

    Raises:
        NotFound: no such document here.
        Conflict: nothing is being done with it.
    """
    document_get(organisation=organisation, document=document)
    running = ingest_cancel(organisation=organisation, document=document)
    row = _document_lock(organisation, document)
    if row.state not in (DocumentState.QUEUED, DocumentState.RUNNING):
        raise Conflict(message="Nothing is being done with this document.")
    building = DocumentVersion.objects.filter(document=row, state=VersionState.BUILDING, chunks__gt=0)
    versions = list(building.values_list("id", flat=True))
    if versions:
        delete_job_create(
            organisation=organisation, versions=versions, objects=[], delay=STOP_GRACE if running else None
        )
    state = DocumentState.CANCELLED if row.active_version_id is None else DocumentState.READY
    before = row.state
    _document_set(row, state, percent=0 if row.active_version_id is None else 100)
    _audit(row, "document.cancel", before={"state": before}, after={"state": row.state})
    transaction.on_commit(lambda: document_publish(row))
    return row


@transaction.atomic
def document_delete(*, organisation: UUID, document: UUID) -> None:
    """Remove a document's rows; its vectors and its object follow by a job of the same transaction.

    Raises:
        NotFound: no such document here.
    """
    document_get(organisation=organisation, document=document)
    running = ingest_cancel(organisation=organisation, document=document)
    row = _document_lock(organisation, document)
    versions = list(DocumentVersion.objects.filter(document=row).values_list("id", "storage_key"))
    kept = Document(id=row.pk, organisation_id=organisation, name=row.name)
    before = {"source": row.source.name, "bytes": row.bytes, "sha256": row.sha256}
    row.delete()
    delete_job_create(
        organisation=organisation,
        versions=[version for version, _ in versions],
        objects={key for _, key in versions},
        delay=STOP_GRACE if running else None,
    )
    _audit(kept, "document.delete", before=before)
    transaction.on_commit(lambda: document_publish_deleted(organisation=organisation, document=document))


def source_delete(*, organisation: UUID, source: Source) -> int:
    """Remove a source with its documents; how many there were."""
    documents = list(Document.objects.filter(organisation=organisation, source=source).values_list("id", flat=True))
    for document in documents:
        document_delete(organisation=organisation, document=document)
    # A document that was uploaded meanwhile keeps its source: deleting its row here would strand its vectors.
    with transaction.atomic():
        locked = Source.objects.select_for_update().get(pk=source.pk)
        if Document.objects.filter(source=locked).exists():
            raise Conflict(message="A document was added meanwhile. Try again.")
        locked.delete()
        audit_record(
            organisation=organisation,
            action="source.delete",
            target_kind="source",
            target=str(source.pk),
            target_name=source.name,
            before={"documents": len(documents)},
        )
    return len(documents)


def _document_lock(organisation: UUID, document: UUID) -> Document:
    document_get(organisation=organisation, document=document)
    rows = Document.objects.select_for_update(of=("self",)).select_related("source")
    return rows.get(organisation=organisation, pk=document)


def _document_set(row: Document, state: DocumentState, *, percent: int) -> None:
    Document.objects.filter(pk=row.pk).update(
        state=state, step=None, percent=percent, error_code="", error_message="", updated=Now()
    )
    row.refresh_from_db()
