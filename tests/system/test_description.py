"""The API's own description is true: routes answer what it names, and take nothing that it forbids."""

import re
from typing import Any

import pytest
from django.test import AsyncClient

from tests.doors import Door, Visitor, doors
from tests.people import Person
from tests.world import World, world_make

pytestmark = pytest.mark.django_db(transaction=True)
DOORS = doors()


@pytest.fixture
def world(alice: Person) -> World:
    return world_make(alice, word="lighthouse")


def named(door: Door, status: int) -> set[str]:
    answers = door.schema["responses"]
    assert str(status) in answers or status >= 400, f"{door.name} answers {status}, which is not described"
    return set(answers.get(str(status), answers["default"]).get("content", {}))


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
async def test_every_answer_is_of_a_status_and_type_that_the_description_names(
    door: Door, world: World, alice: Person
) -> None:
    answer = await Visitor("alice", headers=alice.headers).knock(door, world)
    described = named(door, answer.status)
    kind = re.search(r"^content-type: ([^;\n]*)", answer.headers, re.IGNORECASE | re.MULTILINE)
    assert (kind and kind[1] in described) or "*/*" in described or (answer.status == 204 and described == set())


@pytest.mark.parametrize("path", ["/api/v1/audit", "/api/v1/usage"])
async def test_a_table_as_a_file_is_described(path: str, alice: Person) -> None:
    (door,) = (door for door in DOORS if door.name == f"GET {path}")
    answer = await AsyncClient().get(f"{path}?format=csv", headers=alice.headers)
    assert answer["Content-Type"].split(";")[0] == "text/csv"
    assert named(door, 200) == {"application/json", "text/csv"}


async def send(path: str, person: Person, body: dict[str, Any], method: str = "post") -> int:
    call = getattr(AsyncClient(), method)
    return int((await call(path, body, content_type="application/json", headers=person.headers)).status_code)


@pytest.mark.parametrize("value", [True, "6", None])
async def test_only_a_number_is_a_number(value: Any, world: World, alice: Person) -> None:
    bot, key = f"/api/v1/bots/{world.bot.slug}", f"/api/v1/api-keys/{world.api_key.pk}/rotate"
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
