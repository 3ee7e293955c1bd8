"""The only client of a mail server. A box without one sends nothing, and its pages say so."""

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from urllib.parse import unquote, urlsplit

from django.conf import settings

TIMEOUT_S = 10
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class MailFailed(Exception):
    """The refusal of a mail by the server; the text contains neither its password nor the mail."""


@dataclass(frozen=True, slots=True)
class Mail:
    to: str
    subject: str
    text: str


def mail_is_set() -> bool:
    """Return whether this box sends mail: a server and a sender are both configured."""
    return bool(settings.SMTP_URL and settings.MAIL_FROM)


def mail_send(mail: Mail) -> None:
    """Hand a mail to the server. Raises MailFailed."""
    try:
        with _connection() as server:
            server.send_message(_message(mail), parseaddr(settings.MAIL_FROM)[1], [mail.to])
    except (OSError, smtplib.SMTPException) as error:
        # The server's own message may repeat an address or a login.
        raise MailFailed(f"the mail server did not take a mail ({type(error).__name__})") from None


def mail_check() -> None:
    """Check that the server accepts a connection, without sending anything. Raises MailFailed."""
    try:
        _connection().quit()
    except (OSError, smtplib.SMTPException) as error:
        raise MailFailed(f"the mail server does not take us ({type(error).__name__})") from None


def _message(mail: Mail) -> EmailMessage:
    message = EmailMessage()
    # A line break in a name would begin another header; EmailMessage refuses it, so it is removed here.
    message["Subject"] = " ".join(mail.subject.split())
    message["From"] = settings.MAIL_FROM
    message["To"] = mail.to
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=urlsplit(settings.PUBLIC_URL).hostname)
    # Suppresses automatic replies such as holiday notices.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _connection() -> smtplib.SMTP:
    parts = urlsplit(settings.SMTP_URL)
    host, context = parts.hostname or "", ssl.create_default_context()
    # Or smtplib would ask the name service who this machine is, and tell the server.
    own = urlsplit(settings.PUBLIC_URL).hostname
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, own, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 587, own, timeout=TIMEOUT_S)
    try:
        server.ehlo()
        encrypted = parts.scheme == "smtps"
        if not encrypted and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
            encrypted = True
        if parts.username:
            if not encrypted and host not in LOOPBACK:
                raise smtplib.SMTPNotSupportedError("the password would cross the network unencrypted")
            server.login(unquote(parts.username), unquote(parts.password or ""))
    except BaseException:
        server.close()
        raise
    return server
