"""The person at an admin page and their roles."""

from uuid import UUID

from django.http import HttpRequest

from app.accounts.choices import Role
from app.accounts.models import User
from app.errors import RefdeskError


def request_user(request: HttpRequest) -> User:
    """Return the person at an admin page, who is signed in: the site admits nobody else."""
    user = request.user
    if not isinstance(user, User):
        raise RefdeskError("not_signed_in")
    return user


def admin_roles(request: HttpRequest, *, least: Role = Role.ADMIN) -> dict[UUID, Role]:
    """Return the organisations in which the person has at least a role, with that role."""
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return {}
    return {organisation: role for organisation, role in user.admin_roles.items() if role.covers(least)}


def is_operator(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_active and request.user.is_operator


def role_in(request: HttpRequest, organisation: UUID) -> Role:
    """Return the person's role in an organisation. An operator acts as an owner.

    Raises:
        RefdeskError: not_found outside their organisations.
    """
    if is_operator(request):
        return Role.OWNER
    role = admin_roles(request).get(organisation)
    if role is None:
        raise RefdeskError("not_found")
    return role
