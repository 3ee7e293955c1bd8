"""Fields that are readable without signing in: exactly these, and no secret of the deployment."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, override_settings
from selectolax.lexbor import LexborHTMLParser

from tests.system.test_isolation_pages import page_policies

CANARY = "canary-of-a-secret"
SECRET = re.compile(r"(?<!VAL)KEY|SECRET|PASSWORD|TOKEN")
# Their values are in use: they are looked for as they are.
IN_USE = {"SECRET_KEY"}
OPEN = sorted(route for route, declared in page_policies().items() if declared is not None and declared.role is None)

LANES = ("interactive", "cpu", "network", "slow")
# Fields of each answer: a new one is added here, by somebody who has thought of who will read it.
PAGE = {"data-api"}
FIELDS: dict[str, set[str]] = {
    "health": {"status", "version", "queues", "queues.queued", "queues.running", "queues.answers", "queues.lanes"}
    | {f"queues.lanes.{lane}" for lane in LANES}
    | {f"queues.lanes.{lane}.{state}" for lane in LANES for state in ("queued", "running")},
    "ready": {"ready", "engines"},
    # Not there without a token in the settings (test_metrics.py).
    "metrics": PAGE,
    "accounts/sign-in": PAGE | {"csrfmiddlewaretoken", "next", "email", "password"},
    "accounts/sign-out": set(),
    # Without mail, a provider or a token that is open, these only say so.
    "accounts/forgot": PAGE,
    "accounts/reset/<str:token>": PAGE,
    "accounts/invitations/<str:token>": PAGE,
    "setup/<str:token>": PAGE,
    "accounts/oidc/sign-in": PAGE,
    "accounts/oidc/callback": PAGE,
    "accounts/oidc/logout": set(),
    "theme/<str:colour>.css": PAGE,
}

pytestmark = pytest.mark.django_db


def address(route: str) -> str:
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", "nothing", route)


def fields_of(response: HttpResponse) -> set[str]:
    """Return paths of the keys of a JSON response; names of the inputs and data attributes of a page."""
    if response.headers.get("Content-Type", "").startswith("application/json"):
        return set(_paths(json.loads(response.content)))
    page = LexborHTMLParser(response.content.decode() or "<p></p>")
    named = {node.attributes.get("name") or "" for node in page.css("input, select, textarea, button")}
    data = {name for node in page.css("*") for name in node.attributes if name.startswith("data-")}
    scripts = {"script" for node in page.css("script:not([src])") if node.text().strip()}
    return {name for name in named | data | scripts if name}


def _paths(value: Any, before: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield before + name
            yield from _paths(each, f"{before}{name}.")


@pytest.fixture
def canaries() -> Iterator[set[str]]:
    """Put a canary into every secret setting; return the canaries and the values of the others."""
    names = {name for name in dir(settings) if name.isupper() and SECRET.search(name)}
    texts = {name for name in names if isinstance(getattr(settings, name), str)} - IN_USE
    texts = {name for name in texts if not re.search(r"HASHER|COOKIE|HEADER|RESET_TIMEOUT", name)}
    values = {
        settings.SECRET_KEY,
        settings.DATABASE_URL,
        settings.VALKEY_URL,
        str(settings.DATABASES["default"]["HOST"]),
    }
    values |= {settings.QDRANT_URL, settings.EMBEDDINGS_URL, str(settings.DATA)}
    assert texts >= {"LLM_API_KEY", "QDRANT_API_KEY", "EMBEDDINGS_API_KEY"}
    with override_settings(**dict.fromkeys(texts, CANARY)):
        yield {CANARY, *(value for value in values if len(value) > 12)}


def responses() -> Iterator[tuple[str, HttpResponse]]:
    for route in OPEN:
        for method in ("get", "post", "head", "options"):
            yield f"{method} {route}", getattr(Client(), method)(address(route))
    for path in ("/", "/api/v1/me", "/api/v1/nothing", "/admin/", "/nothing", "/api/v1/openapi.json"):
        yield f"get {path}", Client().get(path)


def test_no_secret_is_in_any_open_answer(canaries: set[str]) -> None:
    asked = 0
    for name, response in responses():
        text = f"{'' if response.streaming else response.content.decode()} {response.headers} {response.cookies}"
        asked += 1
        assert [canary for canary in canaries if canary in text] == [], name
        assert response.status_code != 500, name
    assert asked > 20


def test_open_answers_have_these_fields_and_no_others() -> None:
    found = {}
    for route in OPEN:
        response = Client().get(address(route))
        found[route] = {name for name in fields_of(response) if not name.startswith("engines.")}
        if response.status_code in (405, 302):
            found[route] = set()
    assert found == FIELDS


def test_an_error_tells_these_fields_and_no_others() -> None:
    for path, status in (("/api/v1/me", 401), ("/api/v1/nothing", 404), ("/api/v1/openapi.json", 401)):
        response = Client().get(path)
        assert response.status_code == status
        text = {"error", "error.code", "error.message", "error.details", "error.details.hint", "error.request_id"}
        assert fields_of(response) == text, path


def test_engines_say_only_whether_they_work() -> None:
    engines = Client().get("/ready").json()["engines"]
    assert {name for engine in engines.values() for name in engine} <= {"ok", "seconds", "reason"}
