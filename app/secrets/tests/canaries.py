"""Canary credentials, and every place where one could leak: only an encrypted row may hold it."""

import base64
import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.test import Client

from app.accounts.models import User
from app.lib.async_sql import database_close
from app.lib.http import http_session_close
from app.lib.valkey import valkey_close
from app.privacy.tests.canaries import dump, valkey_client
from tests.admin_routes import admin_routes
from tests.engines import FOLDER
from tests.factories import Tenant
from tests.people import Person
from tests.routes import Caller, Response, Route, routes
from tests.system.test_isolation_pages import MEMBERS, page_address

# Letters and digits only, which no format escapes.
CANARY = "canary9f2c41d7credential"
# A request here would sign the client out.
LEFT_OUT = {"logout/"}


@cache
def spellings(word: str) -> list[bytes]:
    """Return the encodings of the word in a store: plain, in hexadecimal, and within base64 at each offset."""
    plain = word.encode()
    inside = [base64.b64encode(b"x" * offset + plain)[4:-4] for offset in range(3)]
    return [plain, plain.hex().encode(), plain.hex().upper().encode(), *inside]


def holds(content: bytes, word: str = CANARY) -> bool:
    return any(spelling in content for spelling in spellings(word))


@contextmanager
def logs_kept() -> Iterator[list[str]]:
    """Collect every line of every logger, with tracebacks and the arguments of the call."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{self.format(record)} {record.args!r}")

    root, handler = logging.getLogger(), Keep(level=logging.DEBUG)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


async def _request(caller: Caller, route: Route, tenant: Tenant) -> Response:
    """Send a request; close what its event loop opened, or a pool that is still connecting would outlive the loop."""
    try:
        return await caller.request(route, tenant)
    finally:
        await http_session_close()
        await valkey_close()
        await database_close()


def api_responses(person: Person, tenant: Tenant) -> Iterator[tuple[str, bytes]]:
    """Yield the response of every readable route of the API, and its description."""
    caller = Caller(person.user.email, session=person.client)
    for route in routes():
        if not route.writes:
            response = async_to_sync(_request)(caller, route, tenant)
            yield route.name, f"{response.text} {response.headers}".encode()
    yield "the description of the API", person.client.get("/api/v1/openapi.json").content


def admin_responses(client: Client, tenant: Tenant) -> Iterator[tuple[str, bytes]]:
    for route in admin_routes():
        if route.pattern not in LEFT_OUT:
            yield f"admin {route.pattern}", _whole(client.get(route.address(tenant)))


def portal_responses(client: Client, tenant: Tenant) -> Iterator[tuple[str, bytes]]:
    for route in MEMBERS:
        yield f"portal {route}", _whole(client.get(page_address(route, tenant)))


def error_responses(person: Person) -> Iterator[tuple[str, bytes]]:
    for path in ("/nothing", "/admin/nothing/", "/api/v1/nothing", f"/api/v1/documents/{CANARY[:6]}"):
        yield f"error at {path}", _whole(person.client.get(path))


def _whole(response: Any) -> bytes:
    content = b"" if response.streaming else response.content
    return bytes(content) + str(response.headers).encode()


def export_content(organisation: str) -> Iterator[tuple[str, bytes]]:
    path = FOLDER / "canaries.zip"
    try:
        call_command("organisation_export", organisation, str(path), stderr=_Nowhere())
        yield from _members(path)
    finally:
        path.unlink(missing_ok=True)


class _Nowhere:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Flush nothing: no record is kept."""


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            yield f"export {name}", file.read(name)


def store_content() -> Iterator[tuple[str, bytes]]:
    """Yield every row of every table (jobs, sessions and receipts among them), every key of Valkey and every file."""
    yield from ((f"row {line[:80]!r}", line) for line in dump().splitlines())
    client = valkey_client()
    yield from ((f"Valkey {name!r}", name + (client.dump(name) or b"")) for name in client.scan_iter())
    for path in FOLDER.rglob("*"):
        inside = path.relative_to(FOLDER).as_posix()
        if path.is_file() and not inside.startswith(("postgres/", "valkey/")):
            yield f"file {inside}", path.read_bytes()


def operator_client(person: Person) -> Client:
    """Return a browser of the person, signed in as an operator, who sees every page."""
    User.objects.filter(pk=person.user.pk).update(is_operator=True)
    client = Client()
    client.force_login(User.objects.get(pk=person.user.pk))
    return client
