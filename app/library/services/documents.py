from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from app.audit.trail import audit_record
from app.errors import Conflict, NotFound
from app.library.choices import DocumentState, VersionState
from app.library.events import document_publish_deleted, documents_publish
from app.library.models import Document, DocumentVersion
from app.library.selectors.documents import document_get
from app.library.services.jobs import (
    delete_job_create,
    documents_ingesting,
    ingest_cancel,
    ingest_is_open,
    ingest_job_create,
)
from app.library.services.versions import version_newest, version_repeat, versions_retire

# A worker that is stopping may have a request on its way to the vectors; what it writes goes after that.
STOP_GRACE = timedelta(seconds=15)
# States from which a retry makes sense; a document that is ready is read again with the present settings.
ENDED = (DocumentState.FAILED, DocumentState.CANCELLED, DocumentState.READY)


def document_audit(document: Document, action: str, **sides: Any) -> None:
    """Record a change of a document in the audit trail. sides: `before` and `after`."""
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
    """Read a document again. The active version of a ready document stays active until the new one is ready.

    Raises:
        NotFound: no such document here.
        Conflict: it is being worked on.
    """
    row = document_lock(organisation=organisation, document=document)
    if row.state not in ENDED or ingest_is_open(organisation=organisation, document=document):
        raise Conflict(message="This document is being worked on already.")
    version = version_newest(document=row)
    if version.state != VersionState.BUILDING:
        version = version_repeat(version=version)
    versions_retire(document=row, below=version.number)
    ingest_job_create(organisation=organisation, document=row, version=version)
    before = row.state
    _document_set(row, DocumentState.QUEUED, percent=0, version=version.number)
    document_audit(row, "document.retry", before={"state": before}, after={"state": row.state})
    transaction.on_commit(lambda: documents_publish(documents=[document]))
    return document_get(organisation=organisation, document=document)


@transaction.atomic
def document_cancel(*, organisation: UUID, document: UUID) -> Document:
    """Stop the work on a document; the worker notices within a second, and cannot write any more.

    Raises:
        NotFound: no such document here.
        Conflict: the document has no open work.
    """
    document_get(organisation=organisation, document=document)
    running = ingest_cancel(organisation=organisation, document=document)
    row = document_lock(organisation=organisation, document=document)
    if row.state not in (DocumentState.QUEUED, DocumentState.RUNNING):
        raise Conflict(message="Nothing is being done with this document.")
    building = DocumentVersion.objects.filter(document=row, state=VersionState.BUILDING)
    versions = list(building.filter(chunks__gt=0).values_list("id", flat=True))
    if versions:
        delete_job_create(
            organisation=organisation, versions=versions, objects=[], delay=STOP_GRACE if running else None
        )
    before, answers = row.state, row.active_version
    if answers is None:
        _document_set(row, DocumentState.CANCELLED, percent=0)
    else:
        # The document is again as before the new version.
        building.update(state=VersionState.RETIRED, retired=Now())
        columns = {"version": answers.number, "chunks": answers.chunks, "pages": answers.pages}
        _document_set(row, DocumentState.READY, percent=100, media_type=answers.media_type, **columns)
    document_audit(row, "document.cancel", before={"state": before}, after={"state": row.state})
    transaction.on_commit(lambda: documents_publish(documents=[document]))
    return document_get(organisation=organisation, document=document)


@transaction.atomic
def document_delete(*, organisation: UUID, document: UUID) -> None:
    """Remove a document's rows and those of the documents inside it; a job removes their vectors and objects.

    Raises:
        NotFound: no such document here.
    """
    document_get(organisation=organisation, document=document)
    inside, running = _ingests_cancel(organisation=organisation, document=document)
    row = document_lock(organisation=organisation, document=document)
    newest = version_newest(document=row)
    versions = list(DocumentVersion.objects.filter(document__in=[row.pk, *inside]).values_list("id", "storage_key"))
    gone = Document(id=row.pk, organisation_id=organisation, name=row.name)
    before = {"source": row.source.name, "bytes": newest.bytes, "sha256": newest.sha256}
    if inside:
        before["members"] = len(inside)
    row.delete()
    delete_job_create(
        organisation=organisation,
        versions=[version for version, _ in versions],
        objects={key for _, key in versions},
        delay=STOP_GRACE if running else None,
    )
    document_audit(gone, "document.delete", before=before)
    transaction.on_commit(lambda: _deleted_publish(organisation=organisation, documents=[*inside, document]))


def _ingests_cancel(*, organisation: UUID, document: UUID) -> tuple[list[UUID], bool]:
    """Cancel the ingest of a document and of those inside it; return these, and whether any was running.

    Level by level: a document whose ingest is cancelled makes no more members.
    """
    running = ingest_cancel(organisation=organisation, document=document)
    inside: list[UUID] = []
    level = [document]
    while level:
        below = Document.objects.filter(organisation=organisation, parent__in=level).exclude(pk__in=[document, *inside])
        level = list(below.order_by("pk").values_list("pk", flat=True))
        for member in documents_ingesting(organisation=organisation, documents=level):
            running = ingest_cancel(organisation=organisation, document=member) or running
        inside += level
    return inside, running


def _deleted_publish(*, organisation: UUID, documents: Iterable[UUID]) -> None:
    for document in documents:
        document_publish_deleted(organisation=organisation, document=document)


def document_lock(*, organisation: UUID, document: UUID) -> Document:
    """Lock a document until this transaction ends. Raises NotFound."""
    rows = Document.objects.select_for_update(of=("self",)).select_related("source")
    row = rows.filter(organisation=organisation, pk=document).first()
    if row is None:
        raise NotFound
    return row


def _document_set(row: Document, state: DocumentState, *, percent: int, **columns: Any) -> None:
    Document.objects.filter(pk=row.pk).update(
        state=state, step=None, percent=percent, error_code="", error_message="", updated=Now(), **columns
    )
    row.refresh_from_db()
