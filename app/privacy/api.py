from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from ninja import Router, Status
from ninja.pagination import paginate

from app.accounts.auth import ApiRequest, policy
from app.accounts.choices import Role, Scope
from app.lib.cursor_pagination import TimePagination
from app.lib.openapi_responses import PART, ZIP, responses
from app.privacy.erasure.services import erasure_asked
from app.privacy.exports.downloads import export_answer
from app.privacy.exports.services import export_create
from app.privacy.models import Export
from app.privacy.schemas import ErasureIn, ErasureOut, ExportIn, ExportOut
from app.privacy.selectors import erasure_get, erasure_list, erasure_shape, export_get, export_list, export_shape

router = Router(tags=["exports"])
ADMIN = policy(Role.ADMIN, Scope.ADMIN)


def _export(request: ApiRequest, export: UUID) -> Export:
    caller = request.caller
    return export_get(organisation=caller.organisation_id, export=export, role=caller.role, user=caller.user_id)


@router.post("/exports", auth=ADMIN, response={202: ExportOut})
def create_export(request: ApiRequest, export: ExportIn) -> Any:
    """Make an export of the organisation, or of a person in it. It has conversations when an owner asks for it."""
    caller = request.caller
    made = export_create(
        organisation=caller.organisation_id, role=caller.role, person=export.person or "", requested_by=caller.user_id
    )
    return Status(202, export_shape(made))


@router.get("/exports", auth=ADMIN, response=list[ExportOut])
@paginate(TimePagination, payload=export_shape)
def list_exports(request: ApiRequest) -> Any:
    """List the exports that the caller may fetch."""
    caller = request.caller
    return export_list(organisation=caller.organisation_id, role=caller.role, user=caller.user_id)


@router.get("/exports/{export_id}", auth=ADMIN, response=ExportOut)
def get_export(request: ApiRequest, export_id: UUID) -> Any:
    """Return an export with its state."""
    return export_shape(_export(request, export_id))


@router.get("/exports/{export_id}/content", auth=ADMIN, openapi_extra=responses(ZIP, statuses=PART))
def get_export_content(request: ApiRequest, export_id: UUID) -> HttpResponseBase:
    """Download the archive of an export."""
    return export_answer(request, _export(request, export_id))


@router.post("/erasures", auth=ADMIN, response={202: ErasureOut})
def create_erasure(request: ApiRequest, erasure: ErasureIn) -> Any:
    """Erase the organisation (owners only), or what it holds of a person or of a conversation's owner."""
    caller = request.caller
    made = erasure_asked(
        organisation=caller.organisation_id,
        slug=caller.organisation_slug,
        role=caller.role,
        person=erasure.person or "",
        conversation=erasure.conversation,
        named=erasure.organisation,
        confirm=erasure.confirm,
    )
    return Status(202, erasure_shape(made))


@router.get("/erasures", auth=ADMIN, response=list[ErasureOut])
@paginate(TimePagination, payload=erasure_shape)
def list_erasures(request: ApiRequest) -> Any:
    """List the erasures of the organisation."""
    return erasure_list(organisation=request.caller.organisation_id)


@router.get("/erasures/{erasure_id}", auth=ADMIN, response=ErasureOut)
def get_erasure(request: ApiRequest, erasure_id: UUID) -> Any:
    """Return an erasure, with its receipt when it is done."""
    return erasure_shape(erasure_get(organisation=request.caller.organisation_id, erasure=erasure_id))
