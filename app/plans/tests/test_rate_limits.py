"""Requests that a plan allows a caller in a minute, through the API and the pages."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import Settings
from django.test import Client
from redis import Redis

from app.accounts.models import ApiKey, Organisation
from app.errors import RefdeskError
from app.lib import gcra
from app.lib.async_sql import database_close
from app.lib.valkey import valkey_close
from app.plans import rate_limits as limits
from app.plans.models import Plan
from app.plans.rate_limits import Subject, address_prefix, tokens_settle, tokens_take
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _plans_are_read_anew() -> None:
    limits._cache.clear()


@pytest.fixture
async def connections() -> AsyncIterator[None]:
    """Close the connections that the test's loop opened before the loop ends."""
    yield
    await valkey_close()
    await database_close()


def plan(organisation: Organisation, **most: Any) -> Plan:
    made = Plan.objects.create(name=f"plan-{Plan.objects.count()}", title="A plan", **most)
    Organisation.objects.filter(pk=organisation.pk).update(plan=made)
    return made


def get(person: Person, path: str = "/api/v1/me") -> Any:
    return Client().get(path, headers=person.headers)


def test_a_request_above_the_plan_is_refused_and_says_when_to_come_back(alice: Person, acme: Organisation) -> None:
    plan(acme, requests_per_minute=3)
    responses = [get(alice) for _ in range(4)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert [response["RateLimit-Remaining"] for response in responses] == ["2", "1", "0", "0"]
    assert {response["RateLimit-Limit"] for response in responses} == {"3"}
    # One request more every 20 seconds; full again a minute after the last.
    assert [int(response["RateLimit-Reset"]) for response in responses] == [20, 40, 60, 60]
    refused = responses[-1]
    assert 18 <= int(refused["Retry-After"]) <= 20
    error = refused.json()["error"]
    assert error["code"] == "too_many_requests"
    assert error["message"] == "Your organisation's plan allows 3 requests a minute."
    assert error["details"]["limit"] == "organisation"


def test_an_unlimited_plan_asks_valkey_nothing_and_sends_no_headers(alice: Person, valkey: str) -> None:
    def scripts() -> int:
        statistics = Redis.from_url(valkey).info("commandstats")
        return sum(statistics.get(name, {}).get("calls", 0) for name in ("cmdstat_evalsha", "cmdstat_eval"))

    before = scripts()
    response = get(alice)
    assert response.status_code == 200
    assert "RateLimit-Limit" not in response
    assert scripts() == before


def test_two_keys_share_their_organisations_plan(alice: Person, bob: Person, acme: Organisation) -> None:
    plan(acme, requests_per_minute=4)
    statuses = [get(person).status_code for person in (alice, bob, alice, bob, alice, bob)]
    assert statuses == [200, 200, 200, 200, 429, 429]


def test_a_keys_own_plan_holds_besides_its_organisations(alice: Person, bob: Person, acme: Organisation) -> None:
    plan(acme, requests_per_minute=5)
    own = Plan.objects.create(name="own", title="Own", requests_per_minute=2)
    ApiKey.objects.filter(name="bob").update(plan=own)
    responses = [get(bob) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[-1].json()["error"]["details"]["limit"] == "key"
    # A refused request took nothing from the organisation: three are left.
    assert [get(alice).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_one_person_cannot_use_up_what_all_have(alice: Person, bob: Person, acme: Organisation) -> None:
    plan(acme, requests_per_minute=100, person_requests_per_minute=2)
    assert [alice.client.get("/api/v1/me").status_code for _ in range(3)] == [200, 200, 429]
    assert bob.client.get("/api/v1/me").status_code == 200
    # Pages count too, and show the refusal as a page.
    refused = alice.client.get("/account")
    assert refused.status_code == 429
    assert "One person may make 2 requests a minute" in refused.content.decode()
    assert int(refused["Retry-After"]) >= 1


def test_other_organisations_do_not_notice(alice: Person, charlie: Person, acme: Organisation) -> None:
    plan(acme, requests_per_minute=1)
    assert [get(alice).status_code for _ in range(2)] == [200, 429]
    response = get(charlie)
    assert response.status_code == 200
    assert "RateLimit-Limit" not in response


def test_a_changed_plan_holds_within_two_seconds(
    alice: Person, acme: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = plan(acme, requests_per_minute=1)
    assert [get(alice).status_code for _ in range(2)] == [200, 429]
    assert limits.PLAN_CACHE_S <= 2
    Plan.objects.filter(pk=given.pk).update(requests_per_minute=None)
    monkeypatch.setattr(limits, "PLAN_CACHE_S", 0)
    assert get(alice).status_code == 200


def test_without_valkey_each_process_counts_for_itself(
    alice: Person, acme: Organisation, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    plan(acme, requests_per_minute=3)
    settings.VALKEY_URL = "redis://127.0.0.1:9"
    monkeypatch.setattr(gcra, "_paused_until", 0.0)
    responses = [get(alice) for _ in range(5)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
    assert responses[0]["RateLimit-Remaining"] == "2"
    warned = [record for record in caplog.records if "limits are counted" in record.message]
    assert len(warned) == 1


async def test_a_turns_tokens_are_taken_and_the_rest_given_back(connections: None, acme: Organisation) -> None:
    await sync_to_async(plan)(acme, tokens_per_minute=1000)
    subject = Subject(acme.pk)
    assert await tokens_take(subject, 800)
    with pytest.raises(RefdeskError) as caught:
        await tokens_take(subject, 800)
    assert caught.value.code == "too_many_requests"
    assert 30 < (caught.value.retry_after_s or 0) <= 36.1
    assert caught.value.message == "Your organisation's plan allows 1,000 model tokens a minute."
    await tokens_settle(subject, taken=800, used=100)
    assert await tokens_take(subject, 800)
    # A turn larger than the whole minute's tokens is admitted when it is alone.
    await tokens_settle(subject, taken=800, used=0)
    await tokens_settle(subject, taken=1000, used=0)
    assert await tokens_take(subject, 5000)


async def test_an_unlimited_plan_takes_no_tokens(connections: None, acme: Organisation) -> None:
    assert not await tokens_take(Subject(acme.pk), 10**9)


def test_a_door_is_limited_by_address(db: Any, settings: Settings) -> None:
    settings.DOOR_REQUESTS_PER_MINUTE = 3
    form = {"email": "nobody@example.org", "password": "wrong"}

    def sign_in_status(address: str) -> int:
        return Client(REMOTE_ADDR=address).post("/accounts/sign-in", form).status_code

    assert [sign_in_status(f"2001:db8:1:2::{n}") for n in range(4)] == [401, 401, 401, 429]
    assert sign_in_status("2001:db8:1:3::1") == 401
    # Showing the page does not count.
    assert Client(REMOTE_ADDR="2001:db8:1:2::9").get("/accounts/sign-in").status_code == 200


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", "unknown"),
    ],
)
def test_the_prefix_of_an_address(address: str, prefix: str) -> None:
    assert address_prefix(address) == prefix
