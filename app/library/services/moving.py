"""Move a document to another source of its organisation."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from app.errors import Conflict
from app.library.choices import DocumentState, Step
from app.library.connectors.registry import connector_class
from app.library.events import documents_publish
from app.library.models import Document, Source
from app.library.selectors.documents import document_get
from app.library.services.documents import document_audit, document_lock
from app.library.services.jobs import ingest_job_create, ingest_state
from app.library.services.sources import source_bring_check
from app.library.uploads import identity_lock


@transaction.atomic
def document_move(*, organisation: UUID, document: UUID, source: Source) -> Document:
    """Move a document, with what is inside it, to a source that documents are brought to, under the same ids.

    Its passages stay as they are; their points are written again, because a bot may read some sources only.

    Raises:
        NotFound: no such document here.
        Conflict: the document is being read, belongs to a source that is read by itself or to another document, or has
            a namesake there; or documents cannot be brought to the source.
    """
    source_bring_check(source=source)
    row = document_get(organisation=organisation, document=document)
    if row.parent is not None:
        raise Conflict(message=f"This document is inside {row.parent.name}. Move that one.")
    if row.source_id != source.pk:
        _move(organisation, document, source)
    return document_get(organisation=organisation, document=document)


def _move(organisation: UUID, document: UUID, source: Source) -> None:
    # Jobs are locked before their documents everywhere, against deadlocks.
    locked = ingest_state(organisation=organisation, document=document, lock=True)
    row = document_lock(organisation=organisation, document=document)
    if locked is not None:
        raise Conflict(message=f"{row.name} is being read. Move it when it is ready.")
    if connector_class(row.source.kind).discovers:
        raise Conflict(message=f"{row.source.name} is read by itself, so this document would come back to it.")
    if row.active_version is not None and row.active_version.number != row.version:
        raise Conflict(message=f"The newest version of {row.name} is not ready. Retry it first, or cancel it.")
    identity_lock(source.pk, row.external_id)
    if Document.objects.filter(organisation=organisation, source=source, external_id=row.external_id).exists():
        raise Conflict(message=f"{source.name} has a document of this name already.")
    before = row.source.name
    changes: dict[str, Any] = {"source": source, "updated": Now()}
    if row.active_version is not None:
        ingest_job_create(organisation=organisation, document=row, version=row.active_version, step=Step.EMBED)
        changes |= {"state": DocumentState.QUEUED, "step": None, "percent": 0}
    Document.objects.filter(pk=row.pk).update(**changes)
    document_audit(row, "document.move", before={"source": before}, after={"source": source.name})
    transaction.on_commit(lambda: documents_publish(documents=[document]))
    for member in Document.objects.filter(organisation=organisation, parent=document).values_list("pk", flat=True):
        _move(organisation, member, source)
