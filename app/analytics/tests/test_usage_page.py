"""The page Usage of the admin: the ledger's sums, equal on every view, and of no other organisation."""

import csv
import io
import random
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.models import ApiKey, Organisation
from app.accounts.services import membership_create, organisation_create, user_create
from app.bots.services import bot_create
from app.lib.ids import new_id
from app.plans.models import Plan, UsageEntry, UsageTotal
from app.plans.report import usage_report
from app.plans.selectors import today
from tests.people import PASSWORD, Person, person_make

PAGE = "/admin/plans/usageentry/"
SUMS = ("requests", "tokens_in", "tokens_out", "tokens_embedded")
QUERIES = 20


@pytest.fixture
def operator(db: Any) -> Client:
    client = Client()
    client.force_login(user_create(email="operator@example.org", password=PASSWORD, is_operator=True))
    return client


def line(organisation: Organisation, *, ago: int = 0, **values: Any) -> UsageEntry:
    day = today() - timedelta(days=ago)
    values = {"kind": "turn", "step": "charge", "requests": 1, **values}
    return UsageEntry.objects.create(organisation=organisation, at=timezone.now(), day=day, **values)


def lines_make(person: Person, count: int, seed: int) -> None:
    """Write a ledger of 40 days: turns reserved and settled, searches, documents, removed bots, keys and people."""
    chance = random.Random(seed)
    organisation = person.organisation
    bots = [bot_create(organisation=organisation, slug=f"bot-{n}", name=f"Bot {n}").pk for n in range(2)]
    keys = [ApiKey.objects.get(organisation=organisation, name=person.user.name.lower()).pk, new_id(), None]
    for _ in range(count):
        shared = {
            "ago": chance.randint(0, 40),
            "bot": chance.choice([*bots, new_id(), None]),
            "api_key": chance.choice(keys),
            "user": chance.choice([person.user.pk, new_id(), None]),
            "model": chance.choice(["llama", "qwen", ""]),
        }
        kind = chance.choice(["turn", "search", "ingest"])
        if kind == "turn":
            subject, read, written = new_id(), chance.randint(0, 4000), chance.randint(0, 800)
            line(organisation, **shared, step="reserve", subject=subject, tokens_in=read, tokens_out=written)
            if chance.random() < 0.9:
                used = {"tokens_in": -chance.randint(0, read), "tokens_out": -chance.randint(0, written)}
                line(organisation, **shared, step="settle", subject=subject, requests=0, **used)
        elif kind == "search":
            line(organisation, **shared, kind="search")
        else:
            line(organisation, **shared, kind="ingest", requests=0, tokens_embedded=chance.randint(1, 9000))


def sums_read(rows: Any) -> list[int]:
    return [sum(int(row[name]) for row in rows) for name in SUMS]


def shown_by(client: Client, query: dict[str, Any]) -> Iterator[tuple[str, list[int]]]:
    """Return the usage that the page and each of its files show."""
    context = client.get(PAGE, query).context
    yield "tiles", [int(value.replace(",", "")) for _, value, _ in context["tiles"]]
    drawings = context["drawings"]
    yield (
        "plots",
        [
            sum(drawings["requests"]["series"][0]["values"]),
            *(sum(series["values"]) for series in drawings["tokens"]["series"]),
            int(context["tiles"][3][1].replace(",", "")),
        ],
    )
    for by in ("day", "bot", "key", "user", "model", "organisation"):
        response = client.get(f"{PAGE}file/", {**query, "by": by})
        rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
        yield by, sums_read(rows)


@pytest.mark.parametrize("seed", range(3))
def test_ledger_api_page_files_and_dashboard_say_the_same(alice: Person, charlie: Person, seed: int) -> None:
    lines_make(alice, 150, seed)
    lines_make(charlie, 50, seed + 100)
    first, last = today() - timedelta(days=29), today()
    query = {"from": str(first), "to": str(last)}
    entries = UsageEntry.objects.filter(organisation=alice.organisation, day__range=(first, last))
    ledger = list(entries.aggregate(**{name: Sum(name) for name in SUMS}).values())
    assert all(ledger)
    for by in ("day", "bot", "key", "user", "model"):
        items = Client().get("/api/v1/usage", {**query, "by": by}, headers=alice.headers).json()["items"]
        assert (by, sums_read(items)) == (by, ledger)
    for place, sums in shown_by(alice.client, query):
        assert (place, sums) == (place, ledger)
    tokens = alice.client.get("/admin/?days=30").context["drawings"]["tokens"]
    assert [sum(series["values"]) for series in tokens["series"]] == ledger[1:3]


def test_the_page_names_what_was_used_and_says_what_is_gone(alice: Person) -> None:
    organisation = alice.organisation
    bot = bot_create(organisation=organisation, slug="desk", name="<b>Desk</b>")
    key = ApiKey.objects.get(name="alice")
    gone = new_id()
    line(organisation, bot=bot.pk, api_key=key.pk, model="llama", tokens_in=1234, tokens_out=5)
    line(organisation, bot=gone, user=alice.user.pk)
    line(organisation, bot=new_id())
    page = alice.client.get(PAGE).content.decode()
    for words in ("&lt;b&gt;Desk&lt;/b&gt;", f"alice ({key.prefix}…)", "alice@example.org", "llama", "1,234"):
        assert words in page
    assert "Removed since (2)" in page
    assert str(gone) in alice.client.get(f"{PAGE}file/?by=bot").content.decode()
    assert "<b>Desk" not in page


def test_a_period_is_chosen_by_days_and_one_that_cannot_be_shown_says_why(alice: Person) -> None:
    line(alice.organisation, ago=50)
    used_then = {"from": str(today() - timedelta(days=60)), "to": str(today() - timedelta(days=40))}
    assert alice.client.get(PAGE, used_then).context["report"].total.requests == 1
    assert "Nothing was used in this period" in alice.client.get(PAGE).content.decode()
    for wrong, words in (
        ({"from": "yesterday"}, "Write days as"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "must not be after the last"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "must not be after the last"),
        ({"to": "\0"}, "Write days as"),
    ):
        response = alice.client.get(PAGE, wrong)
        assert (response.status_code, words in response.content.decode()) == (200, True)
        assert alice.client.get(f"{PAGE}file/", {**wrong, "by": "nothing"}).status_code == 200


def capped(organisation: Organisation, *, requests: int, tokens: int = 0, **most: Any) -> Plan:
    plan = Plan.objects.create(name=f"plan-{Plan.objects.count()}", title="Small", **most)
    Organisation.objects.filter(pk=organisation.pk).update(plan=plan)
    month = today().replace(day=1)
    UsageTotal.objects.create(organisation=organisation, month=month, requests=requests, tokens_in=tokens)
    return plan


def test_the_month_stands_against_the_plans_caps_with_what_happens_at_each(alice: Person) -> None:
    page = alice.client.get(PAGE).content.decode()
    assert "The plan has no cap a month" in page
    assert "<progress" not in page
    capped(alice.organisation, requests=85, tokens=1000, requests_per_month=100, tokens_per_month=1_000_000)
    page = alice.client.get(PAGE).content.decode()
    assert "85 of 100" in page
    assert "1,000 of 1,000,000" in page
    assert 'class="low" value="85" max="100"' in page
    assert "When nothing is left, questions and searches are refused until 1 " in page


@pytest.mark.parametrize(
    ("used", "words", "banner"),
    [
        ({"requests": 79}, "", False),
        ({"requests": 80}, "Acme has used 80% of its month (plan Small). When nothing is left, questions and", True),
        ({"requests": 100}, "Acme has used all of its month (plan Small): questions and searches are refused", True),
        ({"requests": 9, "tokens": 500}, "Acme has used all of its month (plan Small): questions to a model are", True),
    ],
)
def test_every_admin_page_says_that_a_month_may_not_be_enough(
    alice: Person, charlie: Person, operator: Client, used: dict[str, int], words: str, banner: bool
) -> None:
    capped(alice.organisation, **used, requests_per_month=100, tokens_per_month=500)
    for client, is_shown in ((alice.client, banner), (operator, banner), (charlie.client, False)):
        for address in ("/admin/", PAGE, "/admin/bots/bot/", "/admin/bots/bot/add/"):
            page = client.get(address).content.decode()
            assert ('class="desk desk-banner"' in page) is is_shown, address
            assert not is_shown or words in page


def test_nothing_of_another_organisation_is_counted_or_named(alice: Person, charlie: Person) -> None:
    theirs = bot_create(organisation=charlie.organisation, slug="secret", name="Secret desk")
    line(charlie.organisation, bot=theirs.pk, tokens_in=777)
    # An entry in her own organisation with the other bot's id must not reveal the bot either.
    line(alice.organisation, bot=theirs.pk)
    for address in (PAGE, f"{PAGE}?organisation=other", f"{PAGE}file/?by=bot", f"{PAGE}file/?by=organisation"):
        page = alice.client.get(address, follow=True).content.decode()
        assert "Secret desk" not in page
        # As a whole number: an id may contain these digits.
        assert not re.search(r"\b777\b", page)
        assert "Other" not in page


def test_who_is_admin_of_several_and_an_operator_compare_them_and_choose_one(
    alice: Person, charlie: Person, operator: Client
) -> None:
    third = organisation_create(slug="third", name="Third party")
    for number, organisation in enumerate((alice.organisation, charlie.organisation, third), 1):
        line(organisation, tokens_in=100 * number)
    membership_create(organisation=charlie.organisation, user=alice.user, role=Role.ADMIN)
    rows = [row.name for row, _, _ in alice.client.get(PAGE).context["organisations"]]
    assert rows == ["Other", "Acme"]
    rows = [row.name for row, _, _ in operator.get(PAGE).context["organisations"]]
    assert rows == ["Third party", "Other", "Acme"]
    assert operator.get(PAGE).context["report"].total.tokens_in == 600
    response = operator.get(f"{PAGE}?organisation=third")
    assert (response.status_code, response["Location"]) == (302, PAGE)
    context = operator.get(PAGE).context
    assert (context["chosen"], context["report"].total.tokens_in) == (third, 300)


def test_editors_and_viewers_do_not_see_it(acme: Organisation, bob: Person) -> None:
    editor = person_make("erin", acme, Role.EDITOR)
    for person in (bob, editor):
        for address in (PAGE, f"{PAGE}file/"):
            assert person.client.get(address).status_code in (302, 403)


def test_it_costs_twenty_queries_at_most_and_under_a_second_over_a_large_ledger(
    alice: Person, operator: Client
) -> None:
    bot = bot_create(organisation=alice.organisation, slug="desk", name="Desk")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO plans_usageentry (id, organisation_id, at, day, kind, step, bot, model, requests, tokens_in,"
            " tokens_out) SELECT gen_random_uuid(), %s, now(), current_date - (n %% 30), 'turn', 'charge', %s, 'llama',"
            " 1, 900, 100 FROM generate_series(1, 100000) n",
            [alice.organisation.pk, bot.pk],
        )
        cursor.execute("ANALYZE plans_usageentry")
    query = {"from": str(today() - timedelta(days=40))}
    for client in (alice.client, operator):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(PAGE, query).context["report"].total.requests == 100_000
        assert len(queries) <= QUERIES
        assert sum(float(each["time"]) for each in queries) < 1


def test_no_organisation_is_no_use(db: Any) -> None:
    report = usage_report(organisations=[], first=today(), last=today())
    assert (report.is_empty, [day.key for day in report.days]) == (True, [str(today())])


def test_a_bot_of_the_page_is_a_row_of_the_file_however_many_there_are(alice: Person) -> None:
    for number in range(20):
        bot = bot_create(organisation=alice.organisation, slug=f"bot-{number}", name=f"Bot {number}")
        line(alice.organisation, bot=bot.pk)
    page = alice.client.get(PAGE).content.decode()
    assert "5 more are in the file." in page
    file = alice.client.get(f"{PAGE}file/?by=bot").content.decode("utf-8-sig")
    assert all(f",Bot {number},1," in file for number in range(20))
