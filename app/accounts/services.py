from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.models import ApiKey, Invitation, Membership, Organisation, User
from app.accounts.secrets import API_KEY_PREFIX, secret_hash, secret_make
from app.errors import Conflict, Invalid, NotAllowed, RefdeskError

INVITATION_LIFETIME = timedelta(days=7)


def organisation_create(*, slug: str, name: str = "") -> Organisation:
    """Make a tenant.

    Raises:
        Conflict: the slug is taken.
        Invalid: the slug is not a slug.
    """
    organisation = Organisation(slug=slug, name=name or slug)
    try:
        organisation.clean_fields()
    except ValidationError as error:
        raise Invalid(message="; ".join(error.messages)) from error
    if Organisation.objects.filter(slug=slug).exists():
        raise Conflict(message=f"There is an organisation {slug!r} already.")
    organisation.save()
    return organisation


def user_create(*, email: str, password: str, name: str = "", is_operator: bool = False) -> User:
    """Make a person with a local password.

    Raises:
        Conflict: the address is taken.
        Invalid: the address or the password cannot be used.
    """
    user = User(email=email.strip().lower(), name=name, is_operator=is_operator)
    try:
        validate_email(user.email)
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(message=" ".join(error.messages)) from error
    if User.objects.filter(email__iexact=user.email).exists():
        raise Conflict(message="There is an account with this e-mail address already.")
    user.set_password(password)
    user.save()
    return user


def membership_create(*, organisation: Organisation, user: User, role: Role) -> Membership:
    """Make a person a member, or give a member another role."""
    membership, _ = Membership.objects.update_or_create(organisation=organisation, user=user, defaults={"role": role})
    return membership


def invitation_create(
    *, organisation: Organisation, email: str, role: Role, invited_by: User, inviter_role: Role
) -> tuple[Invitation, str]:
    """An invitation and its token, which is shown once.

    Raises:
        NotAllowed: the role is above the inviter's.
        Invalid: the address is not an e-mail address.
    """
    if not inviter_role.covers(Role.ADMIN) or not inviter_role.covers(role):
        raise NotAllowed
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(message=" ".join(error.messages)) from error
    token = secret_make()
    invitation = Invitation.objects.create(
        organisation=organisation,
        email=email,
        role=role,
        token_hash=secret_hash(token),
        invited_by=invited_by,
        expires=timezone.now() + INVITATION_LIFETIME,
    )
    return invitation, token


@transaction.atomic
def invitation_accept(*, token: str, name: str, password: str, user: User | None = None) -> User:
    """Use an invitation once: makes the account (or takes the signed-in `user` of the same address) a member.

    Raises:
        RefdeskError: invitation_invalid.
        Conflict: an account with the address exists; its owner signs in first.
        Invalid: the password cannot be used.
    """
    invitation = (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("organisation")
        .filter(token_hash=secret_hash(token))
        .first()
    )
    if invitation is None or not invitation.is_open:
        raise RefdeskError("invitation_invalid")
    if user is None:
        user = user_create(email=invitation.email, password=password, name=name)
    elif user.email.lower() != invitation.email.lower():
        raise RefdeskError("invitation_invalid", "This invitation is for another e-mail address.")
    if not Membership.objects.filter(organisation=invitation.organisation, user=user).exists():
        membership_create(organisation=invitation.organisation, user=user, role=Role(invitation.role))
    invitation.accepted = timezone.now()
    invitation.save(update_fields=["accepted"])
    return user


def api_key_create(
    *, organisation: Organisation, name: str, role: Role = Role.ADMIN, created_by: User | None = None
) -> tuple[ApiKey, str]:
    """A key's row and the key itself, which is shown once."""
    key = secret_make(API_KEY_PREFIX)
    row = ApiKey.objects.create(
        organisation=organisation,
        name=name,
        role=role,
        prefix=key[: len(API_KEY_PREFIX) + 6],
        key_hash=secret_hash(key),
        created_by=created_by,
    )
    return row, key


def api_key_revoke(*, organisation: Organisation, api_key: ApiKey) -> None:
    ApiKey.objects.filter(organisation=organisation, pk=api_key.pk, revoked=None).update(revoked=timezone.now())
