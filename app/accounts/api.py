from typing import Any
from uuid import UUID

from ninja import Router, Status
from ninja.pagination import paginate

from app.accounts.auth import ApiRequest, Caller, policy
from app.accounts.choices import Role, Scope
from app.accounts.keys import (
    api_key_create,
    api_key_get,
    api_key_list,
    api_key_payload,
    api_key_revoke,
    api_key_rotate,
)
from app.accounts.models import ApiKey, Organisation, User
from app.accounts.schemas import ApiKeyIn, ApiKeyOut, MeOut, NewApiKeyOut, RotationIn
from app.errors import NotAllowed
from app.lib.cursor_pagination import TimePagination

router = Router(tags=["account"])


@router.get("/me", auth=policy(Role.VIEWER), response=MeOut)
def get_me(request: ApiRequest) -> Any:
    """Return the caller, their organisation, role and scopes."""
    caller = request.caller
    return {
        "organisation": Organisation.objects.get(pk=caller.organisation_id),
        "role": caller.role,
        "scopes": [scope for scope in Scope if scope in caller.scopes],
        "user": User.objects.get(pk=caller.user_id) if caller.user_id else None,
        "api_key": ApiKey.objects.get(pk=caller.api_key_id).name if caller.api_key_id else None,
    }


def _person(caller: Caller) -> User | None:
    return User.objects.filter(pk=caller.user_id).first() if caller.user_id else None


@router.get("/api-keys", auth=policy(Role.ADMIN, Scope.ADMIN), response=list[ApiKeyOut])
@paginate(TimePagination, payload=api_key_payload)
def list_api_keys(request: ApiRequest) -> Any:
    """Return the organisation's keys, the newest first, revoked and expired ones too."""
    return api_key_list(organisation=request.caller.organisation_id)


@router.post("/api-keys", auth=policy(Role.ADMIN, Scope.ADMIN), response={201: NewApiKeyOut})
def create_api_key(request: ApiRequest, api_key: ApiKeyIn) -> Any:
    """Create a key. Its role and scopes are the caller's at most; only this response contains `key`."""
    caller = request.caller
    person = _person(caller)
    # A plan raises limits, which only operators may do.
    if api_key.plan is not None and not (person is not None and person.is_operator):
        raise NotAllowed(message="Plans are chosen by the operators of this box.")
    row, key = api_key_create(
        organisation=Organisation.objects.get(pk=caller.organisation_id),
        name=api_key.name,
        role=api_key.role,
        scopes=api_key.scopes,
        plan=api_key.plan,
        expires=api_key.expires,
        created_by=person,
        creator_role=caller.role,
        creator_scopes=caller.scopes,
    )
    return Status(201, {**api_key_payload(row), "key": key})


@router.get("/api-keys/{api_key_id}", auth=policy(Role.ADMIN, Scope.ADMIN), response=ApiKeyOut)
def get_api_key(request: ApiRequest, api_key_id: UUID) -> Any:
    """Return one key, without the key itself."""
    return api_key_payload(api_key_get(organisation=request.caller.organisation_id, api_key=api_key_id))


@router.post("/api-keys/{api_key_id}/rotate", auth=policy(Role.ADMIN, Scope.ADMIN), response={201: NewApiKeyOut})
def rotate_api_key(request: ApiRequest, api_key_id: UUID, rotation: RotationIn) -> Any:
    """Replace this key by a new one; this one stays valid for `overlap_days`. A key may rotate itself."""
    caller = request.caller
    row, key = api_key_rotate(
        organisation=caller.organisation_id,
        api_key=api_key_id,
        overlap_days=rotation.overlap_days,
        actor=_person(caller),
        actor_role=caller.role,
        actor_scopes=caller.scopes,
    )
    return Status(201, {**api_key_payload(row), "key": key})


@router.delete("/api-keys/{api_key_id}", auth=policy(Role.ADMIN, Scope.ADMIN), response={204: None})
def revoke_api_key(request: ApiRequest, api_key_id: UUID) -> Any:
    """Revoke a key permanently. It stays in the list, revoked."""
    caller = request.caller
    api_key_revoke(
        organisation=caller.organisation_id,
        api_key=api_key_id,
        actor_role=caller.role,
        actor_scopes=caller.scopes,
    )
    return Status(204, None)
