from collections.abc import AsyncIterator
from functools import partial
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from ninja import Router, Status
from ninja.files import UploadedFile
from ninja.pagination import paginate
from ninja.params.functions import File, Form, Query

from app.accounts.auth import ApiRequest, async_policy, policy, stream_allowed
from app.accounts.choices import Role, Scope
from app.accounts.models import Organisation
from app.errors import Invalid, NotFound, RefdeskError
from app.lib.cursor_pagination import Limit, TimePagination
from app.lib.file_response import stored_file_response
from app.lib.json_body import FORM, content_type_check
from app.lib.openapi_responses import ANY, EVENTS, PART, PNG, UNCHANGED, responses
from app.lib.request_id import request_id_get
from app.lib.sse import Event, sse
from app.lib.storage import ObjectMissing, storage
from app.library.choices import DocumentState
from app.library.connectors.protocol import Content, Item
from app.library.connectors.uploads import file_item
from app.library.events import documents_follow
from app.library.models import Source
from app.library.page_previews import page_picture
from app.library.schemas import (
    DocumentDetailOut,
    DocumentOut,
    DocumentPatch,
    DocumentsPutOut,
    PassagePageOut,
    TextOut,
)
from app.library.selectors.documents import (
    document_get,
    document_list,
    document_payload,
    refused_payload,
    version_shown,
)
from app.library.selectors.duplicates import duplicates_of
from app.library.selectors.passages import BLOCKS_PER_PAGE, chunk_list, passage_payload, text_read
from app.library.selectors.sources import source_named
from app.library.services.documents import (
    document_cancel,
    document_delete,
    document_retry,
)
from app.library.services.intake import document_put
from app.library.services.moving import document_move
from app.library.services.sources import source_bring_check, source_for_uploads

router = Router(tags=["documents"])
Files = File(default=[])
Texts: Any = Form([])
STATE: Any = Query("", enum=["", *DocumentState.values])


def _organisation(request: ApiRequest) -> Organisation:
    """Return the caller's organisation with its id alone, which is enough for rows that refer to it."""
    return Organisation(id=request.caller.organisation_id)


def _source(request: ApiRequest, name: str) -> Source:
    source = source_named(organisation=request.caller.organisation_id, name=name)
    if source is None:
        raise NotFound(message="There is no such source.")
    return source


@router.post("/documents", auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE), response={202: DocumentsPutOut})
def create_documents(
    request: ApiRequest, file: list[UploadedFile] = Files, source: str = Form(""), external_id: list[str] = Texts
) -> Any:
    """Upload files. Each gets its document, or its name and its own error, in the answer.

    external_id: the identity of each file within its source, in the order of the files; by default the file's name.
    A file whose identity is known becomes a new version of its document, unless its bytes are the same.
    """
    content_type_check(request, FORM)
    if not file:
        raise RefdeskError("no_file")
    if external_id and len(external_id) != len(file):
        raise Invalid(message=f"There are {len(file)} files and {len(external_id)} external_ids. Send one for each.")
    into = _source(request, source) if source else source_for_uploads(organisation=_organisation(request))
    source_bring_check(source=into)
    identities = external_id or [""] * len(file)
    items = [file_item(upload.name or "", identity) for upload, identity in zip(file, identities, strict=True)]
    return Status(202, {"items": [_put(request, into, *pair) for pair in zip(items, file, strict=True)]})


def _put(request: ApiRequest, source: Source, item: Item, file: UploadedFile) -> dict[str, Any]:
    try:
        result = document_put(
            organisation=request.caller.organisation_id,
            source=source,
            item=item,
            content=Content(cast(BinaryIO, file.file)),
            uploaded_by=request.caller.user_id,
        )
    except RefdeskError as error:
        return refused_payload(item.name, error)
    return {**document_payload(result.document), "outcome": result.outcome}


@router.get("/documents", auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ), response=list[DocumentOut])
@paginate(TimePagination, payload=document_payload)
def list_documents(
    request: ApiRequest,
    state: str = STATE,
    source: str = "",
    q: str = "",
    parent: UUID | None = None,
) -> Any:
    """List documents, the newest first, by state, source or a part of the name.

    parent: only the files inside this document.
    """
    if state and state not in DocumentState.values:
        raise Invalid(message=f"state is one of {', '.join(DocumentState.values)}.")
    return document_list(
        organisation=request.caller.organisation_id,
        state=state or None,
        source=_source(request, source) if source else None,
        q=q,
        parent=parent,
    )


@router.get("/documents/events", auth=async_policy(Role.VIEWER, Scope.DOCUMENTS_READ), openapi_extra=responses(EVENTS))
async def follow_documents(request: ApiRequest) -> HttpResponseBase:
    """Send events: `document` with a Document on every change, `deleted` with an id."""
    return await sse(_changes(request), request_id=request_id_get(request), allowed=partial(stream_allowed, request))


async def _changes(request: ApiRequest) -> AsyncIterator[Event]:
    async for data in documents_follow(organisation=request.caller.organisation_id):
        if data is not None:
            yield Event("deleted" if b'"deleted":true' in data[-20:] else "document", data)


@router.get("/documents/{document_id}", auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ), response=DocumentDetailOut)
def get_document(request: ApiRequest, document_id: UUID) -> Any:
    """Return a document with its state, step and error, and the documents that it repeats."""
    organisation = request.caller.organisation_id
    document = document_get(organisation=organisation, document=document_id)
    return {
        **document_payload(document),
        "duplicates": [
            {"document": {"id": row.id, "name": row.name}, "percent": row.percent, "same_bytes": row.same_bytes}
            for row in duplicates_of(organisation=organisation, document=document_id)
        ],
    }


@router.patch("/documents/{document_id}", auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE), response=DocumentOut)
def update_document(request: ApiRequest, document_id: UUID, body: DocumentPatch) -> Any:
    """Move a document to another source that documents are brought to."""
    organisation = request.caller.organisation_id
    document_get(organisation=organisation, document=document_id)
    source = _source(request, body.source)
    return document_payload(document_move(organisation=organisation, document=document_id, source=source))


@router.delete("/documents/{document_id}", auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE), response={204: None})
def delete_document(request: ApiRequest, document_id: UUID) -> Any:
    """Delete a document from every store."""
    document_delete(organisation=request.caller.organisation_id, document=document_id)
    return Status(204, None)


@router.post(
    "/documents/{document_id}/retry", auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE), response={202: DocumentOut}
)
def retry_document(request: ApiRequest, document_id: UUID) -> Any:
    """Read a document again: after a failure, or with the present settings."""
    return Status(
        202, document_payload(document_retry(organisation=request.caller.organisation_id, document=document_id))
    )


@router.post("/documents/{document_id}/cancel", auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE), response=DocumentOut)
def cancel_document(request: ApiRequest, document_id: UUID) -> Any:
    """Stop reading a document."""
    return document_payload(document_cancel(organisation=request.caller.organisation_id, document=document_id))


@router.get(
    "/documents/{document_id}/content",
    auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ),
    openapi_extra=responses(ANY, statuses=PART),
)
def get_document_content(request: ApiRequest, document_id: UUID, version: int | None = None) -> HttpResponseBase:
    """Download the original, or the part that a Range asks for. version: the number of an active or former version."""
    organisation = request.caller.organisation_id
    document = document_get(organisation=organisation, document=document_id)
    row = version_shown(organisation=organisation, document=document_id, number=version)
    try:
        return stored_file_response(
            request,
            storage(),
            row.storage_key,
            name=document.name,
            media_type=row.media_type,
            size=row.bytes,
        )
    except ObjectMissing as error:
        raise RefdeskError("file_missing") from error


@router.get("/documents/{document_id}/chunks", auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ), response=PassagePageOut)
def list_document_chunks(request: ApiRequest, document_id: UUID, limit: int = Limit, cursor: str = "") -> Any:
    """List a document's passages in order, with their places. The cursor is the number of passages before the page."""
    organisation = request.caller.organisation_id
    document = document_get(organisation=organisation, document=document_id)
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
        raise Invalid(message="This cursor is not one that an answer gave.")
    first = int(cursor or 0)
    chunks = list(chunk_list(organisation=organisation, document=document_id)[first : first + limit + 1])
    return {
        "items": [passage_payload(chunk, document) for chunk in chunks[:limit]],
        "next": str(first + limit) if len(chunks) > limit else None,
    }


@router.get("/documents/{document_id}/text", auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ), response=TextOut)
def get_document_text(
    request: ApiRequest,
    document_id: UUID,
    around: UUID | None = None,
    first: int = Query(0, ge=0, le=10_000_000, alias="from"),
    limit: int = Query(BLOCKS_PER_PAGE, ge=1, le=1000),
) -> Any:
    """Return a document's text in blocks: around a passage, whose characters `mark` names, or a page of it.

    A passage that an answer cites is shown in the version that the answer cited.
    """
    organisation = request.caller.organisation_id
    return text_read(organisation=organisation, document=document_id, around=around, first=first, limit=limit)


@router.get(
    "/documents/{document_id}/pages/{n}",
    auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ),
    openapi_extra=responses(PNG, statuses=UNCHANGED),
)
def get_document_page(request: ApiRequest, document_id: UUID, n: int, version: int | None = None) -> HttpResponseBase:
    """Return a page of a PDF as a picture (PNG). version: the number of an active or former version."""
    picture = page_picture(organisation=request.caller.organisation_id, document=document_id, page=n, version=version)
    tag = f'"{picture.stem}"'
    if request.headers.get("If-None-Match") == tag:
        answer = HttpResponse(status=304)
    else:
        answer = HttpResponse(picture.read_bytes(), content_type="image/png")
    answer["ETag"] = tag
    answer["Cache-Control"] = "private, max-age=86400"
    return answer
