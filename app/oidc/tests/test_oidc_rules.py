"""Claim rules: the roles that a certified provider gives, by organisation."""

import json
from typing import Any

import pytest

from app.accounts.choices import Role
from app.accounts.models import ClaimRule, Membership, Organisation, User
from app.accounts.services import invitation_create, membership_create
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
from app.oidc.unmatched_claims import claims_unmatched_latest, claims_unmatched_record
from tests.people import Person

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
    ({"groups": ["/b"]}, "groups", "b", True),
    ({"groups": ["b"]}, "groups", "/b", True),
    ({"groups": ["/b"]}, "groups", "/b", True),
    ({"groups": ["/a/b"]}, "groups", "a/b", True),
    ({"groups": ["/a/b"]}, "groups", "b", False),
    ({"groups": ["//b"]}, "groups", "b", False),
    ({"groups": ["b/"]}, "groups", "b", False),
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


def unmatched() -> list[dict[str, Any]]:
    entries = AuditEntry.objects.filter(action="claim_rule.none_fits").order_by("number")
    assert set(entries.values_list("organisation", flat=True)) <= {None}
    return [entry.detail.content for entry in entries.select_related("detail")]


HOSTILE = {
    "department": "Sales",
    "realm_access": {"roles": ["a", "b"]},
    "api_token": "do-not-keep-me",
    "contact": "ada@example.org",
    "huge": "x" * 5000,
    "nul": "a\0b",
    "half": "\ud800",
    "na\0me": "x",
    "deep": {"a": {"b": {"c": {"d": {"e": {"f": "too deep"}}}}}},
}


def test_what_came_when_no_rule_fits_is_there_for_an_operator_without_anything_of_the_person(
    provider: OidcProvider, acme: Organisation
) -> None:
    rule(acme, "chiefs", Role.VIEWER)
    provider.control(person={**ADA, "groups": ["/refdesk-editors", "staff"]})
    assert [sign_in(visitor()).status_code for _ in range(2)] == [403, 403]
    (content,) = unmatched()
    assert content["after"]["groups"] == ["/refdesk-editors", "staff"]
    assert {"email", "name"} <= set(content["after"]["claims whose values are not kept"])
    assert "ada" not in json.dumps(content).lower()
    # Others of the same groups say nothing new; new groups do.
    provider.control(person={**ADA, "groups": ["others"]})
    sign_in(visitor())
    assert [entry["after"]["groups"] for entry in unmatched()] == [["/refdesk-editors", "staff"], ["others"]]
    assert claims_unmatched_latest() == {"groups": ["others"]}


@pytest.mark.django_db
def test_of_odd_claims_only_what_a_rule_could_name_is_kept() -> None:
    claims_unmatched_record(claims={**ADA, **HOSTILE, "sub": "ada", "nonce": "n"}, refused=True)
    (content,) = unmatched()
    after = content["after"]
    assert (after["department"], after["realm_access.roles"]) == (["Sales"], ["a", "b"])
    assert set(after) <= {"department", "realm_access.roles", "groups", "api_token", "claims whose values are not kept"}
    text = json.dumps(content).lower()
    assert not [word for word in ("do-not-keep-me", '"ada', "xxxx", "u0000", "ud800", "too deep") if word in text]


def test_a_person_whom_an_invitation_let_in_is_noted_too_but_only_where_there_are_rules(
    provider: OidcProvider, alice: Person
) -> None:
    invitation_create(
        organisation=alice.organisation, email="ada@example.org", role=Role.EDITOR, invited_by=alice.user,
        inviter_role=Role.OWNER,
    )  # fmt: skip
    assert sign_in(visitor()).status_code == 302
    assert unmatched() == []
    rule(alice.organisation, "chiefs", Role.VIEWER)
    assert sign_in(visitor()).status_code == 302
    assert [entry["target"] for entry in unmatched()] == ["let in by an invitation or an earlier membership"]
    rule(alice.organisation, "staff", Role.VIEWER)
    sign_in(visitor())
    assert len(unmatched()) == 1


def test_a_group_with_keycloak_s_full_path_gives_the_role_of_its_rule(
    provider: OidcProvider, acme: Organisation
) -> None:
    rule(acme, "refdesk-editors", Role.EDITOR)
    provider.control(person={**ADA, "groups": ["/refdesk-editors"]})
    assert sign_in(visitor()).status_code == 302
    assert roles() == {"acme": ("editor", True)}
    assert unmatched() == []


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
