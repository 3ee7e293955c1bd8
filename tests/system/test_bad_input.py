"""No odd request makes the API fail: bad values in every position that the description names."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.test import AsyncClient, Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from app.accounts.auth import _callers
from app.errors import RefdeskError
from tests.factories import Tenant, tenant_make
from tests.people import Person
from tests.routes import DESCRIPTION, Caller, RequestSpec, Route, request_for, routes, value_of

DEEP = 10_000
BAD_VALUES: list[Any] = [
    None,
    "",
    "\0",
    "a\0b",
    "x" * 100_000,
    "🦉" * 300,
    "../../etc/passwd",
    "'; DROP TABLE accounts_user; --",
    "{{7*7}}",
    -1,
    0,
    2**31,
    2**63,
    10**400,
    1.5,
    1e308,
    True,
    [],
    [None],
    ["\0"] * 3,
    {},
    {"$ne": None},
]
BAD_BODIES: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "application/json"),
    ("no JSON", b"{", "application/json"),
    ("not UTF-8", b'{"message": "\xff\xfe"}', "application/json"),
    ("half a surrogate pair", b'{"message": "\\ud800", "name": "\\ud800"}', "application/json"),
    ("nested lists", b"[" * DEEP + b"]" * DEEP, "application/json"),
    ("nested objects", b'{"a":' * DEEP + b"1" + b"}" * DEEP, "application/json"),
    ("a list", b"[1]", "application/json"),
    ("a number", b"1" * 5000, "application/json"),
    ("null", b"null", "application/json"),
    ("NaN", b'{"message": NaN, "rating": Infinity}', "application/json"),
    ("a form", b"message=hello&name=x", "application/x-www-form-urlencoded"),
    ("a multipart form", encode_multipart(BOUNDARY, {"message": "hello"}), MULTIPART_CONTENT),
    ("a broken multipart form", b"--x\r\nnothing", "multipart/form-data; boundary=x"),
    ("a multipart form without a boundary", b"x", "multipart/form-data"),
    ("another type", b'{"message": "hello"}', "text/plain"),
    ("an unknown charset", b'{"message": "hello"}', "application/json; charset=klingon"),
    ("XML", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "application/xml"),
    ("more than fits", b'"' + b"x" * 3_000_000 + b'"', "application/json"),
]
ROUTES = routes()

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(alice: Person) -> Tenant:
    _callers.clear()
    return tenant_make(alice, word="lighthouse")


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def requests(route: Route, tenant: Tenant) -> Iterator[tuple[str, RequestSpec]]:
    """Yield every bad request of a route, with its description."""
    good = request_for(route, tenant)
    for name, data, content_type in BAD_BODIES:
        yield f"with {name} as its body", RequestSpec(good.path, data, content_type, ())
    for name in route.names("query"):
        for bad in ("", "\0", "-1", "9" * 400, "1e9", "x" * 5000, "\ud7ff", "%", "null", "2026-13-45"):
            yield (
                f"?{name}={bad[:20]!r}",
                RequestSpec(f"{good.path.split('?')[0]}?{urlencode({name: bad})}", b"", "", ()),
            )
    for name in route.path_names:
        for bad in ("0", "\0", "x" * 3000, "..", "🦉", "9" * 400, "00000000-0000-0000-0000-000000000000", "%zz"):
            path = route.path.replace(f"{{{name}}}", quote(bad, safe=""))
            for other in route.path_names:
                path = path.replace(f"{{{other}}}", str(value_of(route, other, tenant)))
            yield f"{name}={bad[:20]!r}", RequestSpec(path, good.data, good.content_type, ())
    yield from body_knocks(route, tenant, good)


def body_knocks(route: Route, tenant: Tenant, good: RequestSpec) -> Iterator[tuple[str, RequestSpec]]:
    described = route.body()
    if described is None:
        return
    media_type, properties = described
    fields = {name: value_of(route, name, tenant) for name in properties if name != "file"}
    for name in fields:
        for bad in BAD_VALUES:
            if media_type.startswith("multipart/"):
                data, kind = encode_multipart(BOUNDARY, {**fields, name: str(bad)}), MULTIPART_CONTENT
            else:
                data, kind = as_json({**fields, name: bad}), "application/json"
            yield f"with {name}={str(bad)[:20]!r}", RequestSpec(good.path, data, kind, ())
    if not media_type.startswith("multipart/"):
        extra = {"id": "1", "organisation": "1", "organisation_id": "1", "is_operator": True, "created": 0}
        yield "with columns of the table", RequestSpec(good.path, as_json({**fields, **extra}), "application/json", ())


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_bad_requests_are_refused_and_never_fail(route: Route, tenant: Tenant, alice: Person) -> None:
    caller = Caller("alice", headers=alice.headers)
    failed = []
    for words, request in requests(route, tenant):
        response = await caller.send(route.method, request)
        # 503: the request was good enough to need an engine that this test does not start.
        if response.status >= 500 and response.status != 503:
            failed.append(f"{words}: {response.status}")
        elif response.status >= 400 and "error" not in json.loads(response.text):
            failed.append(f"{words}: {response.status} without the shape of an error")
    assert failed == []


NO_ROUTES = [
    ("GET", "/api/v1/nothing", 404, "not_found"),
    ("GET", "/api/v2/me", 404, "not_found"),
    ("GET", "/api/", 404, "not_found"),
    ("GET", "/api/v1", 404, "not_found"),
    ("POST", "/api/v1/me", 405, "method_not_allowed"),
    ("DELETE", "/api/v1/documents", 405, "method_not_allowed"),
    ("OPTIONS", "/api/v1/me", 405, "method_not_allowed"),
    ("GET", "/api/v1/openapi.json", 401, "not_signed_in"),
]


def test_what_no_route_takes_is_answered_in_the_one_shape(subtests: pytest.Subtests) -> None:
    for method, path, status, code in NO_ROUTES:
        with subtests.test(method=method, path=path):
            response = Client().generic(method, path)
            assert (response.status_code, response["Content-Type"].split(";")[0]) == (status, "application/json")
            error = response.json()["error"]
            assert error["code"] == code
            assert error["request_id"] == response["X-Request-ID"]
            assert error["details"]["hint"]


def test_outside_the_api_an_error_is_a_page(alice: Person) -> None:
    response = alice.client.get("/nothing-here")
    assert (response.status_code, response["Content-Type"].split(";")[0]) == (404, "text/html")


async def test_a_wrong_host_is_refused() -> None:
    response = await AsyncClient().get("/api/v1/me", headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "wrong_host")


def test_what_is_wrong_is_named_as_it_was_sent(alice: Person) -> None:
    response = Client().post("/api/v1/sources", {"name": 1}, content_type="application/json", headers=alice.headers)
    assert response.status_code == 422
    assert response.json()["error"]["details"]["fields"][0]["field"] == "body.name"


def test_the_description_names_every_call_once_with_the_key_and_the_shape_of_errors() -> None:
    calls = [call for methods in DESCRIPTION["paths"].values() for call in methods.values()]
    names = [call["operationId"] for call in calls]
    assert "create_turn" in names
    assert len(names) == len(set(names))
    assert {next(iter(call["security"][0])) for call in calls} == set(DESCRIPTION["components"]["securitySchemes"])
    reference = calls[0]["responses"]["default"]["content"]["application/json"]["schema"]["$ref"]
    described = DESCRIPTION["components"]["schemas"][reference.rpartition("/")[2]]["properties"]["error"]
    assert set(described["properties"]) == set(RefdeskError("internal").as_json("")["error"])
