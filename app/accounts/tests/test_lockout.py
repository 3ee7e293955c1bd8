import time
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from app.accounts import lockout
from app.accounts.lockout import (
    ACCOUNT_ATTEMPTS,
    ADDRESS_ATTEMPTS,
    ATTEMPTS,
    SLOW_S,
    attempt_wait,
    device_mark,
    device_read,
)
from tests.people import PASSWORD, Person

ALICE = "alice@example.org"
WRONG = "not the right password"


@pytest.fixture(autouse=True)
def _no_attempts(db: Any) -> None:
    cache.clear()
    lockout._local.clear()


def sign_in(email: str, password: str, address: str, client: Client | None = None) -> Any:
    return (client or Client()).post("/accounts/sign-in", {"email": email, "password": password}, REMOTE_ADDR=address)


def guess_from_everywhere(count: int) -> list[int]:
    return [sign_in(ALICE, WRONG, f"198.51.{number // 250}.{number % 250}").status_code for number in range(count)]


def test_many_addresses_together_are_slowed_down_on_one_account(alice: Person) -> None:
    statuses = guess_from_everywhere(60)
    assert statuses[:ACCOUNT_ATTEMPTS] == [401] * ACCOUNT_ATTEMPTS
    # One more attempt for each slot, and no more.
    assert statuses[ACCOUNT_ATTEMPTS:].count(401) <= 3
    refused = sign_in(ALICE, PASSWORD, "203.0.113.9")
    assert refused.status_code == 429
    assert f"Try again in {SLOW_S} seconds" in refused.content.decode()


def test_a_person_gets_in_between_the_guesses_of_strangers(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockout, "SLOW_S", 1)
    guess_from_everywhere(ACCOUNT_ATTEMPTS + 5)
    end = time.monotonic() + 20
    while sign_in(ALICE, PASSWORD, "203.0.113.9").status_code != 302:
        assert time.monotonic() < end  # waiting for a slot does not use up the person's own five
        time.sleep(0.1)


def test_a_browser_of_the_person_s_is_not_slowed_down(alice: Person) -> None:
    browser = Client()
    assert sign_in(ALICE, PASSWORD, "203.0.113.9", browser).status_code == 302
    browser.post("/accounts/sign-out")
    guess_from_everywhere(ACCOUNT_ATTEMPTS + 10)
    assert sign_in(ALICE, PASSWORD, "203.0.113.9").status_code == 429
    assert sign_in(ALICE, PASSWORD, "203.0.113.9", browser).status_code == 302


def test_the_mark_of_a_browser_is_for_one_person_and_has_five_tries(alice: Person, bob: Person) -> None:
    browser = Client()
    sign_in(ALICE, PASSWORD, "203.0.113.9", browser)
    browser.post("/accounts/sign-out")
    mark = browser.cookies[settings.DEVICE_COOKIE_NAME].value
    assert ALICE not in mark
    assert device_read(mark=mark, email=ALICE)
    assert not device_read(mark=mark, email="bob@example.org")
    tries = [sign_in(ALICE, WRONG, "203.0.113.9", browser).status_code for _ in range(ATTEMPTS + 1)]
    assert tries == [401] * ATTEMPTS + [429]


@pytest.mark.parametrize("mark", ["", "x", "a:b:c", "\0", "🦉", device_mark(email=ALICE)[:-1] + "_"])
def test_a_mark_that_was_not_given_is_none(mark: str) -> None:
    assert device_read(mark=mark, email=ALICE) == ""


def test_a_mark_opens_nothing_by_itself(alice: Person) -> None:
    client = Client()
    client.cookies[settings.DEVICE_COOKIE_NAME] = device_mark(email=ALICE)
    assert client.get("/api/v1/me").status_code == 401
    assert sign_in(ALICE, WRONG, "203.0.113.9", client).status_code == 401


def test_one_address_that_tries_many_accounts_rests(alice: Person) -> None:
    for number in range(ADDRESS_ATTEMPTS):
        assert attempt_wait(email=f"{number}@example.org", address="198.51.100.1") == 0
    assert sign_in(ALICE, PASSWORD, "198.51.100.1").status_code == 429
    assert sign_in(ALICE, PASSWORD, "198.51.100.2").status_code == 302


def test_right_passwords_do_not_count_against_an_office(alice: Person) -> None:
    for _ in range(ADDRESS_ATTEMPTS + ACCOUNT_ATTEMPTS):
        assert sign_in(ALICE, PASSWORD, "198.51.100.1").status_code == 302


def test_addresses_of_one_ipv6_host_are_one() -> None:
    waits = [attempt_wait(email=ALICE, address=f"2001:db8::{number:x}") for number in range(ATTEMPTS + 1)]
    assert (waits[:ATTEMPTS], waits[-1] > 0) == ([0] * ATTEMPTS, True)
    assert attempt_wait(email=ALICE, address="2001:db8:0:1::1") == 0
    # IPv4 written as IPv6 is the IPv4 address, not one of a /64 with everybody in it.
    mapped = [attempt_wait(email="bob@example.org", address="::ffff:198.51.100.1") for _ in range(ATTEMPTS)]
    assert (mapped, attempt_wait(email="bob@example.org", address="::ffff:198.51.100.2")) == ([0] * ATTEMPTS, 0)
    assert attempt_wait(email="bob@example.org", address="198.51.100.1") > 0


def test_strangers_do_not_keep_a_person_from_changing_their_password(alice: Person) -> None:
    guess_from_everywhere(ACCOUNT_ATTEMPTS + 10)
    form = {"do": "password", "current": PASSWORD, "new": "quite another long sentence"}
    assert alice.client.post("/account", form).status_code == 200


def test_a_session_does_not_guess_the_password_for_ever(alice: Person) -> None:
    form = {"do": "password", "current": WRONG, "new": "quite another long sentence"}
    statuses = [alice.client.post("/account", form).status_code for _ in range(ATTEMPTS + 1)]
    assert statuses == [401] * ATTEMPTS + [429]


def test_neither_addresses_nor_e_mails_stand_in_valkey(alice: Person) -> None:
    sign_in(ALICE, WRONG, "198.51.100.1")
    client = cache._cache.get_client()  # type: ignore[attr-defined]
    names = b" ".join(client.keys("*"))
    assert b"attempts" in names
    assert b"alice" not in names
    assert b"198.51" not in names
