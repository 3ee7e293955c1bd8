from typing import Any
from uuid import UUID

from ninja import Router, Status
from ninja.pagination import paginate

from app.accounts.auth import ApiRequest, policy
from app.accounts.choices import Role, Scope
from app.errors import NotAllowed, RefdeskError
from app.lib.cursor_pagination import TimePagination
from app.llm.models import ModelEndpoint
from app.llm.schemas import EndpointIn, EndpointOut, EndpointPatch, ServedModelsOut, TrialOut
from app.llm.selectors import endpoint_get, endpoint_list, endpoint_read, models_merge
from app.llm.services import endpoint_create, endpoint_delete, endpoint_trial_record, endpoint_update
from app.llm.trial import Trial, endpoint_open, endpoint_try, failure_read, models_served

router = Router(tags=["endpoints"])


def _own(request: ApiRequest, endpoint_id: UUID) -> ModelEndpoint:
    """Return an endpoint of the caller's organisation. Raises NotFound, and NotAllowed for the deployment's."""
    row = endpoint_get(organisation=request.caller.organisation_id, endpoint=endpoint_id)
    if row.organisation_id is None:
        raise NotAllowed(message="This model server belongs to whoever runs this Refdesk.")
    return row


def _given(changes: EndpointIn | EndpointPatch, *, unset: bool) -> dict[str, Any]:
    """Return the sent fields, by the names of the services, with the key in plain text."""
    given: dict[str, Any] = changes.model_dump(mode="json", exclude={"api_key"}, exclude_unset=unset)
    if "api_key" in changes.model_fields_set:
        given["api_key"] = changes.api_key.get_secret_value() if changes.api_key is not None else None
    return given


@router.get("/endpoints", auth=policy(Role.ADMIN, Scope.ADMIN), response=list[EndpointOut])
@paginate(TimePagination, ordering=("created", "id"), payload=endpoint_read)
def list_endpoints(request: ApiRequest) -> Any:
    """List the organisation's model servers, and those of the deployment."""
    return endpoint_list(organisation=request.caller.organisation_id)


@router.post("/endpoints", auth=policy(Role.ADMIN, Scope.ADMIN), response={201: EndpointOut})
def create_endpoint(request: ApiRequest, endpoint: EndpointIn) -> Any:
    """Add a model server. Its key is stored encrypted and never given back."""
    made = endpoint_create(organisation=request.caller.organisation_id, **_given(endpoint, unset=False))
    return Status(201, endpoint_read(made))


@router.get("/endpoints/{endpoint_id}", auth=policy(Role.ADMIN, Scope.ADMIN), response=EndpointOut)
def get_endpoint(request: ApiRequest, endpoint_id: UUID) -> Any:
    """Return a model server, without its key."""
    return endpoint_read(endpoint_get(organisation=request.caller.organisation_id, endpoint=endpoint_id))


@router.patch("/endpoints/{endpoint_id}", auth=policy(Role.ADMIN, Scope.ADMIN), response=EndpointOut)
def update_endpoint(request: ApiRequest, endpoint_id: UUID, changes: EndpointPatch) -> Any:
    """Change a model server."""
    row = _own(request, endpoint_id)
    given = {
        name: value for name, value in _given(changes, unset=True).items() if value is not None or name == "api_key"
    }
    changed = endpoint_update(organisation=row.organisation_id, endpoint=row.pk, changes=given)
    return endpoint_read(changed)


@router.delete("/endpoints/{endpoint_id}", auth=policy(Role.ADMIN, Scope.ADMIN), response={204: None})
def delete_endpoint(request: ApiRequest, endpoint_id: UUID) -> Any:
    """Delete a model server with its key."""
    row = _own(request, endpoint_id)
    endpoint_delete(organisation=row.organisation_id, endpoint=row.pk)
    return Status(204, None)


@router.post("/endpoints/{endpoint_id}/test", auth=policy(Role.ADMIN, Scope.ADMIN), response=TrialOut)
def test_endpoint(request: ApiRequest, endpoint_id: UUID) -> Any:
    """Ask a model server for one token. The status is 200 for every outcome, which the response names."""
    organisation = request.caller.organisation_id
    row = endpoint_get(organisation=organisation, endpoint=endpoint_id)
    try:
        opened = endpoint_open(row)
    except RefdeskError as error:
        trial = Trial(0.0, error=error)
    else:
        trial = endpoint_try(organisation=organisation, endpoint=opened)
    endpoint_trial_record(organisation=organisation, endpoint=row.pk, healthy=trial.ok, learnt=trial.learnt)
    return {
        "ok": trial.ok,
        "took_s": round(trial.took_s, 3),
        "model": trial.model,
        "text": trial.text,
        "error": None if trial.error is None else failure_read(trial.error),
    }


@router.get("/endpoints/{endpoint_id}/models", auth=policy(Role.ADMIN, Scope.ADMIN), response=ServedModelsOut)
def list_endpoint_models(request: ApiRequest, endpoint_id: UUID) -> Any:
    """List the models that are configured for a server, and those that it lists now."""
    organisation = request.caller.organisation_id
    row = endpoint_get(organisation=organisation, endpoint=endpoint_id)
    try:
        served = models_served(organisation=organisation, endpoint=endpoint_open(row))
    except RefdeskError as error:
        return {"items": models_merge(row, None), "error": failure_read(error)}
    return {"items": models_merge(row, served), "error": None}
