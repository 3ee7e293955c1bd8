"""Claims of the provider about Ada, and rules for them."""

import time
from typing import Any
from uuid import uuid4

from django.test import Client

from app.accounts.choices import Role
from app.accounts.models import ClaimRule, Membership, Organisation
from app.oidc.tests.oidc_provider import (
    CLIENT_ID,
)
from app.oidc.tokens import LOGOUT_EVENT


def rule(organisation: Organisation, value: str, role: Role, claim: str = "groups") -> ClaimRule:
    return ClaimRule.objects.create(organisation=organisation, claim=claim, value=value, role=role)


def roles(email: str = "ada@example.org") -> dict[str, tuple[str, bool]]:
    rows = Membership.objects.filter(user__email=email).select_related("organisation")
    return {row.organisation.slug: (row.role, row.by_rule) for row in rows}


def token_claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    honest = {"sub": "ada", "aud": CLIENT_ID, "iat": now, "exp": now + 300, "scope": "openid", "sid": "session-1"}
    return {name: value for name, value in {**honest, **changes}.items() if value is not None}


def ask_me(token: str, **headers: str) -> Any:
    return Client(headers={"Authorization": f"Bearer {token}", **headers}).get("/api/v1/me")


def logout_claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    honest = {"aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": str(uuid4()), "events": {LOGOUT_EVENT: {}}}
    return {name: value for name, value in {**honest, "sub": "ada", **changes}.items() if value is not None}
