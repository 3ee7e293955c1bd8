"""The only client of a mail server. A box without one sends no mail, and its pages state this.

Called from a job, so that no request waits for the server and no restart loses a mail.
"""

import smtplib
from dataclasses import dataclass
from email.utils import make_msgid
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from app.errors import Upstream

TIMEOUT_S = 10
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class MailFailed(Upstream):
    """A mail that the server did not accept; the text contains neither its password nor the mail.

    is_final: a retry cannot succeed.
    """

    default_code = "mail_unavailable"

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message=message)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Mail:
    to: str
    subject: str
    text: str


def mail_is_set() -> bool:
    """Return whether this box sends mail: a server and a sender are both configured."""
    return bool(settings.SMTP_URL and settings.MAIL_FROM)


def mail_send(mail: Mail) -> None:
    """Send a mail through the server. Raises MailFailed."""
    message = EmailMessage(
        # A line break would start another header; Django refuses it, so it becomes a space here.
        " ".join(mail.subject.split()),
        mail.text,
        settings.MAIL_FROM,
        [mail.to],
        headers={
            # Django's default asks the name service for this machine's name and sends it in every mail.
            "Message-ID": make_msgid(domain=_own_name()),
            # Prevents automatic replies such as holiday notices.
            "Auto-Submitted": "auto-generated",
        },
        connection=SmtpBackend(),
    )
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _failed("did not take a mail", error, is_final=all(code >= 500 for code in codes)) from None
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise _failed("did not take a mail", error, is_final=isinstance(error, ValueError)) from None


def mail_check() -> None:
    """Check that the server accepts a connection, without sending anything. Raises MailFailed."""
    try:
        backend = SmtpBackend()
        backend.open()
        backend.close()
    except (OSError, smtplib.SMTPException) as error:
        raise _failed("does not take us", error) from None


def _failed(what: str, error: Exception, *, is_final: bool = False) -> MailFailed:
    # The server's own words may contain an address or a login.
    return MailFailed(f"the mail server {what} ({type(error).__name__})", is_final=is_final)


def _own_name() -> str | None:
    return urlsplit(settings.PUBLIC_URL).hostname


class SmtpBackend(EmailBackend):
    """Django's backend for REFDESK_SMTP_URL: TLS where the server has it; plaintext passwords only on this machine."""

    def __init__(self) -> None:
        parts = urlsplit(settings.SMTP_URL)
        encrypted = parts.scheme == "smtps"
        super().__init__(
            host=parts.hostname or "",
            port=parts.port or (465 if encrypted else 587),
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            use_ssl=encrypted,
            use_tls=False,
            timeout=TIMEOUT_S,
        )

    def open(self) -> bool:
        if self.connection is not None:
            return False
        server = self._connect()
        try:
            server.ehlo()
            encrypted = self.use_ssl
            if not encrypted and server.has_extn("starttls"):
                server.starttls(context=self.ssl_context)
                server.ehlo()
                encrypted = True
            if self.username:
                if not encrypted and self.host not in LOOPBACK:
                    raise smtplib.SMTPNotSupportedError("the password would cross the network unencrypted")
                server.login(self.username, self.password)
        except BaseException:
            server.close()
            raise
        self.connection = server
        return True

    def _connect(self) -> smtplib.SMTP:
        # Our own name: smtplib would ask the name service for this machine's name and send it to the server.
        if self.use_ssl:
            return smtplib.SMTP_SSL(self.host, self.port, _own_name(), timeout=TIMEOUT_S, context=self.ssl_context)
        return smtplib.SMTP(self.host, self.port, _own_name(), timeout=TIMEOUT_S)
