"""Who is at an admin page and what they may do in which organisation."""

from uuid import UUID

from django.http import HttpRequest

from app.accounts.choices import Role
from app.accounts.models import User
from app.errors import RefdeskError


def person_of(request: HttpRequest) -> User:
    """The person at an admin page, who is signed in: the site lets nobody else in."""
    user = request.user
    if not isinstance(user, User):
        raise RefdeskError("not_signed_in")
    return user


def roles_of(request: HttpRequest, *, least: Role = Role.ADMIN) -> dict[UUID, Role]:
    """Organisations in which the person has at least a role, and which role."""
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return {}
    return {organisation: role for organisation, role in user.admin_roles.items() if role.covers(least)}


def is_operator(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_active and request.user.is_operator


def role_in(request: HttpRequest, organisation: UUID) -> Role:
    """What the person may do in an organisation. An operator acts as an owner.

    Raises:
        RefdeskError: not_found outside their organisations.
    """
    if is_operator(request):
        return Role.OWNER
    role = roles_of(request).get(organisation)
    if role is None:
        raise RefdeskError("not_found")
    return role
