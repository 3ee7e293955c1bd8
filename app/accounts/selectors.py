from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from app.accounts.choices import InvitationState, Role
from app.accounts.key_hash import secret_hash
from app.accounts.models import Invitation, Membership, Organisation
from app.errors import NotFound
from app.lib.nearest_name import did_you_mean
from app.lib.tenancy import everything_visible


def organisation_get(*, slug: str) -> Organisation:
    """Return an organisation by its slug, for commands. Raises NotFound, with the slug that was meant perhaps."""
    try:
        return Organisation.objects.get(slug=slug)
    except Organisation.DoesNotExist:
        meant = did_you_mean(slug, Organisation.objects.values_list("slug", flat=True))
        raise NotFound(message=f"There is no organisation {slug!r}.{meant}") from None


@everything_visible()
def organisation_choices(*, user: UUID) -> list[Organisation]:
    """Return the organisations that a person may work in now, in the order in which they joined."""
    rows = Organisation.objects.filter(memberships__user=user, suspended=None)
    return list(rows.order_by("memberships__created", "memberships__id"))


def membership_list(*, organisation: UUID) -> QuerySet[Membership]:
    return Membership.objects.filter(organisation=organisation).select_related("user").order_by("created")


def invitation_list(*, organisation: UUID) -> QuerySet[Invitation]:
    """Return the invitations that have not been accepted, annotated for `invitation_state`."""
    rows = Invitation.objects.filter(organisation=organisation, accepted=None)
    return invitations_with_works(rows).order_by("-created")


def invitations_with_works(rows: QuerySet[Invitation]) -> QuerySet[Invitation]:
    """Add `works` to each invitation: whether its link can be accepted now."""
    return rows.annotate(works=Exists(invitations_open().filter(pk=OuterRef("pk"))))


def invitation_state(invitation: Invitation) -> InvitationState:
    """Return the state of a row from `invitations_with_works`."""
    if invitation.accepted is not None:
        return InvitationState.ACCEPTED
    if invitation.expires <= timezone.now():
        return InvitationState.EXPIRED
    works: bool = invitation.works  # type: ignore[attr-defined]
    return InvitationState.OPEN if works else InvitationState.VOID


def invitations_open() -> QuerySet[Invitation]:
    """Return the invitations whose link works now: a link must not outlive its maker's right to grant that role."""
    makers = Membership.objects.filter(
        role__in=[Role.OWNER, Role.ADMIN], organisation=OuterRef("organisation"), user=OuterRef("invited_by")
    )
    return Invitation.objects.filter(
        Exists(makers.filter(role=Role.OWNER))
        | (Exists(makers) & ~Q(role=Role.OWNER))
        | Q(invited_by__is_operator=True),
        invited_by__is_active=True,
        accepted=None,
        expires__gt=timezone.now(),
    )


@everything_visible()
def invitation_by_token(*, token: str) -> Invitation | None:
    """Return the open invitation of a link; the token itself is the permission."""
    return invitations_open().select_related("organisation").filter(token_hash=secret_hash(token)).first()
