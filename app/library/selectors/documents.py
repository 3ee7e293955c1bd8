from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, QuerySet

from app.errors import CODES, NotFound, RefdeskError
from app.lib.times import time_text
from app.library.choices import DocumentState
from app.library.models import Document, DocumentVersion, Source


def source_list(*, organisation: UUID) -> QuerySet[Source]:
    """With `documents_count`."""
    return Source.objects.filter(organisation=organisation).annotate(documents_count=Count("documents"))


def source_get(*, organisation: UUID, source: UUID) -> Source:
    """Raises NotFound."""
    found = source_list(organisation=organisation).filter(pk=source).first()
    if found is None:
        raise NotFound
    return found


def source_named(*, organisation: UUID, name: str) -> Source | None:
    """The source with this id or name."""
    sources = Source.objects.filter(organisation=organisation)
    try:
        return sources.filter(pk=UUID(name)).first() or sources.filter(name=name).first()
    except ValueError:
        return sources.filter(name=name).first()


def document_list(
    *, organisation: UUID, state: str | None = None, source: Source | None = None, q: str = ""
) -> QuerySet[Document]:
    """Newest first."""
    documents = Document.objects.filter(organisation=organisation).select_related("source").order_by("-created", "-id")
    if state:
        documents = documents.filter(state=state)
    if source is not None:
        documents = documents.filter(source=source)
    if q:
        documents = documents.filter(name__icontains=q.replace("\0", ""))
    return documents


def document_get(*, organisation: UUID, document: UUID) -> Document:
    """Raises NotFound."""
    found = document_list(organisation=organisation).filter(pk=document).first()
    if found is None:
        raise NotFound
    return found


def version_shown(*, organisation: UUID, document: UUID) -> DocumentVersion:
    """The version that answers; until there is one, the newest.

    Raises:
        NotFound: no such document here.
    """
    versions = DocumentVersion.objects.filter(organisation=organisation, document=document)
    found = versions.order_by("state", "-number").first()  # active comes before building and retired
    if found is None:
        raise NotFound
    return found


def error_shape(code: str, message: str = "") -> dict[str, Any]:
    entry = CODES.get(code, CODES["internal"])
    return {"code": code, "message": message or entry.message, "hint": entry.hint}


def document_url(document: UUID | str) -> str:
    """Where a person opens it: its page in the portal."""
    return f"{settings.PUBLIC_URL}/documents/{document}"


def document_shape(document: Document) -> dict[str, Any]:
    """A Document of the API; `document.source` is loaded."""
    return {
        "id": str(document.id),
        "name": document.name,
        "source": {"id": str(document.source_id), "name": document.source.name},
        "media_type": document.media_type,
        "bytes": document.bytes,
        "sha256": document.sha256,
        "state": document.state,
        "step": document.step,
        "percent": document.percent,
        "chunks": document.chunks,
        "pages": document.pages,
        "version": document.version,
        "error": error_shape(document.error_code, document.error_message) if document.error_code else None,
        "created": time_text(document.created),
        "updated": time_text(document.updated),
    }


def refused_shape(name: str, error: RefdeskError) -> dict[str, Any]:
    """What stands for a file that became no document: its name, and why."""
    return {
        **dict.fromkeys(("id", "source", "step", "pages", "created", "updated")),
        **dict.fromkeys(("media_type", "sha256"), ""),
        **dict.fromkeys(("bytes", "percent", "chunks", "version"), 0),
        "name": name,
        "state": DocumentState.FAILED,
        "error": error_shape(error.code, error.message),
    }


def source_shape(source: Source) -> dict[str, Any]:
    """A source of `source_list`."""
    return {
        "id": str(source.id),
        "name": source.name,
        "kind": source.kind,
        "documents": source.documents_count,  # type: ignore[attr-defined]  # annotated by source_list
        "created": time_text(source.created),
    }
