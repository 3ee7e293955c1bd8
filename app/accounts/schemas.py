from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from app.accounts.choices import Role, Scope
from app.accounts.keys import LONGEST_OVERLAP_DAYS
from app.lib.strict_types import Whole, ZonedTime


class OrganisationOut(Schema):
    id: UUID
    slug: str
    name: str


class PersonOut(Schema):
    id: UUID
    email: str
    name: str


class MeOut(Schema):
    organisation: OrganisationOut
    role: str
    scopes: list[str]
    user: PersonOut | None
    api_key: str | None


class ApiKeyOut(Schema):
    id: UUID
    name: str
    prefix: str
    role: str
    scopes: list[str]
    plan: str | None
    state: str
    replaced_by: UUID | None
    created: str
    expires: str | None
    last_used: str | None
    revoked: str | None


class NewApiKeyOut(ApiKeyOut):
    """A new key: the only response that contains the key itself."""

    key: str


class ApiKeyIn(Schema):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    role: Role = Role.ADMIN
    scopes: list[Scope] = Field(default_factory=lambda: list(Scope), min_length=1, max_length=len(Scope))
    plan: str | None = Field(None, max_length=50)
    expires: ZonedTime | None = None


class RotationIn(Schema):
    """A rotation: the number of days for which both keys are valid."""

    model_config = ConfigDict(extra="forbid")

    overlap_days: Whole = Field(0, ge=0, le=LONGEST_OVERLAP_DAYS)
