"""Usage through the API: sums, names, the rest of the month, and a file for spreadsheets."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from app.accounts.models import ApiKey, Organisation
from app.bots.models import Bot
from app.bots.services import bot_create
from app.plans.models import Plan, UsageEntry, UsageTotal
from app.plans.selectors import usage_days, usage_notice
from tests.people import Person

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 15)


def entry(organisation: Organisation, day: date = DAY, **more: Any) -> UsageEntry:
    values = {"kind": "turn", "step": "charge", "requests": 1, "tokens_in": 100, "tokens_out": 10, **more}
    return UsageEntry.objects.create(organisation=organisation, day=day, at=datetime.now(UTC), **values)


def usage(person: Person, **query: Any) -> Any:
    response = Client().get("/api/v1/usage", query, headers=person.headers)
    assert response.status_code == 200, response.content
    return response.json()


@pytest.fixture
def bot(acme: Organisation) -> Bot:
    return bot_create(organisation=acme, slug="default", name="=Desk")


MARCH = {"from": "2026-03-01", "to": "2026-03-31"}


def test_usage_days_is_in_the_order_of_days(alice: Person, acme: Organisation, other: Organisation) -> None:
    entry(acme, DAY + timedelta(1))
    entry(acme)
    entry(acme, requests=0, tokens_in=-20, tokens_out=5)
    entry(acme, date(2026, 4, 1))
    entry(other)
    report = usage(alice, **MARCH)
    assert (report["from"], report["to"], report["by"]) == ("2026-03-01", "2026-03-31", "day")
    assert [(row["key"], row["requests"], row["tokens_in"], row["tokens_out"]) for row in report["items"]] == [
        ("2026-03-15", 1, 80, 15),
        ("2026-03-16", 1, 100, 10),
    ]


def test_usage_by_bot_key_person_and_model_has_names(alice: Person, bob: Person, acme: Organisation, bot: Bot) -> None:
    key = ApiKey.objects.get(name="bob")
    gone = uuid4()
    entry(acme, bot=bot.pk, api_key=key.pk, model="small")
    entry(acme, bot=bot.pk, user=bob.user.pk, model="small")
    entry(acme, bot=gone)

    def rows(by: str) -> list[Any]:
        return [(row["key"], row["name"], row["requests"]) for row in usage(alice, by=by, **MARCH)["items"]]

    assert rows("bot") == [(str(bot.pk), "=Desk", 2), (str(gone), None, 1)]
    assert rows("key") == [(None, None, 2), (str(key.pk), "bob", 1)]
    assert rows("user") == [(None, None, 2), (str(bob.user.pk), "bob@example.org", 1)]
    assert rows("model") == [("small", "small", 2), (None, None, 1)]


def test_an_id_of_another_organisation_gets_no_name(alice: Person, charlie: Person, acme: Organisation) -> None:
    entry(acme, user=charlie.user.pk)
    ((row),) = usage(alice, by="user", **MARCH)["items"]
    assert (row["key"], row["name"]) == (str(charlie.user.pk), None)


def used(organisation: Organisation, requests: int, tokens: int = 0, api_key: UUID | None = None) -> None:
    month = datetime.now(UTC).date().replace(day=1)
    UsageTotal.objects.create(
        organisation=organisation, month=month, requests=requests, tokens_in=tokens, api_key=api_key
    )


def test_the_rest_of_the_plan_is_in_the_response(alice: Person, acme: Organisation) -> None:
    plan = Plan.objects.create(
        name="small", title="Small", requests_per_month=100, tokens_per_month=1000, requests_per_minute=60
    )
    Organisation.objects.filter(pk=acme.pk).update(plan=plan)
    used(acme, 30, 900)
    plan = usage(alice)["plan"]
    assert (plan["name"], plan["requests_left"], plan["tokens_left"]) == ("small", 70, 100)
    assert (plan["percent"], plan["low"], plan["requests_per_minute"]) == (90, True, 60)
    assert plan["renews"].endswith("-01T00:00:00.000Z")


def test_an_unlimited_plan_has_nothing_left_to_tell(alice: Person) -> None:
    plan = usage(alice)["plan"]
    assert (plan["requests_left"], plan["tokens_left"], plan["percent"], plan["low"]) == (None, None, 0, False)


@pytest.mark.parametrize("query", [{"from": "2026-04-01", "to": "2026-03-01"}, {"from": "2020-01-01"}, {"from": "x"}])
def test_a_period_that_cannot_be_summed_is_refused(alice: Person, query: dict[str, str]) -> None:
    response = Client().get("/api/v1/usage", query, headers=alice.headers)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_request")


def test_the_file_holds_no_formula(alice: Person, acme: Organisation, bot: Bot) -> None:
    entry(acme, bot=bot.pk, tokens_in=-5)
    for query, headers in (({"format": "csv"}, {}), ({}, {"Accept": "text/csv"})):
        response = Client().get("/api/v1/usage", {"by": "bot", **MARCH, **query}, headers={**alice.headers, **headers})
        assert response["Content-Type"].startswith("text/csv")
        assert "attachment" in response["Content-Disposition"]
        lines = response.content.decode("utf-8-sig").splitlines()
        assert lines == ["key,name,requests,tokens_in,tokens_out,tokens_embedded", f"{bot.pk},'=Desk,1,-5,10,0"]


def test_only_admins_and_keys_with_the_scope_read_it(bob: Person) -> None:
    assert Client().get("/api/v1/usage", headers=bob.headers).status_code == 403


def test_a_plot_gets_every_day(acme: Organisation) -> None:
    entry(acme)
    days = usage_days(organisations=[acme.pk], first=DAY - timedelta(1), last=DAY + timedelta(1))
    assert [(day.key, day.requests) for day in days] == [("2026-03-14", 0), ("2026-03-15", 1), ("2026-03-16", 0)]


def test_admins_are_told_in_the_portal_before_the_month_is_used_up(
    alice: Person, bob: Person, acme: Organisation
) -> None:
    plan = Plan.objects.create(name="small", title="Small", requests_per_month=100, soft_percent=80)
    Organisation.objects.filter(pk=acme.pk).update(plan=plan)
    used(acme, 79)
    assert usage_notice(organisation=acme.pk) == ""
    UsageTotal.objects.update(requests=80)
    assert "has used 80% of its month&#x27;s quota (plan Small)" in alice.client.get("/account").content.decode()
    assert "quota" not in bob.client.get("/account").content.decode()
    UsageTotal.objects.update(requests=100)
    assert "has used all of its month's quota" in usage_notice(organisation=acme.pk)
