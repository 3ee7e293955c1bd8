import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from app.accounts import lockout
from app.accounts.lockout import ATTEMPTS
from app.accounts.models import Organisation, User
from app.accounts.services import user_create, user_deactivate
from tests.people import PASSWORD, Person

WRONG = "not the right password"


@pytest.fixture(autouse=True)
def _no_attempts(db: Any) -> None:
    cache.clear()
    lockout._local.clear()


def try_sign_in(client: Client, email: str, password: str, **extra: Any) -> Any:
    return client.post("/accounts/sign-in", {"email": email, "password": password}, **extra)


def is_in(client: Client) -> bool:
    return client.get("/api/v1/me").status_code == 200


def test_a_person_signs_in_and_out(alice: Person) -> None:
    client = Client()
    assert try_sign_in(client, "Alice@Example.org ", PASSWORD).status_code == 302
    assert is_in(client)
    assert client.post("/accounts/sign-out").status_code == 302
    assert not is_in(client)


def test_signing_in_takes_a_new_session_and_signing_out_ends_it_on_the_server(alice: Person) -> None:
    client = Client()
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    try_sign_in(client, "alice@example.org", PASSWORD)
    stolen = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert stolen != session.session_key
    client.post("/accounts/sign-out")
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = stolen
    assert not is_in(thief)


def test_signing_out_needs_a_post(alice: Person) -> None:
    assert alice.client.get("/accounts/sign-out").status_code == 405
    assert is_in(alice.client)


def test_cookies_are_not_for_scripts_or_other_sites(alice: Person) -> None:
    client = Client()
    try_sign_in(client, "alice@example.org", PASSWORD)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_unknown_wrong_and_deactivated_get_the_same_answer(alice: Person) -> None:
    dora = user_create(email="dora@example.org", password=PASSWORD)
    user_deactivate(user=dora)
    tried = [("alice@example.org", WRONG), ("nobody@example.org", WRONG), ("dora@example.org", PASSWORD)]
    responses = [try_sign_in(Client(), email, password) for email, password in tried]
    assert [response.status_code for response in responses] == [401, 401, 401]
    bodies = {
        response.content.decode().replace(email, "").replace(str(response.context["csrf_token"]), "")
        for (email, _), response in zip(tried, responses, strict=True)
    }
    assert len(bodies) == 1


def test_an_unknown_address_takes_as_long_as_a_known_one(alice: Person, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    alice.user.set_password(PASSWORD)
    alice.user.save()

    def seconds(email: str) -> float:
        started = time.process_time()
        try_sign_in(Client(), email, WRONG)
        return time.process_time() - started

    seconds_known, seconds_unknown = (
        min(seconds(email) for _ in range(2)) for email in ("alice@example.org", "nobody@example.org")
    )
    assert 0.5 < seconds_known / seconds_unknown < 2


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
def test_five_wrong_passwords_lock_the_address_for_that_caller(alice: Person, email: str) -> None:
    client = Client()
    statuses = [try_sign_in(client, email, WRONG).status_code for _ in range(ATTEMPTS + 1)]
    assert statuses == [401] * ATTEMPTS + [429]
    response = try_sign_in(client, email, PASSWORD)
    assert response.status_code == 429
    assert "Too many wrong passwords" in response.content.decode()
    # A person at another address cannot be locked out by this.
    elsewhere = try_sign_in(Client(), email, PASSWORD, REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == (302 if email == "alice@example.org" else 401)


def test_a_right_password_begins_the_count_anew(alice: Person) -> None:
    for _ in range(3):
        for _ in range(ATTEMPTS - 1):
            try_sign_in(Client(), "alice@example.org", WRONG)
        assert try_sign_in(Client(), "alice@example.org", PASSWORD).status_code == 302


def test_attempts_at_the_same_time_are_all_counted() -> None:
    with ThreadPoolExecutor(20) as pool:
        waits = list(
            pool.map(lambda _: lockout.attempt_wait(email="alice@example.org", address="198.51.100.1"), range(40))
        )
    assert waits.count(0) == ATTEMPTS


def test_without_valkey_sign_in_works_and_counts_in_the_process(alice: Person, settings: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": address}}
    client = Client()
    for _ in range(ATTEMPTS - 1):
        assert try_sign_in(client, "alice@example.org", WRONG).status_code == 401
    assert try_sign_in(client, "alice@example.org", PASSWORD).status_code == 302
    for _ in range(ATTEMPTS):
        try_sign_in(Client(), "alice@example.org", WRONG)
    assert try_sign_in(Client(), "alice@example.org", PASSWORD).status_code == 429


@pytest.mark.parametrize("bad", ["\0", "a\0b@example.org", "x" * 100_000, "🦉", "' OR 1=1 --"])
def test_odd_addresses_and_passwords_are_only_wrong(db: Any, bad: str) -> None:
    assert try_sign_in(Client(), bad, bad).status_code == 401


def test_a_deactivated_person_is_refused_with_their_next_request(alice: Person) -> None:
    assert is_in(alice.client)
    user_deactivate(user=alice.user)
    assert not is_in(alice.client)
    assert alice.client.get("/").status_code == 302


def test_keys_outlive_their_maker(alice: Person) -> None:
    user_deactivate(user=alice.user)
    assert Client().get("/api/v1/me", headers=alice.headers).status_code == 200


def test_a_new_password_ends_the_other_sessions(alice: Person, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("password_reset", "Alice@example.org")
    password = capsys.readouterr().out.strip()
    assert not is_in(alice.client)
    assert try_sign_in(Client(), "alice@example.org", PASSWORD).status_code == 401
    assert try_sign_in(Client(), "alice@example.org", password).status_code == 302


def test_a_password_reset_lifts_the_lock(alice: Person, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(ATTEMPTS + 1):
        try_sign_in(Client(), "alice@example.org", WRONG)
    call_command("password_reset", "alice@example.org")
    assert try_sign_in(Client(), "alice@example.org", capsys.readouterr().out.strip()).status_code == 302


def test_a_password_reset_needs_an_active_account(alice: Person) -> None:
    with pytest.raises(CommandError, match="no account"):
        call_command("password_reset", "nobody@example.org")
    user_deactivate(user=alice.user)
    with pytest.raises(CommandError, match="deactivated"):
        call_command("password_reset", "alice@example.org")


def test_an_address_is_one_account_whatever_its_case(db: Any, acme: Organisation) -> None:
    user_create(email="Dora@Example.ORG", password=PASSWORD)
    assert User.objects.get_by_natural_key("DORA@example.org").email == "dora@example.org"


def test_pages_and_calls_by_session_need_the_csrf_token(alice: Person) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies = alice.client.cookies
    page = client.post("/accounts/sign-out")
    assert (page.status_code, page["Content-Type"].split(";")[0]) == (403, "text/html")
    call = client.post("/api/v1/sources", {"name": "new"}, content_type="application/json")
    assert (call.status_code, call.json()["error"]["code"]) == (403, "csrf_failed")
    client.get("/account")
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    headers = {"X-CSRFToken": token}
    call = client.post("/api/v1/sources", {"name": "new"}, content_type="application/json", headers=headers)
    assert call.status_code == 201
    # A program sends a key on purpose, a browser never by itself: no CSRF token is needed.
    call = Client(enforce_csrf_checks=True).post(
        "/api/v1/sources", {"name": "newer"}, content_type="application/json", headers=alice.headers
    )
    assert call.status_code == 201
