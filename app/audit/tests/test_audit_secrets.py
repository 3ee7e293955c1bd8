"""Sign-ins in the audit trail, which never contains secrets or the input of people who are not signed in."""

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from app.accounts.authentication import password_reset
from app.accounts.choices import Role
from app.accounts.keys import api_key_create, api_key_rotate
from app.accounts.lockout import ATTEMPTS
from app.accounts.models import Organisation
from app.accounts.services import invitation_accept, invitation_create, password_set
from app.audit.content import LONGEST_TEXT, changes
from app.audit.models import AuditDetail, AuditEntry
from tests.people import PASSWORD, Person

CANARY = "canary-7c1f-secret-password"


@pytest.fixture(autouse=True)
def _no_counters() -> None:
    cache.clear()


def trail(organisation: Organisation | None) -> list[str]:
    rows = AuditEntry.objects.filter(organisation=organisation, action__startswith="user.")
    return list(rows.order_by("number").values_list("action", flat=True))


def whole_trail() -> str:
    entries = json.dumps(list(AuditEntry.objects.values()), default=str)
    return entries + json.dumps(list(AuditDetail.objects.values_list("content", flat=True)))


def try_sign_in(email: str, password: str, address: str = "203.0.113.9") -> int:
    response = Client(REMOTE_ADDR=address).post("/accounts/sign-in", {"email": email, "password": password})
    return response.status_code


@pytest.mark.parametrize("way_out", ["/accounts/sign-out", "/admin/logout/"])
def test_signing_in_and_out_is_recorded_where_the_person_is_a_member(
    alice: Person, acme: Organisation, other: Organisation, way_out: str
) -> None:
    client = Client(REMOTE_ADDR="203.0.113.9")
    before = len(trail(acme))
    assert client.post("/accounts/sign-in", {"email": alice.user.email, "password": PASSWORD}).status_code == 302
    assert client.get("/admin/logout/").status_code == 405
    assert client.post(way_out)["Location"] == "/accounts/sign-in"
    assert trail(acme)[before:] == ["user.sign_in", "user.sign_out"]
    assert trail(other) == []
    last = AuditEntry.objects.filter(organisation=acme).latest("number")
    assert last.actor == alice.user.pk
    assert last.detail.content["address"] == "203.0.113.9"


def test_a_wrong_password_is_recorded_for_its_person_and_a_lock_out_once(alice: Person, acme: Organisation) -> None:
    before = len(trail(acme))
    for _ in range(ATTEMPTS + 4):
        try_sign_in(alice.user.email, CANARY)
    assert trail(acme)[before:] == ["user.sign_in_failed"] * ATTEMPTS + ["user.locked_out"]
    last = AuditEntry.objects.filter(organisation=acme).latest("number")
    assert (last.actor, last.target) == (None, str(alice.user.pk))
    assert CANARY not in whole_trail()


def test_input_of_a_stranger_is_not_kept_and_a_network_makes_one_entry(db: Any, alice: Person) -> None:
    before = len(trail(None))
    for number in range(8):
        try_sign_in(f"{CANARY}{number}@example.org", CANARY, f"203.0.113.{number}")
        try_sign_in(CANARY, "\0", f"2001:db8::{number}")
    assert trail(None)[before:] == ["user.sign_in_failed"] * 2
    details = AuditDetail.objects.filter(entry__organisation=None, entry__action="user.sign_in_failed")
    assert {row.content["address"] for row in details} == {"203.0.113.0/24", "2001:db8::/48"}
    assert CANARY not in whole_trail()


def test_no_secret_that_was_made_stands_in_the_trail(alice: Person, bob: Person, acme: Organisation) -> None:
    row, key = api_key_create(organisation=acme, name="program", created_by=alice.user)
    _, rotated = api_key_rotate(organisation=acme.pk, api_key=row.pk)
    invited = {"organisation": acme, "invited_by": alice.user, "inviter_role": Role.OWNER, "role": Role.VIEWER}
    _, token = invitation_create(email="dora@example.org", **invited)
    invitation_accept(token=token, name="Dora", password=CANARY)
    password_set(user=alice.user, password=CANARY + "2")
    reset = password_reset(user=bob.user)
    text = whole_trail()
    for secret in (key, rotated, token, reset, CANARY, row.key_hash, alice.user.password):
        assert secret not in text
    assert {"api_key.create", "api_key.rotate", "user.password", "invitation.accept"} <= set(
        AuditEntry.objects.values_list("action", flat=True)
    )


MASKED = [
    "password",
    "new_password",
    "clientSecret",
    "token",
    "apiKey",
    "api_key",
    "access_tokens",
    "key_hash",
    "Cookie",
]


def test_values_of_secret_fields_are_masked_at_every_depth(subtests: pytest.Subtests) -> None:
    for name in MASKED:
        with subtests.test(name=name):
            for value in (CANARY, [CANARY], {"a": CANARY}, [{name: CANARY}]):
                for side in ({name: value}, {"settings": {"list": [{name: value}]}}):
                    assert CANARY not in json.dumps(changes(None, side))
            old, new = changes({name: CANARY}, {name: CANARY + "2"})
            assert old == new
            assert old is not None
            assert list(old) == [name]


def test_limits_are_no_secrets() -> None:
    limits = {"chunk_tokens": 500, "max_tokens": 1024, "tokens_per_minute": None, "key": ""}
    assert changes(None, limits) == (None, limits)


@pytest.mark.parametrize(
    "text", [f"call me with rk_{'a' * 43} please", "https://user:hunter2hunter2@example.org/x", "redis://:hunter2@box"]
)
def test_keys_and_passwords_in_addresses_are_masked_wherever_they_stand(text: str) -> None:
    dumped = json.dumps(changes(None, {"note": text, "list": [text]}))
    assert "hunter2" not in dumped
    assert "aaaa" not in dumped
    assert "********" in dumped


def test_long_texts_are_shown_from_their_first_difference() -> None:
    old, new = changes({"prompt": "same " * 1000 + "old end"}, {"prompt": "same " * 1000 + "new end"})
    assert old is not None
    assert new is not None
    assert old["prompt"].endswith("old end")
    assert new["prompt"].endswith("new end")
    assert len(old["prompt"]) < LONGEST_TEXT
    _, new = changes(None, {"prompt": "x" * 5000, "list": list(range(1000))})
    assert new is not None
    assert new["prompt"].endswith("(5000 characters)")
    assert len(new["list"]) == 51
