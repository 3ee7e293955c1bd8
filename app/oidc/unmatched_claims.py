"""Claims of sign-ins that fit no rule, kept so that an operator can write the rule that was meant.

Nothing kept leads to a person: claims about who somebody is are named without their values, and each set of claims is
kept once in a while, however many people bring it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from app.accounts.models import ClaimRule
from app.accounts.refused_sign_ins import entry_is_first
from app.audit.actors import PROVIDER, Actor
from app.audit.chain import canonical
from app.audit.models import AuditEntry
from app.audit.trail import audit_record
from app.lib.tenancy import everything_visible
from app.oidc.claim_rules import CLAIMS_OF_THE_PROTOCOL, claim_values, roles_by_rule
from app.oidc.claims import Claims, claim_text

ACTION = "claim_rule.none_fits"
# The standard claims about a person (OpenID Connect Core, 5.1), and the sign-in names of common providers.
PERSONAL_CLAIMS = frozenset(
    {"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture"}
    | {"website", "email", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "phone_number_verified"}
    | {"address", "updated_at", "upn", "unique_name", "oid", "uid", "username", "sid", "ipaddr"}
)
OTHER_CLAIMS = "claims whose values are not kept"
# A longer value fits no rule (ClaimRule.value).
LONGEST_VALUE = 200
DEEPEST = 4


@everything_visible()
def claims_unmatched_record(*, claims: Claims, refused: bool) -> None:
    """Record the claims of a sign-in that fits no rule in the chain of the box, which its operators read.

    refused: the sign-in was refused. One that an invitation let in is recorded only where there are rules at all.
    """
    if roles_by_rule(claims=claims) or not (refused or ClaimRule.objects.exists()):
        return
    values = dict(_values_by_path(claims))
    personal = sorted(PERSONAL_CLAIMS & set(claims))
    after = {**values, OTHER_CLAIMS: personal} if personal else values
    if entry_is_first(f"claims|{hashlib.sha256(canonical(after)).hexdigest()}"):
        audit_record(
            organisation=None,
            action=ACTION,
            target_kind="claim_rule",
            target_name="refused" if refused else "let in by an invitation or an earlier membership",
            after=after,
            actor=Actor(PROVIDER, label="sign-in provider"),
        )


@everything_visible()
def claims_unmatched_latest() -> dict[str, Any]:
    """Return the claims of the latest entry, by the path that a rule names; empty when there is none."""
    entries = AuditEntry.objects.filter(organisation=None, action=ACTION).select_related("detail")
    entry = entries.order_by("-number").first()
    after = entry.detail.content.get("after") if entry is not None else None
    return {name: value for name, value in (after or {}).items() if name != OTHER_CLAIMS}


def _values_by_path(claims: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, list[str]]]:
    """Yield each claim that a rule may name with its values, as the rule writes both."""
    for name, value in sorted(claims.items()):
        path = f"{prefix}{name}"
        if not claim_text({"path": path}, "path"):
            continue
        if not prefix and (name in CLAIMS_OF_THE_PROTOCOL or name in PERSONAL_CLAIMS):
            continue
        if isinstance(value, Mapping):
            if depth < DEEPEST:
                yield from _values_by_path(value, f"{path}.", depth + 1)
        elif values := sorted(filter(_is_kept, claim_values(value))):
            yield path, values


def _is_kept(value: str) -> bool:
    """Return whether a value may stand in a rule, can be stored, and is no e-mail address."""
    return len(value) <= LONGEST_VALUE and "@" not in value and bool(claim_text({"value": value}, "value"))
