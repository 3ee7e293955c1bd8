"""A real SMTP server for tests, on a free port; it stores the mails that it receives."""

import email
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from app.embedded.ports import port_find


class MailServer:
    """An SMTP server. `refuse`: number of next mails answered with 451, come again later; `never`: 550 to all."""

    def __init__(self, login: tuple[str, str] | None = None, host: str = "127.0.0.1") -> None:
        self.mails: list[EmailMessage] = []
        self.refuse = 0
        self.never = False
        self._login = login
        # The server is on this machine, for a test.
        warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
        self._controller = Controller(
            self,
            hostname=host,
            port=port_find(None),
            auth_required=login is not None,
            auth_require_tls=False,
            authenticator=self._authenticate,
        )

    @property
    def url(self) -> str:
        login = "" if self._login is None else f"{self._login[0]}:{self._login[1]}@"
        return f"smtp://{login}{self._controller.hostname}:{self._controller.port}"

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        is_login = isinstance(data, LoginPassword) and self._login is not None
        login = (data.login.decode(), data.password.decode())
        return AuthResult(success=is_login and login == self._login)

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.never:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        if self.refuse:
            self.refuse -= 1
            return "451 come again later"
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        return "250 OK"

    def wait(self, count: int, *, within_s: float = 20) -> list[EmailMessage]:
        """Return all mails once there are `count`."""
        end = time.monotonic() + within_s
        while len(self.mails) < count:
            assert time.monotonic() < end, f"{len(self.mails)} of {count} mails came"
            time.sleep(0.02)
        return self.mails


@contextmanager
def mail_server(login: tuple[str, str] | None = None, host: str = "127.0.0.1") -> Iterator[MailServer]:
    server = MailServer(login, host)
    server._controller.start()
    try:
        yield server
    finally:
        server._controller.stop()
