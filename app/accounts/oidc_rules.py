"""Claim rules: which organisations and roles somebody has because of what the provider says about them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.accounts.choices import Role
from app.accounts.models import ClaimRule, Membership, Organisation, User
from app.errors import Invalid

# What every token holds says nothing about who somebody is, or is the provider's business with us.
CLAIMS_OF_THE_PROTOCOL = frozenset(
    "iss sub aud azp exp iat nbf jti auth_time nonce acr amr typ sid at_hash c_hash scope email_verified".split()
)


def claim_rule_check(*, claim: str, value: str) -> None:
    """Raises Invalid for a rule that would fit everybody, or nobody."""
    if not claim.strip() or not value.strip():
        raise Invalid(message="A rule needs a claim and a value.")
    if claim.split(".")[0] in CLAIMS_OF_THE_PROTOCOL:
        raise Invalid(message=f"The claim {claim} is about the token, not about the person: use one such as groups.")


def claim_fits(claims: Mapping[str, Any], *, claim: str, value: str) -> bool:
    """Whether the claim is the value or a list that holds it. Letters count as they are."""
    return value in _texts(_claim_at(claims, claim))


def _claim_at(claims: Any, path: str) -> Any:
    """The value at a path of names with dots. A name may have dots itself: the longest that is there goes first."""
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


def _texts(found: Any) -> set[str]:
    values = found if isinstance(found, list) else [found]
    return {_text(value) for value in values if isinstance(value, str | int | float | bool)}


def _text(value: str | float) -> str:
    """As JSON writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def roles_by_rule(*, claims: Mapping[str, Any]) -> dict[UUID, Role]:
    """The highest role that the rules of each organisation give for these claims."""
    found: dict[UUID, Role] = {}
    for rule in ClaimRule.objects.all():
        if not claim_fits(claims, claim=rule.claim, value=rule.value):
            continue
        role, known = Role(rule.role), found.get(rule.organisation_id)
        if known is None or role.covers(known):
            found[rule.organisation_id] = role
    return found


def memberships_by_rule(*, user: User, claims: Mapping[str, Any]) -> None:
    """Give what the rules say, take back what they said and say no more. Within a transaction.

    What a person gave (an invitation, an admin) is left alone, and so is an organisation's last owner.
    """
    due = roles_by_rule(claims=claims)
    involved = {*due, *user.memberships.filter(by_rule=True).values_list("organisation_id", flat=True)}
    # Locked as services.py does, in one order, so that two owners who go at once do not both go.
    organisations = {
        each.pk: each for each in Organisation.objects.select_for_update().filter(pk__in=involved).order_by("pk")
    }
    held = {each.organisation_id: each for each in user.memberships.filter(organisation__in=involved)}
    for pk, organisation in organisations.items():
        membership, role = held.get(pk), due.get(pk)
        if membership is None:
            if role is not None:
                Membership.objects.create(organisation=organisation, user=user, role=role, by_rule=True)
        elif membership.by_rule and membership.role != role and not _is_last_owner(membership):
            _change(membership, role)


def _change(membership: Membership, role: Role | None) -> None:
    if role is None:
        membership.delete()
    else:
        membership.role = role
        membership.save(update_fields=["role"])


def _is_last_owner(membership: Membership) -> bool:
    if membership.role != Role.OWNER:
        return False
    owners = Membership.objects.filter(
        organisation=membership.organisation_id, role=Role.OWNER, user__is_active=True
    ).exclude(pk=membership.pk)
    return not owners.exists()
