from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from app.accounts.auth import Caller
from app.accounts.choices import Role
from app.library.choices import DocumentState, Step
from app.library.connectors.registry import connector_class
from app.library.models import Chunk, Document
from app.library.places import place_label
from app.library.selectors.documents import document_get, document_list, document_payload, version_shown
from app.library.selectors.duplicates import duplicates_among, duplicates_of
from app.library.selectors.embedding_change import change_is_open
from app.library.selectors.sources import source_list
from app.library.selectors.timeline import attempts_list
from app.library.views.document_filters import NEWEST_FIRST, filters_read
from app.library.warning_words import warning_words
from app.portal.pages import page
from app.portal.shell import shell_context

ROWS_SHOWN = 100
PASSAGES_SHOWN = 50
MEMBERS_SHOWN = 100

# Name, title and classes of the columns of the list.
COLUMNS = (
    ("name", "Name", ""),
    ("source", "Source", "wide-only"),
    ("state", "State", ""),
    ("pages", "Pages", "number"),
    ("chunks", "Passages", "number"),
    ("updated", "Updated", "number wide-only"),
)
STATES = {
    DocumentState.QUEUED: "Waiting for its turn",
    DocumentState.RUNNING: "Being read",
    DocumentState.READY: "Ready",
    DocumentState.FAILED: "Failed",
    DocumentState.CANCELLED: "Cancelled",
}
STEPS = {
    Step.FETCH: "Fetching",
    Step.PARSE: "Reading",
    Step.CHUNK: "Cutting into passages",
    Step.EMBED: "Embedding",
    Step.INDEX: "Indexing",
}


@never_cache
@require_safe
@page(Role.VIEWER)
def show_documents(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Show a page of documents. The filters are in the address: `?state=failed&source=…&q=handbook&page=2`."""
    filters = filters_read(request, organisation=caller.organisation_id)
    pager = Paginator(filters.documents(), ROWS_SHOWN).get_page(request.GET.get("page"))
    rows = list(pager.object_list)
    shell = shell_context(caller, section="documents")
    source = filters.source
    context = {
        "shell": shell,
        "index_changes": change_is_open(),
        "upload_max": settings.UPLOAD_MAX_BYTES,
        "rows": _rows(caller, rows),
        "pager": pager,
        "q": filters.q,
        "state": filters.state,
        "source": source,
        "holder": filters.holder,
        "kind": filters.kind,
        "sort": filters.sort,
        "filtered": filters.are_set,
        "filters": filters.address(sorted_too=True),
        "columns": [filters.column(*column) for column in COLUMNS],
        "sources": source_list(organisation=caller.organisation_id).order_by("name"),
        "kinds": filters.kind_names(),
        "states": [(each.value, words) for each, words in STATES.items()],
        "page": {
            "words": _words(),
            "canEdit": shell["can_edit"],
            "takesNew": not filters.are_set and filters.sort == NEWEST_FIRST and pager.number == 1,
            "targets": _targets(caller) if shell["can_edit"] else [],
            "source": str(source.id) if source and not connector_class(source.kind).discovers else "",
            "documents": [document_payload(document) for document in rows],
        },
    }
    return render(request, "library/documents.html", context)


@never_cache
@require_safe
@page(Role.VIEWER)
def show_document(request: HttpRequest, caller: Caller, document_id: UUID) -> HttpResponse:
    document = document_get(organisation=caller.organisation_id, document=document_id)
    version = version_shown(organisation=caller.organisation_id, document=document_id)
    context = {
        "shell": shell_context(caller, section="documents"),
        "document": _row(document),
        "steps": [(step.value, words) for step, words in STEPS.items()],
        "members": _members(caller, document),
        "members_shown": MEMBERS_SHOWN,
        "warnings": [warning_words(warning) for warning in version.warnings],
        "duplicates": duplicates_of(organisation=caller.organisation_id, document=document_id),
        "attempts": attempts_list(organisation=caller.organisation_id, document=document_id),
        "passages": _passages(caller, document, request.GET.get("page")),
        "page": {"document": document_payload(document), "words": _words()},
    }
    return render(request, "library/document.html", context)


def _targets(caller: Caller) -> list[dict[str, str]]:
    """Return the sources that documents can be moved to."""
    sources = source_list(organisation=caller.organisation_id).order_by("name")
    return [{"id": str(each.pk), "name": each.name} for each in sources if not connector_class(each.kind).discovers]


def _words() -> dict[str, dict[str, str]]:
    return {
        "states": {state.value: words for state, words in STATES.items()},
        "steps": {step.value: words for step, words in STEPS.items()},
    }


def _row(document: Any) -> dict[str, Any]:
    """Return the data of a document for the templates, before the page's script runs."""
    return {
        "id": document.id,
        "name": document.name,
        "source": document.source.name,
        "external_id": document.external_id,
        "holder": document.parent,
        "url": document.url,
        "version": document.version,
        "answering": document.answering,
        "state": document.state,
        "words": STATES[DocumentState(document.state)],
        # What is done has no step any more; what failed failed in one.
        "shows_steps": document.state not in (DocumentState.READY, DocumentState.CANCELLED),
        "pages": document.pages,
        "chunks": document.chunks,
        "bytes": document.bytes,
        "created": document.created,
        "updated": document.updated,
    }


def _members(caller: Caller, document: Document) -> list[dict[str, Any]]:
    """Return the files inside a document, one more than are shown."""
    rows = document_list(organisation=caller.organisation_id, parent=document.id).order_by("id")
    return [_row(row) for row in rows[: MEMBERS_SHOWN + 1]]


def _rows(caller: Caller, documents: list[Any]) -> list[dict[str, Any]]:
    """Return the data of documents for the list, with a word for those that repeat another."""
    ids = [document.id for document in documents]
    repeated = duplicates_among(organisation=caller.organisation_id, documents=ids)
    return [{**_row(document), "duplicate": repeated.get(document.id, "")} for document in documents]


def _passages(caller: Caller, document: Document, number: str | None) -> Page[Any]:
    chunks = Chunk.objects.filter(
        organisation=caller.organisation_id, document=document, version=document.active_version_id
    )
    found: Page[Any] = Paginator(chunks.order_by("position"), PASSAGES_SHOWN).get_page(number)
    shown: list[Any] = [
        {"number": chunk.position + 1, "place": place_label(chunk.place), "text": chunk.text}
        for chunk in found.object_list
    ]
    found.object_list = shown
    return found
