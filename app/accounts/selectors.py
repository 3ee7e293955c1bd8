from uuid import UUID

from django.db.models import QuerySet

from app.accounts.models import Invitation, Membership, Organisation
from app.accounts.secrets import secret_hash
from app.errors import NotFound
from app.lib.tenancy import everything_visible


def organisation_get(*, slug: str) -> Organisation:
    """Raises NotFound."""
    try:
        return Organisation.objects.get(slug=slug)
    except Organisation.DoesNotExist:
        raise NotFound(message=f"There is no organisation {slug!r}.") from None


@everything_visible()
def organisation_choices(*, user: UUID) -> list[Organisation]:
    """Organisations that a person may work in now, in the order in which they joined."""
    rows = Organisation.objects.filter(memberships__user=user, suspended=None)
    return list(rows.order_by("memberships__created", "memberships__id"))


def membership_list(*, organisation: UUID) -> QuerySet[Membership]:
    return Membership.objects.filter(organisation=organisation).select_related("user").order_by("created")


def invitation_list(*, organisation: UUID) -> QuerySet[Invitation]:
    return Invitation.objects.filter(organisation=organisation, accepted=None).order_by("-created")


@everything_visible()
def invitation_by_token(*, token: str) -> Invitation | None:
    """The open invitation of a link; the token itself is the permission."""
    invitation = Invitation.objects.select_related("organisation").filter(token_hash=secret_hash(token)).first()
    return invitation if invitation is not None and invitation.is_open else None
