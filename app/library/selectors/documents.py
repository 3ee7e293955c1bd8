from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, FilteredRelation, Q, QuerySet

from app.errors import CODES, NotFound, RefdeskError
from app.lib.times import time_text
from app.library.choices import DocumentState
from app.library.models import Document, DocumentVersion, Source

# As in app/retrieval/search.py, whose statement names documents for answers.
NAME_CHARS = 255


def documents_describe(documents: QuerySet[Document]) -> QuerySet[Document]:
    """Add to documents their source, `bytes` and `sha256` of the newest version, and the number `answering`."""
    newest = FilteredRelation("versions", condition=Q(versions__number=F("version")))
    return documents.select_related("source", "parent").annotate(
        newest=newest, bytes=F("newest__bytes"), sha256=F("newest__sha256"), answering=F("active_version__number")
    )


def document_list(
    *,
    organisation: UUID,
    state: str | None = None,
    source: Source | None = None,
    q: str = "",
    parent: UUID | None = None,
) -> QuerySet[Document]:
    """Return documents with what `document_payload` needs, newest first."""
    documents = documents_describe(Document.objects.filter(organisation=organisation)).order_by("-created", "-id")
    if state:
        documents = documents.filter(state=state)
    if source is not None:
        documents = documents.filter(source=source)
    if parent is not None:
        documents = documents.filter(parent=parent)
    if q:
        documents = documents.filter(name__icontains=q.replace("\0", ""))
    return documents


def document_get(*, organisation: UUID, document: UUID) -> Document:
    """Return a document of `document_list`. Raises NotFound."""
    row = document_list(organisation=organisation).filter(pk=document).first()
    if row is None:
        raise NotFound
    return row


def version_shown(*, organisation: UUID, document: UUID, number: int | None = None) -> DocumentVersion:
    """Return the active version, or the newest until there is one; or the version with a number.

    Raises:
        NotFound: no such document or version here.
    """
    versions = DocumentVersion.objects.filter(organisation=organisation, document=document)
    if number is None:
        version = versions.order_by("state", "-number").first()  # active comes before building and retired
    else:
        version = versions.filter(number=number).first() if 0 < number < 2**31 else None
    if version is None:
        raise NotFound(message="" if number is None else "There is no such version of this document any more.")
    return version


def error_payload(code: str, message: str = "") -> dict[str, Any]:
    entry = CODES.get(code, CODES["internal"])
    return {"code": code, "message": message or entry.message, "hint": entry.hint}


def document_url(document: UUID | str) -> str:
    """Return the address of a document's page in the portal."""
    return f"{settings.PUBLIC_URL}/documents/{document}"


def document_name(document: Document) -> str:
    """Return the name that citations show: of a file inside a mail or archive with that of its holder."""
    if document.parent is None:
        return document.name
    return f"{document.name} (in {document.parent.name})"[:NAME_CHARS]


def document_payload(document: Document) -> dict[str, Any]:
    """Return a Document of the API. document: a result of `documents_describe`."""
    row: Any = document
    return {
        "id": str(document.id),
        "name": document.name,
        "source": {"id": str(document.source_id), "name": document.source.name},
        "external_id": document.external_id,
        "parent": None if document.parent_id is None else str(document.parent_id),
        "parent_name": None if document.parent is None else document.parent.name,
        "url": document.url or None,
        "metadata": document.metadata,
        "media_type": document.media_type,
        "bytes": row.bytes or 0,
        "sha256": row.sha256 or "",
        "state": document.state,
        "step": document.step,
        "percent": document.percent,
        "chunks": document.chunks,
        "pages": document.pages,
        "version": document.version,
        "active_version": row.answering,
        "error": error_payload(document.error_code, document.error_message) if document.error_code else None,
        "created": time_text(document.created),
        "updated": time_text(document.updated),
    }


def refused_payload(name: str, error: RefdeskError) -> dict[str, Any]:
    """Return the entry for a file that became no document: its name and the error."""
    return {
        **dict.fromkeys(
            (
                "id",
                "source",
                "parent",
                "parent_name",
                "url",
                "step",
                "pages",
                "active_version",
                "outcome",
                "created",
                "updated",
            )
        ),
        **dict.fromkeys(("external_id", "media_type", "sha256"), ""),
        **dict.fromkeys(("bytes", "percent", "chunks", "version"), 0),
        "metadata": {},
        "name": name,
        "state": DocumentState.FAILED,
        "error": error_payload(error.code, error.message),
    }
