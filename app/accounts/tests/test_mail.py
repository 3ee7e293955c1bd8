import json
import os
import socket
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection

from app.accounts.choices import Role
from app.accounts.invitation_mail import invitation_mail
from app.accounts.models import Invitation
from app.accounts.services import invitation_create
from app.accounts.tests.mail_server import mail_server
from app.env import EnvError, read
from app.jobs.models import Job
from app.jobs.tests.running import jobs_run
from app.lib.mail import Mail, MailFailed, mail_is_set, mail_send
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)
MAIL = Mail(to="dora@example.org", subject="Hello", text="Words that nobody logs")


@pytest.fixture(autouse=True)
def _sender(settings: Any) -> None:
    settings.MAIL_FROM = "desk@example.org"


def test_both_settings_are_needed(settings: Any) -> None:
    for url, sender, expected in (("smtp://x", "a@b.c", True), ("smtp://x", "", False), ("", "a@b.c", False)):
        settings.SMTP_URL, settings.MAIL_FROM = url, sender
        assert mail_is_set() is expected


def test_a_password_is_not_sent_in_clear_to_another_machine(settings: Any) -> None:
    # An address of this machine other than 127.0.0.1.
    with mail_server(login=("desk", "s3cret"), host="127.0.0.2") as server:
        settings.SMTP_URL = server.url
        with pytest.raises(MailFailed, match="SMTPNotSupportedError"):
            mail_send(MAIL)
        assert server.mails == []
    with mail_server(login=("desk", "s3cret")) as server:
        settings.SMTP_URL = server.url
        mail_send(MAIL)
        assert server.wait(1)[0].get_content().strip() == MAIL.text


def test_a_wrong_login_is_a_failure_that_names_nothing(settings: Any) -> None:
    with mail_server(login=("desk", "s3cret")) as server:
        settings.SMTP_URL = server.url.replace("s3cret", "wr0ng")
        with pytest.raises(MailFailed) as caught:
            mail_send(MAIL)
    assert not [word for word in ("wr0ng", "desk", "dora") if word in str(caught.value)]


def test_a_server_without_tls_gets_nothing_by_smtps(settings: Any) -> None:
    with mail_server() as server:
        settings.SMTP_URL = server.url.replace("smtp://", "smtps://")
        with pytest.raises(MailFailed):
            mail_send(MAIL)
        assert server.mails == []


def closed_address() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"smtp://desk:s3cret@127.0.0.1:{closed.getsockname()[1]}"


@pytest.fixture
def invitation(alice: Person) -> tuple[Invitation, str]:
    return invitation_create(
        organisation=alice.organisation,
        email="dora@example.org",
        role=Role.VIEWER,
        invited_by=alice.user,
        inviter_role=Role.OWNER,
    )


def test_a_mail_survives_a_server_that_is_away_and_its_words_are_nowhere(
    settings: Any, invitation: tuple[Invitation, str], caplog: pytest.LogCaptureFixture
) -> None:
    row, token = invitation
    settings.SMTP_URL = closed_address()
    assert invitation_mail(invitation=row)
    jobs_run()
    job = Job.objects.get()
    assert (job.state, job.error_code, job.organisation) == ("queued", "mail_unavailable", row.organisation)
    with connection.cursor() as cursor:
        cursor.execute("SELECT jobs_job::text FROM jobs_job")
        stored = str(cursor.fetchall())
    assert not [word for word in (token, "dora", "http") if word in stored]
    assert not [word for word in ("s3cret", "dora", token) if word in caplog.text]
    Job.objects.update(not_before=None)
    with mail_server() as server:
        settings.SMTP_URL = server.url
        jobs_run()
        [mail] = server.wait(1)
    assert token in mail.get_content()
    job.refresh_from_db()
    assert (job.state, job.payload) == ("done", {})


def test_an_invitation_that_was_withdrawn_meanwhile_is_not_sent(
    settings: Any, invitation: tuple[Invitation, str]
) -> None:
    with mail_server() as server:
        settings.SMTP_URL = server.url
        invitation_mail(invitation=invitation[0])
        Invitation.objects.all().delete()
        jobs_run()
        assert Job.objects.get().state == "done"
        assert server.mails == []


def test_an_address_that_the_server_will_never_take_is_not_tried_again(
    settings: Any, invitation: tuple[Invitation, str]
) -> None:
    with mail_server() as server:
        settings.SMTP_URL = server.url
        server.never = True
        invitation_mail(invitation=invitation[0])
        jobs_run()
    job = Job.objects.get()
    assert (job.state, job.error_code, job.payload) == ("failed", "mail_unavailable", {})


def test_a_mail_has_the_headers_that_it_needs_and_none_of_a_name_s_line_breaks(settings: Any) -> None:
    with mail_server() as server:
        settings.SMTP_URL = server.url
        mail_send(Mail(to=MAIL.to, subject="Hello\r\nBcc: eve@example.org", text=MAIL.text))
        [mail] = server.wait(1)
    assert mail["Subject"] == "Hello Bcc: eve@example.org"
    assert (mail["Bcc"], mail["Auto-Submitted"]) == (None, "auto-generated")
    assert mail["Message-ID"].endswith("@localhost>")
    assert mail["Date"]


@pytest.mark.parametrize("value", ["mail.example.org", "http://mail.example.org", "smtp://", "smtp://host/path"])
def test_an_address_of_a_mail_server_is_one(value: str) -> None:
    with pytest.raises(EnvError, match="smtp://"):
        read("REFDESK_SMTP_URL", {"REFDESK_SMTP_URL": value})


def test_a_refused_setting_does_not_print_its_password() -> None:
    with pytest.raises(EnvError) as caught:
        read("REFDESK_SMTP_URL", {"REFDESK_SMTP_URL": "http://desk:s3cret@mail.example.org"})
    assert "s3cret" not in str(caught.value)
    assert "mail.example.org" in str(caught.value)


@pytest.mark.parametrize("value", ["desk", "Desk <desk>", "desk@example.org\r\nBcc: x@example.org"])
def test_a_sender_is_one_address(value: str) -> None:
    with pytest.raises(EnvError, match="e-mail address"):
        read("REFDESK_MAIL_FROM", {"REFDESK_MAIL_FROM": value})


SHOW = """
import json
from app import settings
names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE")
print(json.dumps({name: getattr(settings, name) for name in names}))
"""


@pytest.mark.parametrize(("url", "secure"), [("https://desk.example.org", True), ("http://localhost:8000", False)])
def test_cookies_are_for_tls_only_where_there_is_tls(url: str, secure: bool) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW], env={**os.environ, "REFDESK_URL": url}, check=True, capture_output=True, text=True
    )
    assert json.loads(shown.stdout) == {
        "SESSION_COOKIE_SECURE": secure,
        "CSRF_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
    }
