from typing import Any, BinaryIO, TypeVar, cast
from uuid import UUID

import orjson
from django.core.files.uploadedfile import UploadedFile
from ninja import Router, Schema, Status
from ninja.errors import ValidationError
from ninja.pagination import paginate
from ninja.params.functions import Query
from pydantic import ValidationError as SchemaError

from app.accounts.auth import ApiRequest, policy
from app.accounts.choices import Role, Scope
from app.accounts.models import Organisation
from app.errors import Invalid, NotFound, RefdeskError
from app.lib.cursor_pagination import Limit, TimePagination, page_read
from app.lib.json_body import FORM, JSON, content_type_check, json_body
from app.library.choices import Outcome
from app.library.connectors.protocol import Content, Item
from app.library.connectors.push import METADATA_BYTES, pushed_item, text_content
from app.library.models import Document, Source
from app.library.schemas import (
    AddressOut,
    DocumentPutOut,
    PushFileIn,
    PushIn,
    RunOut,
    ScheduleIn,
    SourceIn,
    SourceOut,
    SourcePageOut,
    SourcePatch,
)
from app.library.selectors.documents import document_payload
from app.library.selectors.sources import (
    run_get,
    run_item_list,
    run_item_payload,
    run_list,
    run_payload,
    source_get,
    source_list,
    source_payload,
    sources_payload,
)
from app.library.services.documents import document_delete
from app.library.services.intake import document_put
from app.library.services.runs import run_start
from app.library.services.sources import source_bring_check, source_create, source_delete, source_update
from app.library.uploads import external_id_check

router = Router(tags=["sources"])
OUTCOME: Any = Query("", enum=["", *Outcome.values])
Body = TypeVar("Body", bound=Schema)


def _organisation(request: ApiRequest) -> Organisation:
    """Return the caller's organisation with its id alone, which is enough for rows that refer to it."""
    return Organisation(id=request.caller.organisation_id)


def _source(request: ApiRequest, source_id: UUID) -> Source:
    return source_get(organisation=request.caller.organisation_id, source=source_id)


def _schedule(schedule: ScheduleIn) -> dict[str, Any]:
    return {"preset": schedule.preset, "cron": schedule.cron, "time_zone": schedule.time_zone}


@router.get("/sources", auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ), response=SourcePageOut)
def list_sources(request: ApiRequest, limit: int = Limit, cursor: str = "") -> Any:
    """List the sources of the organisation."""
    rows = source_list(organisation=request.caller.organisation_id)
    page, cursor_next = page_read(rows, ordering=("-created", "-id"), cursor=cursor, limit=limit)
    return {"items": sources_payload(page), "next": cursor_next}


@router.post("/sources", auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE), response={201: SourceOut})
def create_source(request: ApiRequest, source: SourceIn) -> Any:
    """Make a source. A name that is taken is answered with 409."""
    created = source_create(
        organisation=_organisation(request),
        name=source.name,
        kind=source.kind,
        settings=source.settings,
        **_schedule(source.schedule),
    )
    return Status(201, source_payload(_source(request, created.id)))


@router.get("/sources/{source_id}", auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ), response=SourceOut)
def get_source(request: ApiRequest, source_id: UUID) -> Any:
    """Return a source with its last run."""
    return source_payload(_source(request, source_id))


@router.patch("/sources/{source_id}", auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE), response=SourceOut)
def update_source(request: ApiRequest, source_id: UUID, source: SourcePatch) -> Any:
    """Change a source's name, settings or schedule."""
    changes: dict[str, Any] = source.model_dump(include={"name", "settings"}, exclude_none=True)
    if source.schedule is not None:
        changes |= _schedule(source.schedule)
    source_update(organisation=_organisation(request), source=_source(request, source_id), changes=changes)
    return source_payload(_source(request, source_id))


@router.delete("/sources/{source_id}", auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE), response={204: None})
def delete_source(request: ApiRequest, source_id: UUID) -> Any:
    """Remove a source with its documents."""
    source_delete(organisation=request.caller.organisation_id, source=_source(request, source_id))
    return Status(204, None)


@router.post("/sources/{source_id}/runs", auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE), response={202: RunOut})
def create_run(request: ApiRequest, source_id: UUID) -> Any:
    """Read a source now. While the source has an open run, the answer is that run."""
    source = _source(request, source_id)
    return Status(202, run_payload(run_start(organisation=request.caller.organisation_id, source=source)))


@router.get("/sources/{source_id}/runs", auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ), response=list[RunOut])
@paginate(TimePagination, payload=run_payload)
def list_runs(request: ApiRequest, source_id: UUID) -> Any:
    """List the runs of a source, the latest first."""
    return run_list(organisation=request.caller.organisation_id, source=_source(request, source_id))


@router.get("/runs/{run_id}", auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ), response=RunOut)
def get_run(request: ApiRequest, run_id: UUID) -> Any:
    """Return a run with its counts."""
    return run_payload(run_get(organisation=request.caller.organisation_id, run=run_id))


@router.get("/runs/{run_id}/addresses", auth=policy(Role.VIEWER, Scope.DOCUMENTS_READ), response=list[AddressOut])
@paginate(TimePagination, ordering=("id",), payload=run_item_payload)
def list_run_addresses(request: ApiRequest, run_id: UUID, outcome: str = OUTCOME) -> Any:
    """List the outcomes of a run's items, in the order in which the source listed them."""
    if outcome and outcome not in Outcome.values:
        raise Invalid(message=f"outcome is one of {', '.join(Outcome.values)}.")
    organisation = request.caller.organisation_id
    return run_item_list(organisation=organisation, run=run_get(organisation=organisation, run=run_id), outcome=outcome)


def _form_schema() -> dict[str, Any]:
    schema = PushFileIn.model_json_schema()
    return {**schema, "properties": {**schema["properties"], "file": {"type": "string", "format": "binary"}}}


PUSH_BODY = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": PushIn.model_json_schema()}, FORM: {"schema": _form_schema()}},
    }
}


@router.post(
    "/sources/{source_id}/documents",
    auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE),
    response={202: DocumentPutOut},
    openapi_extra=PUSH_BODY,
)
def push_document(request: ApiRequest, source_id: UUID) -> Any:
    """Create or replace a document of a source: a text as JSON, or a file as a form.

    The same bytes under the same external_id change nothing, so a push whose answer was lost can be repeated.
    """
    source = _source(request, source_id)
    source_bring_check(source=source)
    item, content = _pushed_file(request) if request.content_type == FORM else _pushed_text(request)
    result = document_put(
        organisation=request.caller.organisation_id,
        source=source,
        item=item,
        content=content,
        uploaded_by=request.caller.user_id,
    )
    return Status(202, {**document_payload(result.document), "outcome": result.outcome})


def _pushed_text(request: ApiRequest) -> tuple[Item, Content]:
    content_type_check(request, JSON, FORM)
    body = _checked(PushIn, json_body(request))
    metadata = body.metadata
    if metadata is not None and len(orjson.dumps(metadata)) > METADATA_BYTES:
        raise Invalid(message=f"metadata has at most {METADATA_BYTES:,} bytes as JSON.")
    item = pushed_item(external_id=body.external_id, name=body.name, url=body.url, metadata=metadata)
    return item, text_content(body.text, body.media_type)


def _pushed_file(request: ApiRequest) -> tuple[Item, Content]:
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        raise RefdeskError("no_file")
    named = set(PushFileIn.model_fields)
    body = _checked(PushFileIn, {name: value for name, value in request.POST.items() if name in named})
    name = body.name or file.name or ""
    item = pushed_item(
        external_id=body.external_id or file.name or "", name=name, url=body.url, metadata=_metadata(body.metadata)
    )
    return item, Content(cast(BinaryIO, file.file), body.media_type)


def _metadata(text: str) -> dict[str, Any] | None:
    if not text:
        return None
    if len(text.encode()) > METADATA_BYTES:
        raise Invalid(message=f"metadata has at most {METADATA_BYTES:,} bytes as JSON.")
    try:
        values = orjson.loads(text)
    except ValueError as error:
        raise Invalid(message="metadata is no JSON.") from error
    if not isinstance(values, dict):
        raise Invalid(message="metadata is an object of JSON.")
    return values


def _checked(schema: type[Body], values: Any) -> Body:
    """Check a body. Raises ValidationError, which is answered like that of any other invalid body."""
    try:
        return schema.model_validate(values)
    except SchemaError as error:
        places = [
            {**each, "loc": ("body", *each["loc"])} for each in error.errors(include_input=False, include_url=False)
        ]
        raise ValidationError(cast(list[dict[str, Any]], places)) from error


@router.delete(
    "/sources/{source_id}/documents/{path:external_id}",
    auth=policy(Role.EDITOR, Scope.DOCUMENTS_WRITE),
    response={204: None},
)
def remove_document(request: ApiRequest, source_id: UUID, external_id: str) -> Any:
    """Remove a document by its id within a source."""
    organisation = request.caller.organisation_id
    source = _source(request, source_id)
    source_bring_check(source=source)
    rows = Document.objects.filter(organisation=organisation, source=source)
    document = rows.filter(external_id=external_id_check(external_id)).values_list("id", flat=True).first()
    if document is None:
        raise NotFound
    document_delete(organisation=organisation, document=document)
    return Status(204, None)
