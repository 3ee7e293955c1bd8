"""Claim rules: the provider's claims about a person give organisations and roles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from app.accounts.choices import Role
from app.accounts.models import ClaimRule, Membership, Organisation, User
from app.audit.trail import audit_record
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.oidc.claims import email_is_verified

# Claims of every token, which say nothing about the person.
CLAIMS_OF_THE_PROTOCOL = frozenset(
    {"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "auth_time", "nonce", "acr", "amr", "typ", "sid"}
    | {"at_hash", "c_hash", "scope", "email_verified"}
)


def claim_rule_check(*, claim: str, value: str) -> None:
    """Raise Invalid for a rule that fits everybody or nobody."""
    if not claim.strip() or not value.strip():
        raise Invalid(message="A rule needs a claim and a value.")
    if claim.split(".")[0] in CLAIMS_OF_THE_PROTOCOL:
        raise Invalid(message=f"The claim {claim} is about the token, not about the person: use one such as groups.")


@transaction.atomic
def claim_rule_save(
    *, organisation: UUID, claim_rule: UUID | None, claim: str, value: str, role: Role, actor_role: Role
) -> ClaimRule:
    """Create a rule, or change one. It takes effect with each person's next sign-in.

    Raises:
        Invalid: the rule fits everybody or nobody.
        NotAllowed: the role, or the rule's present role, is above the actor's.
        NotFound: no such rule here.
        Conflict: a rule for this claim and value exists.
    """
    claim, value = claim.replace("\0", "").strip(), value.replace("\0", "").strip()
    claim_rule_check(claim=claim, value=value)
    rule = ClaimRule(organisation_id=organisation) if claim_rule is None else _rule(organisation, claim_rule)
    if not _may_give(actor_role, role, *([Role(rule.role)] if claim_rule is not None else [])):
        raise NotAllowed
    same = ClaimRule.objects.filter(organisation=organisation, claim=claim, value=value)
    if same.exclude(pk=rule.pk).exists():
        raise Conflict(message="There is a rule for this claim and value already.")
    before = _rule_values(rule) if claim_rule is not None else None
    rule.claim, rule.value, rule.role = claim, value, role
    rule.save()
    _record(rule, "claim_rule.update" if before else "claim_rule.create", before, _rule_values(rule))
    return rule


@transaction.atomic
def claim_rule_delete(*, organisation: UUID, claim_rule: UUID, actor_role: Role) -> None:
    """Delete a rule. Its memberships end with each person's next sign-in.

    Raises:
        NotFound: no such rule here.
        NotAllowed: its role is above the actor's.
    """
    rule = _rule(organisation, claim_rule)
    if not _may_give(actor_role, Role(rule.role)):
        raise NotAllowed
    _record(rule, "claim_rule.delete", _rule_values(rule), None)
    rule.delete()


def _rule(organisation: UUID, claim_rule: UUID) -> ClaimRule:
    rule = ClaimRule.objects.filter(organisation=organisation, pk=claim_rule).first()
    if rule is None:
        raise NotFound
    return rule


def _may_give(actor_role: Role, *roles: Role) -> bool:
    return actor_role.covers(Role.ADMIN) and all(actor_role.covers(role) for role in roles)


def _rule_values(rule: ClaimRule) -> dict[str, str]:
    return {"claim": rule.claim, "value": rule.value, "role": str(rule.role)}


def _record(rule: ClaimRule, action: str, before: dict[str, str] | None, after: dict[str, str] | None) -> None:
    audit_record(
        organisation=rule.organisation_id,
        action=action,
        target_kind="claim_rule",
        target=str(rule.pk),
        target_name=f"{rule.claim} = {rule.value}",
        before=before,
        after=after,
    )


def claim_fits(claims: Mapping[str, Any], *, claim: str, value: str) -> bool:
    """Return whether the claim is the value or a list that contains it, in the same letter case.

    A slash at the beginning of either counts for nothing: Keycloak sends a group as `/editors` or as `editors`, by a
    switch of its mapper. A group within a group keeps its path: `/sales/editors` is not `editors`.
    """
    return value.removeprefix("/") in {text.removeprefix("/") for text in claim_values(_claim_at(claims, claim))}


def _claim_at(claims: Any, path: str) -> Any:
    """Return the value at a path of names with dots.

    A name may contain dots: the longest one present is tried first.
    """
    if not isinstance(claims, Mapping):
        return None
    if path in claims:
        return claims[path]
    names = path.split(".")
    for end in range(len(names) - 1, 0, -1):
        name = ".".join(names[:end])
        if name in claims:
            return _claim_at(claims[name], ".".join(names[end:]))
    return None


def claim_values(claim: Any) -> set[str]:
    """Return the texts of a claim's value, or of the entries of its list, that a rule may name."""
    values = claim if isinstance(claim, list) else [claim]
    return {_text(value) for value in values if isinstance(value, str | int | float | bool)}


def _text(value: str | float) -> str:
    """Return a value as JSON writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def roles_by_rule(*, claims: Mapping[str, Any]) -> dict[UUID, Role]:
    """Return the highest role that the rules of each organisation give for these claims.

    An unverified e-mail address fits no rule.
    """
    roles: dict[UUID, Role] = {}
    is_verified = email_is_verified(claims)
    for rule in ClaimRule.objects.all():
        # At many providers people can enter any address into their own profile.
        if rule.claim == "email" and not is_verified:
            continue
        if not claim_fits(claims, claim=rule.claim, value=rule.value):
            continue
        role, highest = Role(rule.role), roles.get(rule.organisation_id)
        if highest is None or role.covers(highest):
            roles[rule.organisation_id] = role
    return roles


@dataclass(frozen=True, slots=True)
class Change:
    """A change for the audit trail. Changes are written at the end, in one order, since each locks its organisation."""

    organisation: UUID
    action: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


def memberships_by_rule(*, user: User, claims: Mapping[str, Any]) -> list[Change]:
    """Give the memberships of the rules and remove those that no rule gives any more. Call within a transaction.

    A membership that a person gave (by an invitation, as an admin) stays, and so does an organisation's last owner.
    """
    due = roles_by_rule(claims=claims)
    involved = {*due, *user.memberships.filter(by_rule=True).values_list("organisation_id", flat=True)}
    # Locked as in services.py, in one order, so that two owners who leave at once do not both leave.
    organisations = list(Organisation.objects.select_for_update().filter(pk__in=involved).order_by("pk"))
    memberships = {row.organisation_id: row for row in user.memberships.filter(organisation__in=involved)}
    changes = []
    for organisation in organisations:
        membership, role = memberships.get(organisation.pk), due.get(organisation.pk)
        if membership is None and role is not None:
            Membership.objects.create(organisation=organisation, user=user, role=role, by_rule=True)
            changes.append(Change(organisation.pk, "membership.create", after={"role": role.value}))
        elif membership is not None and membership.by_rule and membership.role != role:
            changes += _change(membership, role)
    return changes


def _change(membership: Membership, role: Role | None) -> list[Change]:
    if _is_last_owner(membership):
        return []
    organisation, before = membership.organisation_id, {"role": str(membership.role)}
    if role is None:
        membership.delete()
        return [Change(organisation, "membership.delete", before)]
    membership.role = role
    membership.save(update_fields=["role"])
    return [Change(organisation, "membership.update", before, {"role": role.value})]


def _is_last_owner(membership: Membership) -> bool:
    if membership.role != Role.OWNER:
        return False
    owners = Membership.objects.filter(
        organisation=membership.organisation_id, role=Role.OWNER, user__is_active=True
    ).exclude(pk=membership.pk)
    return not owners.exists()
