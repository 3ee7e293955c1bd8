from uuid import UUID

from ninja import Schema


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
