"""Sessions of other people, ended by who may."""

from uuid import UUID

from django.db import transaction

from app.accounts.choices import Role
from app.accounts.models import Membership, User
from app.accounts.user_sessions import sign_ins_end
from app.audit.trail import audit_record
from app.errors import NotAllowed, NotFound


@transaction.atomic
def member_sessions_end(*, organisation: UUID, membership: UUID, actor_role: Role) -> int:
    """Sign a member out everywhere; gives the number of sessions. They may sign in again.

    Raises:
        NotFound: no such member here.
        NotAllowed: the member's role is above the actor's.
    """
    row = Membership.objects.select_related("user").filter(organisation=organisation, pk=membership).first()
    if row is None:
        raise NotFound
    if not actor_role.covers(Role.ADMIN) or not actor_role.covers(Role(row.role)):
        raise NotAllowed
    return _end(row.user, organisation=organisation)


@transaction.atomic
def user_sessions_end(*, user: UUID) -> int:
    """The same for operators, who run the box. Raises NotFound."""
    row = User.objects.filter(pk=user).first()
    if row is None:
        raise NotFound
    return _end(row, organisation=None)


def _end(user: User, *, organisation: UUID | None) -> int:
    ended = sign_ins_end(user=user.pk)
    audit_record(
        organisation=organisation,
        action="user.sessions_end",
        target_kind="user",
        target=str(user.pk),
        target_name=user.email,
        after={"ended": ended},
    )
    return ended
