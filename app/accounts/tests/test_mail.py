import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from app.accounts.tests.mail_server import mail_server
from app.env import EnvError, read
from app.lib import outbox as outbox_module
from app.lib.mail import Mail, MailFailed, mail_is_set, mail_send
from app.lib.outbox import Outbox

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


def test_a_mail_that_cannot_be_sent_is_given_up_without_its_text_in_the_log(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.SMTP_URL = f"smtp://desk:s3cret@127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setattr(outbox_module, "RETRIES_S", (0.01, 0.01))
    Outbox().put(lambda: MAIL, delay_s=0)
    end = time.monotonic() + 10
    while "given up" not in caplog.text:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert not [word for word in ("s3cret", "dora", "Words") if word in caplog.text]


def test_one_mail_that_cannot_be_written_does_not_stop_the_next(settings: Any) -> None:
    def broken() -> Mail:
        raise RuntimeError("dora@example.org")

    box = Outbox()
    with mail_server() as server:
        settings.SMTP_URL = server.url
        box.put(broken, delay_s=0)
        box.put(lambda: MAIL, delay_s=0.05)
        server.wait(1)


def test_what_waits_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "MOST_WAITING", 3)
    box = Outbox()
    for _ in range(10):
        box.put(lambda: None, delay_s=60)
    assert len(box._waiting) == 3
    box.drop()
    assert box._waiting == []


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
