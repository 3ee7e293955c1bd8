"""Whom an identity at the provider belongs to. The key is (issuer, subject); an e-mail address never opens an account.

An address at the provider can be given to somebody else, or be claimed without being theirs. So it is used in one way
only: a verified one says which invitation a new person may take.
"""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from app.accounts.models import Identity, Invitation, User
from app.accounts.oidc_rules import memberships_by_rule, roles_by_rule
from app.accounts.services import email_clean, membership_create
from app.accounts.choices import Role
from app.errors import Invalid, RefdeskError

Claims = Mapping[str, Any]


def identity_user(*, issuer: str, subject: str) -> User | None:
    found = Identity.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
    return found.user if found is not None else None


def identity_sign_in(*, issuer: str, subject: str, claims: Claims) -> User:
    """The person who signs in, with the memberships that their claims give now.

    Raises:
        RefdeskError: sign_in_refused, with words for the person.
    """
    try:
        return _sign_in(issuer, subject, claims)
    except IntegrityError:
        # The same person came in by two tabs, and the other one was first.
        return _sign_in(issuer, subject, claims)


def _sign_in(issuer: str, subject: str, claims: Claims) -> User:
    # A refusal comes after the transaction: what the provider took back stays taken back.
    with transaction.atomic():
        user = identity_user(issuer=issuer, subject=subject)
        if user is None:
            user = _newcomer(issuer, subject, claims)
        elif user.is_active:
            _email_follow(user, claims)
        if user.is_active:
            Identity.objects.filter(issuer=issuer, subject=subject).update(last_used=timezone.now())
            memberships_by_rule(user=user, claims=claims)
            _invitations_take(user, claims)
    if not user.is_active:
        raise RefdeskError("sign_in_refused", "This account is deactivated.")
    if not user.is_operator and not user.memberships.exists():
        raise _nowhere(user.email)
    return user


def identity_link(*, user: User, issuer: str, subject: str, claims: Claims) -> None:
    """Let a signed-in person sign in by the provider from now on.

    Raises:
        RefdeskError: sign_in_refused when the identity, or its e-mail address, is somebody else's.
    """
    with transaction.atomic():
        owner = identity_user(issuer=issuer, subject=subject)
        if owner is not None and owner.pk != user.pk:
            raise RefdeskError("sign_in_refused", "Another account here signs in with this identity.")
        email = _email_verified(claims)
        if email and User.objects.exclude(pk=user.pk).filter(email=email).exists():
            raise RefdeskError("sign_in_refused", f"Another account here has the address {email}.")
        Identity.objects.get_or_create(issuer=issuer, subject=subject, defaults={"user": user})
        memberships_by_rule(user=user, claims=claims)


def identity_unlink(*, user: User, issuer: str) -> None:
    """Take the provider's way in away from a person, who has a password as another.

    Raises:
        RefdeskError: conflict when it is their only one.
    """
    if not user.has_usable_password():
        raise RefdeskError("conflict", "This is your only way to sign in.")
    user.identities.filter(issuer=issuer).delete()


def _newcomer(issuer: str, subject: str, claims: Claims) -> User:
    """A new account for somebody who belongs to an organisation here; nobody else leaves a trace."""
    email = _email_verified(claims)
    if not email:
        raise RefdeskError(
            "sign_in_refused", "The sign-in provider does not vouch for your e-mail address, so no account was made."
        )
    if User.objects.filter(email=email).exists():
        raise RefdeskError(
            "sign_in_refused",
            f"There is an account with the address {email} already. Sign in with its password, then link it on the "
            "page “Account”. If you do not know the password, ask the people who run this Refdesk for a new one.",
        )
    if not roles_by_rule(claims=claims) and not _invitations_open(email):
        raise _nowhere(email)
    user = User(email=email, name=_name(claims))
    user.set_unusable_password()
    user.save()
    Identity.objects.create(user=user, issuer=issuer, subject=subject)
    return user


def _nowhere(email: str) -> RefdeskError:
    return RefdeskError(
        "sign_in_refused",
        f"You are known as {email}, but no organisation here has let you in. Ask an owner or admin of your "
        "organisation to invite that address, or to give you the group that this Refdesk asks for.",
    )


def _email_follow(user: User, claims: Claims) -> None:
    """Keep the address that the provider says. One that is another account's here cannot be right."""
    email = _email_verified(claims)
    if not email or email == user.email:
        return
    if User.objects.exclude(pk=user.pk).filter(email=email).exists():
        raise RefdeskError(
            "sign_in_refused",
            f"The sign-in provider says that your address is {email} now, which another account here has. "
            "Ask the people who run this Refdesk.",
        )
    # With a local password the address is a name to sign in with, which its owner chose.
    if not user.has_usable_password():
        user.email = email
        user.save(update_fields=["email"])


def _invitations_open(email: str) -> list[Invitation]:
    open_now = Invitation.objects.filter(email=email, accepted=None, expires__gt=timezone.now())
    return list(open_now.select_related("organisation").select_for_update(of=("self",)))


def _invitations_take(user: User, claims: Claims) -> None:
    if _email_verified(claims) != user.email:
        return
    for invitation in _invitations_open(user.email):
        member = user.memberships.filter(organisation=invitation.organisation).first()
        if member is None or member.by_rule:
            # What was given by hand outlasts the rule, at the higher of both roles.
            role = Role(invitation.role)
            role = Role(member.role) if member is not None and Role(member.role).covers(role) else role
            member = membership_create(organisation=invitation.organisation, user=user, role=role)
            member.by_rule = False
            member.save(update_fields=["by_rule"])
        invitation.accepted = timezone.now()
        invitation.save(update_fields=["accepted"])


def _email_verified(claims: Claims) -> str:
    """The address that the provider vouches for; empty when it vouches for none."""
    email = claims.get("email")
    # Some send the word instead of the value.
    if claims.get("email_verified") not in (True, "true") or not isinstance(email, str) or "\0" in email:
        return ""
    try:
        return email_clean(email)
    except Invalid:
        return ""


def _name(claims: Claims) -> str:
    name = claims.get("name")
    return name.replace("\0", "").strip()[:200] if isinstance(name, str) else ""
