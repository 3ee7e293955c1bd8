"""Refusals tell a program what to do, on every route: bodies that cannot be read, missing keys, foreign host names."""

import json
import logging
import re
from typing import Any

import pytest
from django.test import AsyncClient, Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from app.accounts.choices import Scope
from app.errors import CODES
from tests.callers import key_with_scopes
from tests.factories import Tenant, tenant_make
from tests.people import Person
from tests.routes import Route, request_for, routes

pytestmark = pytest.mark.django_db(transaction=True)
ROUTES = routes()
JSON = "application/json"
# What is sent, and the status, code and details of the response.
BROKEN_JSON: list[tuple[bytes, str, int, str, dict[str, Any]]] = [
    (b'{"a":\n  "b" 1}', JSON, 400, "malformed_body", {"line": 2, "column": 7, "offset": 12}),
    (b'{"\xc3\xbc": x}', JSON, 400, "malformed_body", {"line": 1, "column": 7, "offset": 7}),
    (b'{"a": "\xff\xfe"}', JSON, 400, "malformed_body", {"reason": "these bytes are not UTF-8", "column": 8}),
    (b"{", JSON, 400, "malformed_body", {"offset": 1}),
    (b"", JSON, 400, "malformed_body", {}),
    (b" ", JSON, 400, "malformed_body", {}),
    (b"[1]", JSON, 400, "body_not_object", {}),
    (b"null", JSON, 400, "body_not_object", {}),
    (b"{}", "text/plain", 415, "wrong_content_type", {"expected": [JSON]}),
    (b"a=b", "application/x-www-form-urlencoded", 415, "wrong_content_type", {}),
    (b"x", "multipart/form-data", 415, "wrong_content_type", {}),
]
BROKEN_FORMS: list[tuple[bytes, str, int, str, dict[str, Any]]] = [
    (b"{}", JSON, 415, "wrong_content_type", {"expected": ["multipart/form-data"]}),
    (b"--x\r\nnothing", "multipart/form-data; boundary=", 400, "malformed_body", {}),
    (encode_multipart(BOUNDARY, {f"f{n}": "x" for n in range(1001)}), MULTIPART_CONTENT, 400, "malformed_body", {}),
]


@pytest.fixture
def tenant(alice: Person) -> Tenant:
    return tenant_make(alice, word="lighthouse")


def broken_bodies(route: Route) -> list[tuple[bytes, str, int, str, dict[str, Any]]]:
    content = set(route.schema["requestBody"]["content"])
    if content == {"multipart/form-data"}:
        return BROKEN_FORMS
    assert JSON in content, f"{route.name} reads {content}: say here how such a body is broken"
    takes_forms = "multipart/form-data" in content
    return [
        (data, kind, status, code, {} if takes_forms and "expected" in details else details)
        for data, kind, status, code, details in BROKEN_JSON
        if not (takes_forms and kind.startswith("multipart/"))
    ]


async def test_a_body_that_cannot_be_read_answers_400_or_415_with_the_place(tenant: Tenant, alice: Person) -> None:
    client, failed, tried = AsyncClient(), [], 0
    for route in ROUTES:
        if "requestBody" not in route.schema:
            continue
        path = request_for(route, tenant).path
        for data, kind, status, code, details in broken_bodies(route):
            # A call that needs no field of its body may be sent without one.
            if not data and not route.schema["requestBody"].get("required"):
                continue
            tried += 1
            response = await client.generic(route.method, path, data, content_type=kind, headers=alice.headers)
            error = json.loads(response.content)["error"] if response.status_code >= 400 else {}
            if (response.status_code, error.get("code")) != (status, code):
                failed.append(f"{route.name} with {data[:20]!r} as {kind}: {response.status_code} {error.get('code')}")
            elif not details.items() <= error["details"].items():
                failed.append(f"{route.name} with {data[:20]!r}: {error['details']}")
    assert failed == []
    assert tried > 100


def challenge(response: Any) -> str:
    return str(response.headers.get("WWW-Authenticate", ""))


async def test_every_route_says_how_to_authenticate(tenant: Tenant, alice: Person) -> None:
    client, failed = AsyncClient(), []
    wrong = {"Authorization": "Bearer rk_" + "x" * 43}
    for route in ROUTES:
        request = request_for(route, tenant)
        for headers, expected in (
            ({}, 'Bearer realm="Refdesk"'),
            ({"Authorization": "Basic YTpi"}, 'Bearer realm="Refdesk"'),
            (wrong, 'Bearer realm="Refdesk", error="invalid_token"'),
        ):
            response = await client.generic(
                route.method, request.path, request.data, content_type=request.content_type, headers=headers
            )
            if (response.status_code, challenge(response)) != (401, expected):
                failed.append(f"{route.name} with {headers}: {response.status_code} {challenge(response)!r}")
    assert failed == []


def test_every_route_names_the_scope_that_a_key_lacks(tenant: Tenant, alice: Person) -> None:
    headers, failed = key_with_scopes(alice, []).headers, []
    for route in ROUTES:
        scope = route.policy.scope if route.policy else None
        if scope is None:
            continue
        request = request_for(route, tenant)
        response = Client().generic(
            route.method, request.path, request.data, content_type=request.content_type, headers=headers
        )
        expected = f'Bearer realm="Refdesk", error="insufficient_scope", scope="{Scope(scope).value}"'
        if (response.status_code, challenge(response)) != (403, expected):
            failed.append(f"{route.name}: {response.status_code} {challenge(response)!r}")
    assert failed == []


def test_a_role_below_the_route_s_is_too_little_for_a_token_but_not_for_a_session(bob: Person) -> None:
    by_key = Client().get("/api/v1/audit", headers=bob.headers)
    assert (by_key.status_code, challenge(by_key)) == (403, 'Bearer realm="Refdesk", error="insufficient_scope"')
    by_session = bob.client.get("/api/v1/audit")
    assert (by_session.status_code, challenge(by_session)) == (403, "")


def test_a_401_outside_the_api_says_it_too(settings: Any, alice: Person) -> None:
    settings.METRICS_TOKEN = "a-token-of-16-letters"
    assert challenge(Client().get("/metrics")) == 'Bearer realm="Refdesk"'
    wrong = Client().get("/metrics", headers={"Authorization": "Bearer no"})
    assert challenge(wrong) == 'Bearer realm="Refdesk", error="invalid_token"'
    form = {"email": alice.user.email, "password": "wrong"}
    page = Client().post("/accounts/sign-in", form)
    assert (page.status_code, challenge(page)) == (401, 'Bearer realm="Refdesk"')


@pytest.mark.parametrize("path", ["/api/v1/me", "/documents", "/nothing"])
def test_a_foreign_host_name_is_refused_with_the_right_address_in_one_line_of_the_log(
    path: str, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://desk.example.org"
    with caplog.at_level(logging.WARNING):
        response = Client().get(path, headers={"Host": "evil.example\x1b[2J"})
    assert response.status_code == 400
    text = response.content.decode()
    assert "https://desk.example.org" in text
    assert "REFDESK_URL" in text
    assert "evil" not in text
    if path.startswith("/api/"):
        assert response.json()["error"]["code"] == "wrong_host"
    else:
        assert 'href="https://desk.example.org"' in text
    (record,) = caplog.records
    assert record.exc_info is None
    assert "https://desk.example.org (REFDESK_URL)" in record.getMessage()
    assert record.getMessage().isprintable()


def test_the_hint_of_every_refusal_says_what_to_do_now() -> None:
    """A program cannot reload a page, and nobody knows what "See details" wants."""
    for code, entry in CODES.items():
        if 400 <= entry.status < 500:
            assert re.fullmatch(r"[A-Z].*[.}…]", entry.hint), code
            assert len(entry.hint.split()) >= 4, f"{code}: {entry.hint}"
            assert not re.search(r"^See |[Pp]ress|[Cc]lick|button", entry.hint), f"{code}: {entry.hint}"
            assert "eload" not in entry.hint or code == "csrf_failed", code
            assert not entry.retryable or code != "conflict", code
