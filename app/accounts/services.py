from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from app.accounts.audit_records import audit_record_person
from app.accounts.choices import Role, TokenPurpose
from app.accounts.key_hash import secret_derive, secret_hash, secret_make
from app.accounts.models import Invitation, Membership, Organisation, User
from app.accounts.one_time_tokens import tokens_end
from app.accounts.selectors import invitations_open
from app.accounts.user_sessions import user_sessions_end
from app.audit.trail import audit_record
from app.errors import Conflict, Invalid, NotAllowed, NotFound, RefdeskError
from app.lib.tenancy import everything_visible
from app.plans.services import plan_get

INVITATION_LIFETIME = timedelta(days=7)
# Longer passwords would only make hashing slower.
LONGEST_PASSWORD = 1000
LONGEST_EMAIL = 254


@transaction.atomic
def organisation_create(*, slug: str, name: str = "", plan: str = "unlimited") -> Organisation:
    """Create a tenant.

    Raises:
        Conflict: the slug is taken.
        Invalid: the slug is not a slug, or there is no such plan.
    """
    organisation = Organisation(slug=slug, name=name or slug, plan=plan_get(name=plan))
    try:
        organisation.clean_fields()
    except ValidationError as error:
        raise Invalid(message="; ".join(error.messages)) from error
    if Organisation.objects.filter(slug=slug).exists():
        raise Conflict(message=f"There is an organisation {slug!r} already.")
    organisation.save()
    _organisation_audit(
        organisation, "organisation.create", after={"slug": slug, "name": organisation.name, "plan": plan}
    )
    return organisation


@transaction.atomic
def organisation_update(*, organisation: UUID, values: dict[str, Any]) -> Organisation:
    """Change settings of a tenant, by field name.

    Raises:
        Invalid: a value cannot be used.
    """
    row = Organisation.objects.select_for_update().get(pk=organisation)
    before = {name: getattr(row, name) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    try:
        row.clean_fields()
    except ValidationError as error:
        raise Invalid(message="; ".join(error.messages)) from error
    if row.chunk_overlap * 2 > row.chunk_tokens:
        raise Invalid(message="The overlap of passages can be at most half of their length.")
    if any(before[name] != getattr(row, name) for name in values):
        row.save(update_fields=list(values))
        _organisation_audit(row, "organisation.update", before=before, after=values)
    return row


def _organisation_audit(row: Organisation, action: str, **sides: Any) -> None:
    audit_record(
        organisation=row.pk,
        action=action,
        target_kind="organisation",
        target=str(row.pk),
        target_name=row.name,
        **sides,
    )


def user_create(*, email: str, password: str, name: str = "", is_operator: bool = False) -> User:
    """Create a person with a local password.

    Raises:
        Conflict: the address is taken.
        Invalid: the address or the password cannot be used.
    """
    user = User(email=email_clean(email), name=name.replace("\0", "").strip()[:200], is_operator=is_operator)
    _password_check(password, user)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            audit_record_person(user=user, action="user.create", after={"is_operator": is_operator})
    except IntegrityError as error:
        raise Conflict(message="There is an account with this e-mail address already.") from error
    return user


@transaction.atomic
def user_update(*, user: UUID, values: dict[str, Any]) -> User:
    """Change an account, by field name.

    Raises:
        Conflict: another account has the address.
        Invalid: the address cannot be used.
    """
    row = User.objects.select_for_update().get(pk=user)
    if "email" in values:
        values = {**values, "email": email_clean(values["email"])}
        if User.objects.exclude(pk=row.pk).filter(email=values["email"]).exists():
            raise Conflict(message="There is an account with this e-mail address already.")
    before = {name: getattr(row, name) for name in values}
    if before != values:
        for name, value in values.items():
            setattr(row, name, value)
        row.save(update_fields=list(values))
        if not row.is_active:
            user_sessions_end(user=row.pk)
        if not row.is_active or "email" in values:
            # The address that a link was sent to may belong to somebody else now.
            tokens_end(purpose=TokenPurpose.PASSWORD_RESET, user=row)
        audit_record_person(user=row, action="user.update", before=before, after=values)
    return row


@transaction.atomic
def password_set(*, user: User, password: str, but: str | None = None) -> None:
    """Set a person's password; their sessions end, except the one with the key `but`, which the caller renews.

    Raises:
        Invalid: the password cannot be used.
    """
    _password_check(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    # A reset link in an old mailbox could undo the change.
    tokens_end(purpose=TokenPurpose.PASSWORD_RESET, user=user)
    user_sessions_end(user=user.pk, but=but)
    # Linked identities stay; the audit entry shows that the person can sign in with them too.
    linked = sorted(user.identities.values_list("issuer", flat=True))
    audit_record_person(user=user, action="user.password", after={"still_linked": linked} if linked else None)


def _password_check(password: str, user: User) -> None:
    if len(password) > LONGEST_PASSWORD:
        raise Invalid(message=f"A password has at most {LONGEST_PASSWORD} characters.")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(message=" ".join(error.messages)) from error


def email_clean(email: str) -> str:
    """Return an address as stored: without surrounding spaces, in lower case.

    Raises:
        Invalid: it is not an e-mail address.
    """
    email = email.strip().lower()
    if len(email) > LONGEST_EMAIL:
        raise Invalid(message=f"An e-mail address has at most {LONGEST_EMAIL} characters.")
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(message=" ".join(error.messages)) from error
    return email


@transaction.atomic
def membership_create(*, organisation: Organisation, user: User, role: Role) -> Membership:
    """Make a person a member, or give a member another role."""
    before = Membership.objects.filter(organisation=organisation, user=user).values_list("role", flat=True).first()
    membership, is_new = Membership.objects.update_or_create(
        organisation=organisation, user=user, defaults={"role": role}
    )
    if is_new:
        _membership_audit(membership, "membership.create", after={"role": role})
    elif before != role:
        _membership_audit(membership, "membership.update", before={"role": before}, after={"role": role})
    return membership


def _membership_audit(row: Membership, action: str, **sides: Any) -> None:
    # The target is the person, so that one id finds all entries about that person.
    audit_record(
        organisation=row.organisation_id,
        action=action,
        target_kind="user",
        target=str(row.user_id),
        target_name=row.user.email,
        **sides,
    )


@transaction.atomic
def membership_role_set(*, organisation: UUID, membership: UUID, role: Role, actor_role: Role) -> Membership:
    """Give a member another role.

    Raises:
        NotFound: no such member here.
        NotAllowed: the old or the new role is above the actor's.
        RefdeskError: last_owner.
    """
    row = _membership_locked(organisation=organisation, membership=membership)
    if not actor_role.covers(Role.ADMIN) or not actor_role.covers(Role(row.role)) or not actor_role.covers(role):
        raise NotAllowed
    if role != Role.OWNER:
        _other_owner_check(row)
    before, row.role = row.role, role
    row.save(update_fields=["role"])
    _invitations_withdraw_above(row, role)
    if before != role:
        _membership_audit(row, "membership.update", before={"role": before}, after={"role": role})
    return row


@transaction.atomic
def membership_remove(*, organisation: UUID, membership: UUID, actor_role: Role, actor: User | None = None) -> None:
    """End a membership. People may end their own; an admin those up to their own role.

    Raises:
        NotFound: no such member here.
        NotAllowed: the member's role is above the actor's.
        RefdeskError: last_owner.
    """
    row = _membership_locked(organisation=organisation, membership=membership)
    is_self = actor is not None and row.user_id == actor.pk
    if not is_self and not (actor_role.covers(Role.ADMIN) and actor_role.covers(Role(row.role))):
        raise NotAllowed
    _other_owner_check(row)
    _invitations_withdraw_above(row, None)
    row.delete()
    _membership_audit(row, "membership.delete", before={"role": row.role})


def _membership_locked(*, organisation: UUID, membership: UUID) -> Membership:
    # The organisation's row is the lock: two owners who remove each other run one after the other.
    Organisation.objects.select_for_update().filter(pk=organisation).first()
    row = Membership.objects.filter(organisation=organisation, pk=membership).first()
    if row is None:
        raise NotFound
    return row


def _other_owner_check(row: Membership) -> None:
    """Raise last_owner when nobody but this member owns the organisation. A deactivated owner does not count."""
    if row.role != Role.OWNER:
        return
    others = Membership.objects.filter(organisation=row.organisation_id, role=Role.OWNER, user__is_active=True)
    if not others.exclude(pk=row.pk).exists():
        raise RefdeskError("last_owner")


def _invitations_withdraw_above(row: Membership, role: Role | None) -> None:
    """Withdraw the member's invitations that this role may not make."""
    invitations = Invitation.objects.filter(organisation=row.organisation_id, invited_by=row.user_id, accepted=None)
    covered = [item for item in Role if role is not None and role.covers(Role.ADMIN) and role.covers(item)]
    invitations.exclude(role__in=covered).delete()


def invitation_create(
    *, organisation: Organisation, email: str, role: Role, invited_by: User, inviter_role: Role
) -> tuple[Invitation, str]:
    """Create an invitation and return it with its token, which is shown once. Earlier open ones to the address end.

    Raises:
        NotAllowed: the role is above the inviter's.
        Invalid: the address is not an e-mail address.
    """
    if not inviter_role.covers(Role.ADMIN) or not inviter_role.covers(role):
        raise NotAllowed
    email = email_clean(email)
    salt = secret_make()
    token = secret_derive(salt)
    with transaction.atomic():
        Invitation.objects.filter(organisation=organisation, email=email, accepted=None).delete()
        invitation = Invitation.objects.create(
            organisation=organisation,
            email=email,
            role=role,
            token_hash=secret_hash(token),
            invited_by=invited_by,
            expires=timezone.now() + INVITATION_LIFETIME,
        )
        _invitation_audit(invitation, "invitation.create", after={"role": role})
    invitation.token_salt = salt
    return invitation, token


def _invitation_audit(row: Invitation, action: str, **sides: Any) -> None:
    audit_record(
        organisation=row.organisation_id,
        action=action,
        target_kind="invitation",
        target=str(row.pk),
        target_name=row.email,
        **sides,
    )


@transaction.atomic
def invitation_withdraw(*, organisation: UUID, invitation: UUID) -> None:
    """End an open invitation. Raises NotFound."""
    rows = Invitation.objects.select_for_update().filter(organisation=organisation, pk=invitation, accepted=None)
    row = rows.first()
    if row is None:
        raise NotFound
    rows.delete()
    _invitation_audit(row, "invitation.withdraw", before={"role": row.role})


@everything_visible()
@transaction.atomic
def invitation_accept(*, token: str, name: str, password: str, user: User | None = None) -> User:
    """Accept an invitation once: make a new account, or the signed-in `user` with the same address, a member.

    Raises:
        RefdeskError: invitation_invalid.
        Conflict: an account with the address exists; its owner signs in first.
        Invalid: the password cannot be used.
    """
    invitation = (
        invitations_open()
        .select_for_update(of=("self",))
        .select_related("organisation")
        .filter(token_hash=secret_hash(token))
        .first()
    )
    if invitation is None:
        raise RefdeskError("invitation_invalid")
    if invitation.organisation.suspended is not None:
        raise RefdeskError("organisation_suspended")
    if user is None:
        user = user_create(email=invitation.email, password=password, name=name)
    elif user.email.lower() != invitation.email.lower():
        raise RefdeskError("invitation_invalid", "This invitation is for another e-mail address.")
    if not Membership.objects.filter(organisation=invitation.organisation, user=user).exists():
        membership_create(organisation=invitation.organisation, user=user, role=Role(invitation.role))
    invitation.accepted = timezone.now()
    invitation.save(update_fields=["accepted"])
    _invitation_audit(invitation, "invitation.accept", after={"role": invitation.role})
    return user


def user_deactivate(*, user: User) -> None:
    """Refuse a person everywhere from their next request on. Keys belong to the organisation and stay."""
    user_update(user=user.pk, values={"is_active": False})
    user.is_active = False


@transaction.atomic
def organisation_suspend(*, organisation: Organisation, suspended: bool) -> None:
    """Refuse all people and keys of an organisation, or admit them again. No data is lost."""
    if (organisation.suspended is not None) != suspended:
        organisation.suspended = timezone.now() if suspended else None
        organisation.save(update_fields=["suspended"])
        _organisation_audit(organisation, "organisation.suspend" if suspended else "organisation.reopen")
