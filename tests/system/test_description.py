"""The API's own description is true: routes answer what it names, and take nothing that it forbids."""

import re
from typing import Any

import pytest
from django.test import AsyncClient

from tests.factories import Tenant, tenant_make
from tests.people import Person
from tests.routes import Caller, Route, routes

pytestmark = pytest.mark.django_db(transaction=True)
ROUTES = routes()


@pytest.fixture
def tenant(alice: Person) -> Tenant:
    return tenant_make(alice, word="lighthouse")


def named(route: Route, status: int) -> set[str]:
    responses = route.schema["responses"]
    assert str(status) in responses or status >= 400, f"{route.name} answers {status}, which is not described"
    return set(responses.get(str(status), responses["default"]).get("content", {}))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_every_answer_is_of_a_status_and_type_that_the_description_names(
    route: Route, tenant: Tenant, alice: Person
) -> None:
    response = await Caller("alice", headers=alice.headers).request(route, tenant)
    described = named(route, response.status)
    kind = re.search(r"^content-type: ([^;\n]*)", response.headers, re.IGNORECASE | re.MULTILINE)
    assert (kind and kind[1] in described) or "*/*" in described or (response.status == 204 and described == set())


@pytest.mark.parametrize("path", ["/api/v1/audit", "/api/v1/usage"])
async def test_a_table_as_a_file_is_described(path: str, alice: Person) -> None:
    (route,) = (route for route in ROUTES if route.name == f"GET {path}")
    response = await AsyncClient().get(f"{path}?format=csv", headers=alice.headers)
    assert response["Content-Type"].split(";")[0] == "text/csv"
    assert named(route, 200) == {"application/json", "text/csv"}


async def send(path: str, person: Person, body: dict[str, Any], method: str = "post") -> int:
    call = getattr(AsyncClient(), method)
    return int((await call(path, body, content_type="application/json", headers=person.headers)).status_code)


@pytest.mark.parametrize("value", [True, "6", None])
async def test_only_a_number_is_a_number(value: Any, tenant: Tenant, alice: Person) -> None:
    bot, key = f"/api/v1/bots/{tenant.bot.slug}", f"/api/v1/api-keys/{tenant.api_key.pk}/rotate"
    assert await send(bot, alice, {"chat_history_length": value}, "patch") == 422
    assert await send(bot, alice, {"temperature": value}, "patch") == 422
    assert await send(key, alice, {"overlap_days": value}) == 422
    assert await send(bot, alice, {"chat_history_length": 6.0, "temperature": 1}, "patch") == 200


@pytest.mark.parametrize("value", ["0", "0.5", "-1", "1e3", "today"])
async def test_only_a_date_is_a_date(value: str, alice: Person) -> None:
    for path in ("/api/v1/usage", "/api/v1/audit"):
        assert (await AsyncClient().get(path, {"to": value}, headers=alice.headers)).status_code == 422
    now = await AsyncClient().get("/api/v1/audit", {"to": "2026-11-21T10:00:00Z"}, headers=alice.headers)
    assert now.status_code == 200
