"""Claim rules: the roles that a certified provider gives, by organisation."""

import pytest

from app.accounts.choices import Role
from app.accounts.models import ClaimRule, Membership, Organisation, User
from app.accounts.services import membership_create
from app.audit.models import AuditEntry
from app.oidc.claim_rules import claim_fits
from app.oidc.tests.claims import roles, rule
from app.oidc.tests.oidc_provider import (
    ADA,
    OidcProvider,
    is_in,
    needs_node,
    sign_in,
    visitor,
)

pytestmark = [needs_node, pytest.mark.django_db]


VALUES = [
    ({"groups": ["a", "b"]}, "groups", "b", True),
    ({"groups": ["a", "b"]}, "groups", "B", False),
    ({"groups": "b"}, "groups", "b", True),
    ({"groups": "bb"}, "groups", "b", False),
    ({"realm_access": {"roles": ["x"]}}, "realm_access.roles", "x", True),
    ({"https://example.org/roles": ["x"]}, "https://example.org/roles", "x", True),
    ({"https://example.org/app": {"roles": ["x"]}}, "https://example.org/app.roles", "x", True),
    ({"level": 3, "staff": True}, "level", "3", True),
    ({"level": 3, "staff": True}, "staff", "true", True),
    ({"groups": {"b": 1}}, "groups", "b", False),
    ({"groups": [["b"], None, {"b": 1}]}, "groups", "b", False),
    ({}, "groups", "None", False),
]


def test_a_rule_fits_a_value_at_a_path(subtests: pytest.Subtests) -> None:
    for claims, claim, value, fits in VALUES:
        with subtests.test(claims=claims, claim=claim):
            assert claim_fits(claims, claim=claim, value=value) is fits


def test_rules_give_the_highest_role_in_each_organisation(
    provider: OidcProvider, acme: Organisation, other: Organisation
) -> None:
    rule(acme, "staff", Role.VIEWER)
    rule(acme, "chiefs", Role.ADMIN)
    rule(other, "chiefs", Role.EDITOR)
    provider.control(person={**ADA, "groups": ["chiefs", "staff"]})
    sign_in(visitor())
    assert roles() == {"acme": ("admin", True), "other": ("editor", True)}


def test_an_address_that_the_provider_does_not_vouch_for_fits_no_rule(
    provider: OidcProvider, acme: Organisation, other: Organisation
) -> None:
    rule(acme, "staff", Role.VIEWER)
    rule(other, "boss@example.org", Role.OWNER, claim="email")
    provider.control(person={**ADA, "email": "boss@example.org", "email_verified": False, "groups": []})
    assert sign_in(visitor()).status_code == 403
    provider.control(person=ADA)
    sign_in(visitor())
    provider.control(person={**ADA, "email": "boss@example.org", "email_verified": False})
    assert sign_in(visitor()).status_code == 302
    assert roles() == {"acme": ("viewer", True)}
    provider.control(person={**ADA, "email": "boss@example.org"})
    sign_in(visitor())
    assert roles("boss@example.org") == {"acme": ("viewer", True), "other": ("owner", True)}


def test_what_a_rule_gave_changes_and_goes_with_the_claim(
    provider: OidcProvider, acme: Organisation, other: Organisation
) -> None:
    rule(acme, "staff", Role.VIEWER)
    rule(acme, "chiefs", Role.ADMIN)
    rule(other, "staff", Role.VIEWER)
    provider.control(person={**ADA, "groups": ["chiefs", "staff"]})
    sign_in(visitor())
    provider.control(person=ADA)
    sign_in(visitor())
    assert roles() == {"acme": ("viewer", True), "other": ("viewer", True)}
    ClaimRule.objects.filter(organisation=other).delete()
    sign_in(visitor())
    assert roles() == {"acme": ("viewer", True)}
    provider.control(person={**ADA, "groups": []})
    response = sign_in(client := visitor())
    assert (response.status_code, is_in(client), roles()) == (403, False, {})
    entries = AuditEntry.objects.filter(organisation=acme.pk, actor_kind="provider").order_by("number")
    assert list(entries.values_list("action", flat=True)) == [
        "user.create", "membership.create", "membership.update", "membership.delete"
    ]  # fmt: skip


def test_what_a_person_gave_is_not_the_rules_to_take(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.VIEWER)
    sign_in(visitor())
    membership_create(organisation=acme, user=User.objects.get(), role=Role.EDITOR)
    Membership.objects.update(by_rule=False)
    sign_in(visitor())
    provider.control(person={**ADA, "groups": []})
    assert sign_in(visitor()).status_code == 302
    assert roles() == {"acme": ("editor", False)}


def test_the_last_owner_stays(provider: OidcProvider, acme: Organisation) -> None:
    rule(acme, "staff", Role.OWNER)
    sign_in(visitor())
    provider.control(person={**ADA, "groups": []})
    assert sign_in(visitor()).status_code == 302
    assert roles() == {"acme": ("owner", True)}
