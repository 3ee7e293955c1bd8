import random
import re
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from app.accounts import lockout, password_reset
from app.accounts.models import OneTimeToken, SignIn, User
from app.accounts.password_reset import MAILS_AN_ACCOUNT, MAILS_AN_ADDRESS, reset_finish, reset_link
from app.accounts.services import password_set, user_create, user_deactivate, user_update
from app.accounts.tests.mail_server import MailServer, mail_server
from app.audit.models import AuditEntry
from app.errors import RefdeskError
from app.jobs import leases
from app.jobs.tests.running import worker_threads
from tests.people import PASSWORD, Person

NEW = "quite another long sentence"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_attempts(db: Any) -> None:
    cache.clear()
    lockout._local.clear()


@pytest.fixture
def mails(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    # Without the delay of a second, which would only slow these tests down.
    monkeypatch.setattr(password_reset, "DELAY", timedelta())
    with mail_server() as server, worker_threads():
        settings.SMTP_URL, settings.MAIL_FROM = server.url, "Reference desk <desk@example.org>"
        yield server


def ask(email: str, **extra: Any) -> Any:
    return Client().post("/accounts/forgot", {"email": email}, **extra)


def link_in(mail: Any) -> str:
    match = re.search(r"http://localhost:8000(/accounts/reset/\S+)", mail.get_content())
    assert match is not None
    return match[1]


def link_make(user: User) -> str:
    return reset_link(user=user).removeprefix("http://localhost:8000")


def sign_in(email: str, password: str) -> int:
    return Client().post("/accounts/sign-in", {"email": email, "password": password}).status_code


def test_a_link_by_mail_gives_a_new_password_once_and_ends_every_session(alice: Person, mails: MailServer) -> None:
    browser = Client()
    browser.post("/accounts/sign-in", {"email": "alice@example.org", "password": PASSWORD})
    assert ask(" Alice@Example.org").status_code == 200
    [mail] = mails.wait(1)
    assert (mail["To"], mail["From"]) == ("alice@example.org", "Reference desk <desk@example.org>")
    link = link_in(mail)
    assert b"alice@example.org" in Client().get(link).content
    assert Client().post(link, {"password": NEW}).status_code == 200
    assert browser.get("/api/v1/me").status_code == 401
    assert alice.client.get("/api/v1/me").status_code == 401
    assert not SignIn.objects.exists()
    assert (sign_in("alice@example.org", PASSWORD), sign_in("alice@example.org", NEW)) == (401, 302)
    assert Client().post(link, {"password": "a third long sentence"}).status_code == 410
    assert sign_in("alice@example.org", NEW) == 302


def test_expired_replaced_used_null_and_made_up_links_change_nothing(alice: Person) -> None:
    replaced, expired = link_make(alice.user), link_make(alice.user)
    OneTimeToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    for link in (replaced, expired, "/accounts/reset/", "/accounts/reset/null", "/accounts/reset/%00"):
        assert Client().post(link, {"password": NEW}).status_code in (404, 410), link
    assert sign_in("alice@example.org", PASSWORD) == 302


def test_a_link_is_for_one_person_and_one_purpose(alice: Person, bob: Person) -> None:
    theirs, other = link_make(alice.user), link_make(bob.user)
    token = theirs.rpartition("/")[2]
    assert Client().post(f"/setup/{token}", {"email": "x@example.org", "password": NEW}).status_code == 410
    assert Client().get(f"/accounts/invitations/{token}").status_code == 410
    # Additional form fields change no other account.
    Client().post(theirs, {"password": NEW, "email": "bob@example.org", "user": str(bob.user.pk)})
    assert (sign_in("alice@example.org", NEW), sign_in("bob@example.org", NEW)) == (302, 401)
    assert Client().get(other).status_code == 200


def test_the_token_is_kept_as_a_hash_only(alice: Person) -> None:
    token = link_make(alice.user).rpartition("/")[2]
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_onetimetoken::text FROM accounts_onetimetoken")
        assert token not in str(cursor.fetchall())
    assert Client().get(f"/accounts/reset/{OneTimeToken.objects.get().token_hash}").status_code == 410


def test_a_weak_password_leaves_the_link_open(alice: Person) -> None:
    link = link_make(alice.user)
    assert Client().post(link, {"password": "short"}).status_code == 422
    assert Client().post(link, {"password": NEW}).status_code == 200


def test_twenty_uses_at_once_of_a_link_count_once(alice: Person) -> None:
    token = link_make(alice.user).rpartition("/")[2]

    def use(number: int) -> str:
        try:
            reset_finish(token=token, password=f"{NEW} {number}")
        except RefdeskError as error:
            return error.code
        finally:
            connections.close_all()
        return "changed"

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(use, range(20))) == ["changed"] + ["link_invalid"] * 19


def test_a_deactivated_person_gets_no_link_and_uses_none(alice: Person, bob: Person, mails: MailServer) -> None:
    link = link_make(alice.user)
    user_deactivate(user=alice.user)
    assert Client().post(link, {"password": NEW}).status_code == 410
    ask("alice@example.org")
    ask("bob@example.org")
    assert [mail["To"] for mail in mails.wait(1)] == ["bob@example.org"]


def test_a_link_ends_with_another_password_another_address_and_a_deactivation(alice: Person) -> None:
    def change(**values: Any) -> None:
        user_update(user=alice.user.pk, values=values)

    steps = [
        lambda: password_set(user=alice.user, password=NEW),
        lambda: change(email="alice@new.example.org"),
        lambda: (change(is_active=False), change(is_active=True)),
    ]
    for step in steps:
        link = link_make(alice.user)
        assert Client().get(link).status_code == 200
        step()
        assert Client().post(link, {"password": "a third long sentence"}).status_code == 410
    link = link_make(alice.user)
    change(name="Alice B.")
    assert Client().get(link).status_code == 200


def test_who_has_no_password_here_gets_none_by_mail(alice: Person, bob: Person, mails: MailServer) -> None:
    alice.user.set_unusable_password()
    alice.user.save()
    ask("alice@example.org")
    ask("bob@example.org")
    assert [mail["To"] for mail in mails.wait(1)] == ["bob@example.org"]


def test_a_link_lifts_a_lock(alice: Person) -> None:
    for _ in range(6):
        sign_in("alice@example.org", "not the right password")
    assert sign_in("alice@example.org", PASSWORD) == 429
    Client().post(link_make(alice.user), {"password": NEW})
    assert sign_in("alice@example.org", NEW) == 302


FORGED = [
    *({"HTTP_HOST": host} for host in ("evil.example", "localhost.evil.example", "localhost:8000@evil.example")),
    *({"HTTP_HOST": host} for host in ("evil.example:8000", "localhost:8000.evil.example", "127.0.0.1.evil.example")),
    *({"HTTP_HOST": host} for host in ("localhost:8000/evil.example", "localhost#evil.example", "[evil.example]")),
    *({"HTTP_HOST": host} for host in ("localhost\tevil.example", "evil.example\\@localhost", "ⅼocalhost.evil")),
    *({"HTTP_HOST": host} for host in ("localhost, evil.example", "evil.example, localhost", "")),
    *({"HTTP_X_FORWARDED_HOST": host} for host in ("evil.example", "evil.example:443", "localhost, evil.example")),
    *({"HTTP_X_FORWARDED_HOST": host} for host in ("evil.example, localhost", "//evil.example", "evil.example/x")),
    *({"HTTP_X_FORWARDED_SERVER": "evil.example", "HTTP_X_FORWARDED_PORT": port} for port in ("443", "evil.example")),
    *({name: "evil.example"} for name in ("HTTP_FORWARDED", "HTTP_X_HOST", "HTTP_X_ORIGINAL_HOST", "HTTP_ORIGIN")),
    {"HTTP_FORWARDED": "for=1.2.3.4;host=evil.example;proto=https"},
    {"HTTP_REFERER": "http://evil.example/accounts/forgot"},
    {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "evil.example"},
    {"SERVER_NAME": "evil.example", "HTTP_HOST": "localhost:8000"},
    {"HTTP_X_ORIGINAL_URL": "http://evil.example/", "HTTP_X_REWRITE_URL": "http://evil.example/"},
]


def test_thirty_forged_hosts_never_stand_in_a_mail(alice: Person, mails: MailServer) -> None:
    assert len(FORGED) >= 30
    accepted = 0
    for forged in FORGED:
        cache.clear()
        accepted += ask("alice@example.org", **forged).status_code == 200
    assert accepted >= 10
    for mail in mails.wait(accepted):
        assert "evil" not in mail.as_string()
        assert re.findall(r"https?://[^/\s]+", mail.get_content()) == ["http://localhost:8000"] * 2


def fifth_fastest(client: Client, emails: list[str], bodies: set[bytes]) -> list[float]:
    """Return the longest of the fastest fifth of 100 requests for each address; the rest is a busy machine's noise."""
    seconds: dict[str, list[float]] = {email: [] for email in emails}
    for _ in range(100):
        for email in random.sample(emails, len(emails)):
            cache.clear()
            started = time.perf_counter()
            response = client.post("/accounts/forgot", {"email": email})
            seconds[email].append(time.perf_counter() - started)
            bodies.add(re.sub(rb'value="[^"]{64}"', b"", response.content))
            assert email.encode() not in response.content
    return [statistics.quantiles(seconds[email], n=5)[0] for email in emails]


def test_a_known_and_an_unknown_address_get_the_same_answer_in_the_same_time(
    alice: Person, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(password_reset, "DELAY", timedelta(seconds=1))
    client, bodies = Client(), set[bytes]()
    client.get("/accounts/forgot")
    # Three attempts against noise: a look-up, a token and a mail in the request would double a known one's time.
    ratios = []
    for _ in range(3):
        known, unknown = fifth_fastest(client, ["alice@example.org", "nobody@example.org"], bodies)
        ratios.append(known / unknown)
        if abs(ratios[-1] - 1) < 0.1:
            break
    assert len(bodies) == 1
    assert abs(ratios[-1] - 1) < 0.1, ratios


def test_an_account_gets_a_few_mails_an_hour_and_the_answer_stays_the_same(alice: Person, mails: MailServer) -> None:
    responses = [ask("alice@example.org") for _ in range(MAILS_AN_ACCOUNT + 3)]
    assert {response.status_code for response in responses} == {200}
    user_create(email="last@example.org", password=PASSWORD)
    ask("last@example.org")
    # Each mail is a separate job, and they may overtake each other.
    tos = sorted(mail["To"] for mail in mails.wait(MAILS_AN_ACCOUNT + 1))
    assert tos == ["alice@example.org"] * MAILS_AN_ACCOUNT + ["last@example.org"]


def test_an_address_asks_twenty_times_an_hour(alice: Person, mails: MailServer) -> None:
    statuses = [ask(f"nobody{number}@example.org").status_code for number in range(MAILS_AN_ADDRESS + 1)]
    assert statuses == [200] * MAILS_AN_ADDRESS + [429]
    assert ask("alice@example.org", REMOTE_ADDR="203.0.113.9").status_code == 200


@pytest.mark.parametrize("email", ["", "\0", "a\0b@example.org", "🦉", "x" * 100_000, "a@b\r\nBcc: c@example.org"])
def test_odd_addresses_get_the_usual_answer(mails: MailServer, email: str) -> None:
    assert ask(email).status_code == 200


def test_a_box_without_mail_says_so_and_sends_nothing(alice: Person) -> None:
    page = Client().get("/accounts/forgot").content.decode()
    assert "sends no mail" in page
    assert "<form" not in page
    assert "sends no mail" in ask("alice@example.org").content.decode()
    assert not OneTimeToken.objects.exists()


def test_a_mail_server_that_is_busy_is_tried_again(
    alice: Person, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "WAIT_SHORTEST_S", 0.1)
    mails.refuse = 2
    ask("alice@example.org")
    [mail] = mails.wait(1)
    assert Client().get(link_in(mail)).status_code == 200


def test_a_mail_server_with_a_login_is_given_it(alice: Person, settings: Any, mails: MailServer) -> None:
    with mail_server(login=("desk", "s3cret")) as guarded:
        settings.SMTP_URL = guarded.url
        ask("alice@example.org")
        guarded.wait(1)


def test_the_command_prints_a_link_alone(alice: Person, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("password_reset", "alice@example.org", "--link")
    [link] = capsys.readouterr().out.split()
    assert Client().post(link.removeprefix("http://localhost:8000"), {"password": NEW}).status_code == 200
    assert sign_in("alice@example.org", NEW) == 302


def test_an_invitation_is_mailed_and_its_link_shown(alice: Person, mails: MailServer) -> None:
    page = alice.client.post("/members", {"do": "invite", "email": "dora@example.org", "role": "viewer"})
    [mail] = mails.wait(1)
    match = re.search(r"http://localhost:8000/accounts/invitations/\S+", mail.get_content())
    assert match is not None
    assert match[0] in page.content.decode()
    assert (mail["To"], mail["Subject"]) == ("dora@example.org", "Invitation to Acme")


def test_a_name_with_a_line_break_begins_no_header(alice: Person, mails: MailServer) -> None:
    alice.organisation.name = "Acme\r\nBcc: everybody@example.org"
    alice.organisation.save()
    alice.client.post("/members", {"do": "invite", "email": "dora@example.org", "role": "viewer"})
    [mail] = mails.wait(1)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Invitation to Acme Bcc: everybody@example.org"


def test_an_operator_hands_out_a_link_and_an_owner_does_not(alice: Person, bob: Person) -> None:
    address = reverse("admin:accounts_user_password_link", kwargs={"object_id": bob.user.pk})
    assert alice.client.post(address).status_code in (302, 403, 404)
    assert not OneTimeToken.objects.exists()
    alice.user.is_operator = True
    alice.user.save()
    assert alice.client.get(address).status_code == 200
    assert not OneTimeToken.objects.exists()  # it shows a confirmation first
    match = re.search(r"http://localhost:8000(/accounts/reset/[\w-]+)", alice.client.post(address).content.decode())
    assert match is not None
    assert AuditEntry.objects.filter(action="user.reset_link", actor=alice.user.pk).count() == 1
    Client().post(match[1], {"password": NEW})
    assert sign_in("bob@example.org", NEW) == 302


def test_an_invitation_from_the_admin_pages_is_mailed_too(alice: Person, mails: MailServer) -> None:
    form = {"email": "dora@example.org", "role": "viewer"}
    page = alice.client.post("/admin/accounts/invitation/add/", form).content.decode()
    [mail] = mails.wait(1)
    assert "on its way to dora@example.org" in page
    assert mail["To"] == "dora@example.org"
