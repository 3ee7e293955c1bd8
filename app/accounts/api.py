from typing import Any

from ninja import Router

from app.accounts.auth import ApiRequest, policy
from app.accounts.choices import Role
from app.accounts.models import ApiKey, Organisation, User
from app.accounts.schemas import MeOut

router = Router(tags=["account"])


@router.get("/me", auth=policy(Role.VIEWER), response=MeOut)
def get_me(request: ApiRequest) -> Any:
    """The caller, their organisation, role and scopes."""
    caller = request.caller
    return {
        "organisation": Organisation.objects.get(pk=caller.organisation_id),
        "role": caller.role,
        "scopes": [role for role in Role.values if caller.role.covers(Role(role))],
        "user": User.objects.get(pk=caller.user_id) if caller.user_id else None,
        "api_key": ApiKey.objects.get(pk=caller.api_key_id).name if caller.api_key_id else None,
    }
