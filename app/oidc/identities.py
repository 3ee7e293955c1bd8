"""Identities at the provider and their accounts. The key is (issuer, subject); an e-mail address never opens one.

At the provider an address can pass to another person, or be claimed without ownership. So a verified address has one
use: it selects the invitation that a new person may accept.
"""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from app.accounts.audit_records import audit_record_person
from app.accounts.choices import Role
from app.accounts.models import Identity, Invitation, Membership, User
from app.accounts.selectors import invitations_open
from app.accounts.services import email_clean
from app.accounts.user_sessions import user_sessions_end_at_provider
from app.audit.actors import PROVIDER, Actor
from app.audit.trail import audit_record
from app.errors import Invalid, NotFound, RefdeskError
from app.lib.tenancy import everything_visible
from app.oidc.claim_rules import Change, memberships_by_rule, roles_by_rule
from app.oidc.claims import Claims, claim_text, email_is_verified
from app.oidc.unmatched_claims import claims_unmatched_record

# Action, before and after of a change to the account itself.
AccountChange = tuple[str, dict[str, Any] | None, dict[str, Any] | None]

# The provider's claims cause the change, not the person.
_ACTOR = Actor(PROVIDER, label="sign-in provider")


def identity_user(*, issuer: str, subject: str) -> User | None:
    identity = Identity.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
    return identity.user if identity is not None else None


@everything_visible()
def identity_sign_in(*, issuer: str, subject: str, claims: Claims) -> User:
    """Return the person who signs in, with the memberships that their claims now give.

    Raises:
        RefdeskError: sign_in_refused, with a message for the person.
    """
    try:
        user = _sign_in_again(issuer, subject, claims)
    except RefdeskError as error:
        if error.code == "sign_in_refused":
            # After the transaction, which the refusal rolls back.
            claims_unmatched_record(claims=claims, refused=True)
        raise
    claims_unmatched_record(claims=claims, refused=False)
    return user


def _sign_in_again(issuer: str, subject: str, claims: Claims) -> User:
    """Sign in, and once more where another request of the same person came first."""
    is_known = identity_user(issuer=issuer, subject=subject) is not None
    # The same person may sign in by two tabs: the later request conflicts with the other's rows at any of these steps.
    try:
        return _sign_in(issuer, subject, claims)
    except IntegrityError:
        return _sign_in(issuer, subject, claims)
    except RefdeskError:
        if is_known or identity_user(issuer=issuer, subject=subject) is None:
            raise
        return _sign_in(issuer, subject, claims)


def _sign_in(issuer: str, subject: str, claims: Claims) -> User:
    # A refusal is raised after the transaction, so that memberships that the provider took back stay removed.
    with transaction.atomic():
        user = identity_user(issuer=issuer, subject=subject)
        account_change: AccountChange | None
        if user is None:
            user, account_change = _user_create(issuer, subject, claims), ("user.create", None, {"provider": issuer})
        else:
            account_change = _profile_follow(user, claims) if user.is_active else None
        if user.is_active:
            Identity.objects.filter(issuer=issuer, subject=subject).update(last_used=timezone.now())
            changes = memberships_by_rule(user=user, claims=claims) + _invitations_take(user, claims)
            _record(user, account_change, changes)
    if not user.is_active:
        raise RefdeskError("sign_in_refused", "This account is deactivated.")
    if not user.is_operator and not user.memberships.exists():
        raise _no_organisation(user.email)
    return user


@everything_visible()
def identity_link(*, user: User, issuer: str, subject: str, claims: Claims) -> None:
    """Let a signed-in person sign in by the provider from now on.

    Raises:
        RefdeskError: sign_in_refused when the identity, or its e-mail address, belongs to another account.
    """
    with transaction.atomic():
        owner = identity_user(issuer=issuer, subject=subject)
        if owner is not None and owner.pk != user.pk:
            raise RefdeskError("sign_in_refused", "Another account here signs in with this identity.")
        email = _email_verified(claims)
        if email and User.objects.exclude(pk=user.pk).filter(email=email).exists():
            raise RefdeskError("sign_in_refused", f"Another account here has the address {email}.")
        if owner is None:
            Identity.objects.create(issuer=issuer, subject=subject, user=user)
        changes = memberships_by_rule(user=user, claims=claims)
        _record(user, ("identity.link", None, {"provider": issuer}) if owner is None else None, changes)


@everything_visible()
@transaction.atomic
def identity_unlink(*, user: User, identity: UUID) -> None:
    """Remove an identity of a person who also has a password, and end the sessions begun by it.

    Raises:
        RefdeskError: conflict when the identity is their only way to sign in.
        NotFound: they have no such identity.
    """
    if not user.has_usable_password():
        raise RefdeskError("conflict", "This is your only way to sign in.")
    row = user.identities.filter(pk=identity).first()
    if row is None:
        raise NotFound
    row.delete()
    user_sessions_end_at_provider(issuer=row.issuer, user=user.pk)
    audit_record_person(user=user, action="identity.unlink", before={"provider": row.issuer})


@transaction.atomic
def identity_delete(*, identity: Identity) -> None:
    """Delete an identity, as an operator: its next sign-in counts as that of an unknown person."""
    audit_record_person(user=identity.user, action="identity.delete", before={"provider": identity.issuer})
    identity.delete()


def _user_create(issuer: str, subject: str, claims: Claims) -> User:
    """Create an account for a person who belongs to an organisation here; for anybody else, write nothing."""
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
        raise _no_organisation(email)
    user = User(email=email, name=_name(claims))
    user.set_unusable_password()
    user.save()
    Identity.objects.create(user=user, issuer=issuer, subject=subject)
    return user


def _no_organisation(email: str) -> RefdeskError:
    return RefdeskError(
        "sign_in_refused",
        f"You are known as {email}, but no organisation here has let you in. Ask an owner or admin of your "
        "organisation to invite that address, or to give you the group that this Refdesk asks for.",
    )


def _name(claims: Claims) -> str:
    return " ".join(claim_text(claims, "name").split())[:200]


def _profile_follow(user: User, claims: Claims) -> AccountChange | None:
    """Follow a changed address or name at the provider. Refuse an address that another account here has."""
    values = {"email": _email_verified(claims) or user.email, "name": _name(claims) or user.name}
    email = values["email"]
    if email != user.email and User.objects.exclude(pk=user.pk).filter(email=email).exists():
        raise RefdeskError(
            "sign_in_refused",
            f"The sign-in provider says that your address is {email} now, which another account here has. "
            "Ask the people who run this Refdesk.",
        )
    # With a local password the address is the sign-in name, which its owner chose, as they chose their name.
    if user.has_usable_password():
        values = {"email": user.email, "name": user.name or values["name"]}
    return _profile_change(user, values)


def _profile_change(user: User, values: dict[str, str]) -> AccountChange | None:
    before = {name: getattr(user, name) for name, value in values.items() if getattr(user, name) != value}
    if not before:
        return None
    for name in before:
        setattr(user, name, values[name])
    user.save(update_fields=list(before))
    return "user.update", before, {name: values[name] for name in before}


def _invitations_open(email: str) -> list[Invitation]:
    open_now = invitations_open().filter(email=email, organisation__suspended=None).order_by("organisation_id", "pk")
    return list(open_now.select_related("organisation").select_for_update(of=("self",)))


def _invitations_take(user: User, claims: Claims) -> list[Change]:
    if _email_verified(claims) != user.email:
        return []
    changes = []
    for invitation in _invitations_open(user.email):
        member = user.memberships.filter(organisation=invitation.organisation).first()
        if member is None or member.by_rule:
            # A membership given by a person is kept after the rule, with the higher of both roles.
            role = Role(invitation.role)
            role = Role(member.role) if member is not None and Role(member.role).covers(role) else role
            Membership.objects.update_or_create(
                organisation=invitation.organisation, user=user, defaults={"role": role, "by_rule": False}
            )
        invitation.accepted = timezone.now()
        invitation.save(update_fields=["accepted"])
        changes.append(Change(invitation.organisation_id, "invitation.accept", after={"role": invitation.role}))
    return changes


def _record(user: User, account_change: AccountChange | None, changes: list[Change]) -> None:
    """Record changes in the audit trail, organisation by organisation, so that two sign-ins cannot deadlock."""
    if account_change is not None:
        members = list(user.memberships.values_list("organisation_id", flat=True))
        changes = [Change(member, *account_change) for member in members] + changes
        if not members:
            audit_record_person(
                user=user, action=account_change[0], before=account_change[1], after=account_change[2], actor=_ACTOR
            )
    for change in sorted(changes, key=lambda row: row.organisation):
        audit_record(
            organisation=change.organisation,
            action=change.action,
            target_kind="user",
            target=str(user.pk),
            target_name=user.email,
            before=change.before,
            after=change.after,
            actor=_ACTOR,
        )


def _email_verified(claims: Claims) -> str:
    """Return the address that the provider has verified, else an empty text."""
    email = claim_text(claims, "email")
    if not email_is_verified(claims) or not email:
        return ""
    try:
        return email_clean(email)
    except Invalid:
        return ""
