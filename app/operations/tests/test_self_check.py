"""The checks after an upgrade: pages of the new version, and a question that leaves no data behind."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from app.bots.services import bot_create
from app.chat.models import Conversation
from app.operations.self_check import pages_broken, question_problem
from app.settings import VERSION


class Web(BaseHTTPRequestHandler):
    said: dict[str, tuple[int, Any]] = {}

    def do_GET(self) -> None:
        status, body = self.said[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing."""


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Web]]:
    server = HTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("REFDESK_HOST", "0.0.0.0")
    monkeypatch.setenv("REFDESK_PORT", str(server.server_port))
    Web.said = {"/health": (200, {"version": VERSION}), "/accounts/sign-in": (200, "")}
    yield Web
    server.shutdown()
    server.server_close()


def test_pages_of_this_version_are_well(web: type[Web]) -> None:
    assert pages_broken() == []


def test_a_web_server_of_another_version_is_named(web: type[Web]) -> None:
    web.said["/health"] = (200, {"version": "0.0.9"})
    assert pages_broken() == [f"the web server is of version 0.0.9, and this is {VERSION}"]


def test_a_page_that_breaks_or_is_not_there_is_named(web: type[Web], monkeypatch: pytest.MonkeyPatch) -> None:
    web.said["/accounts/sign-in"] = (500, "")
    assert pages_broken() == ["/accounts/sign-in answers 500"]
    monkeypatch.setenv("REFDESK_PORT", "1")
    assert [line.split(" (")[0] for line in pages_broken()] == [
        "/health does not answer",
        "/accounts/sign-in does not answer",
    ]


@pytest.mark.django_db(transaction=True)
def test_without_documents_nothing_is_asked(acme: Any) -> None:
    bot_create(organisation=acme, slug="desk", name="Desk")
    assert question_problem() == ""
    assert not Conversation.objects.exists()
