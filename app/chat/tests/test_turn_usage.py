"""A turn's usage: reserved before the model, settled after it, refused at a month's cap."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models import Sum
from django.utils import timezone

from app.accounts.models import ApiKey, Organisation
from app.bots.models import Bot
from app.chat.models import Conversation, Message
from app.chat.tests.conftest import Desk
from app.chat.tests.test_turn_faults import LONG, QUESTION, Reader, ended
from app.chat.turns.repository import answers_interrupt_stale
from app.llm.tests.fake_llm import Script, ScriptedModel
from app.plans import caps
from app.plans import rate_limits as limits
from app.plans.models import Plan, UsageEntry, UsageTotal
from tests.database import as_superuser
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

TOKENS = ("tokens_in", "tokens_out")


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    limits._cache.clear()
    caps._refused.clear()


def plan(organisation: Organisation, **most: Any) -> Plan:
    made = Plan.objects.create(name=f"plan-{Plan.objects.count()}", title="Small", **most)
    Organisation.objects.filter(pk=organisation.pk).update(plan=made)
    return made


def ledger_of(answer: Any) -> list[tuple[str, int, int, int]]:
    entries = UsageEntry.objects.filter(subject=answer).order_by("at", "id")
    return list(entries.values_list("step", "requests", *TOKENS))


def books_balance() -> None:
    """Assert that the ledger's sums are the answers' tokens, one request each, and the totals the ledger's sums."""
    charged = {
        row["subject"]: (row["requests"], row["tokens_in"], row["tokens_out"])
        for row in UsageEntry.objects.filter(kind="turn")
        .values("subject")
        .annotate(requests=Sum("requests"), tokens_in=Sum("tokens_in"), tokens_out=Sum("tokens_out"))
    }
    recorded = {
        row[0]: (1, row[1], row[2]) for row in Message.objects.filter(role="assistant").values_list("pk", *TOKENS)
    }
    assert {pk: charged.get(pk) for pk in recorded} == recorded
    totals_are_sums()


def totals_are_sums() -> None:
    families = dict(ApiKey.objects.values_list("pk", "family"))
    for keyed in (False, True):
        sums: dict[Any, list[int]] = {}
        for entry in UsageEntry.objects.all():
            if keyed and entry.api_key is None:
                continue
            place = sums.setdefault(
                (entry.organisation_id, families[entry.api_key] if keyed else None, entry.day.replace(day=1)), [0, 0, 0]
            )
            for n, value in enumerate((entry.requests, entry.tokens_in, entry.tokens_out)):
                place[n] += value
        totals = {
            (row.organisation_id, row.api_key, row.month): [row.requests, row.tokens_in, row.tokens_out]
            for row in UsageTotal.objects.filter(api_key__isnull=not keyed)
        }
        assert totals == sums


balance = sync_to_async(books_balance)


async def test_a_turn_is_reserved_before_the_model_and_settled_after_it(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(tokens=["word "] * 20 + ["[1]"], between_s=0.05))
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        answer = (await reader.until("event: delta"))[0][2]["message"]
        ((step, requests, read, written),) = await sync_to_async(ledger_of)(answer)
        # The bot's longest answer; a prompt with rules, two passages and the question.
        assert (step, requests, written) == ("reserve", 1, 800)
        assert 300 < read < 4096 - 800
        _, shown = await desk.json(desk.get(f"/messages/{answer}", bob.key))
        assert shown["usage"] == {"tokens_in": 0, "tokens_out": 0}
        await balance()
        message = (await reader.until("event: done"))[-1][2]["message"]
    assert message["usage"] == {"tokens_in": 100, "tokens_out": 21}
    assert await sync_to_async(ledger_of)(answer) == [
        ("reserve", 1, read, 800),
        ("settle", 0, 100 - read, 21 - 800),
    ]
    entry = await UsageEntry.objects.filter(subject=answer, step="settle").aget()
    key = await ApiKey.objects.aget(name="bob")
    assert (entry.bot, entry.api_key, entry.user, entry.model) == (library.pk, key.pk, None, "scripted")
    await balance()


async def test_an_answer_without_a_model_is_a_request_without_tokens(desk: Desk, library: Bot, bob: Person) -> None:
    events = await desk.ask(bob.key, QUESTION)
    assert await sync_to_async(ledger_of)(events[0][2]["message"]) == [("reserve", 1, 0, 0)]
    await balance()


async def test_a_question_sent_again_is_charged_once(desk: Desk, library: Bot, bob: Person) -> None:
    headers = {"Idempotency-Key": "once"}

    async def ask() -> str:
        async with desk.post("/bots/default/chat", bob.key, {"message": QUESTION}, **headers) as answer:
            return await answer.text()

    await asyncio.gather(*(ask() for _ in range(5)))
    assert await UsageEntry.objects.acount() == 1
    await balance()


async def test_stopped_broken_and_abandoned_answers_are_charged_for_what_they_used(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(LONG)
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        answer = (await reader.until("event: delta", 5))[0][2]["message"]
        await desk.json(desk.post(f"/messages/{answer}/stop", bob.key))
    stopped = await ended(answer)
    assert 0 < stopped.tokens_out < 800
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        answer = (await reader.until("event: delta", 5))[0][2]["message"]
    assert (await ended(answer)).state == "interrupted"
    model.script(Script(tokens=["It is 24 months [1]. And"], fault="drop"))
    await desk.ask(bob.key, QUESTION)
    model.script(Script(status=500))
    await desk.ask(bob.key, QUESTION)
    await balance()


async def test_an_answer_whose_process_died_is_charged_for_its_text(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(tokens=["word "], between_s=0.01))
    answers = [(await desk.ask(bob.key, QUESTION))[0][2]["message"] for _ in range(2)]
    # The state that a dead process leaves: reserved, one with a text, one without.
    for answer, text in zip(answers, ("word " * 60, ""), strict=True):
        entry = await UsageEntry.objects.aget(subject=answer, step="reserve")
        as_superuser("DELETE FROM plans_usageentry WHERE subject = %s AND step = 'settle'", [answer])
        old = timezone.now() - timedelta(seconds=11)
        await Message.objects.filter(pk=answer).aupdate(
            state="running", content=text, updated=old, tokens_in=entry.tokens_in, tokens_out=entry.tokens_out
        )
    await sync_to_async(recount)()
    await balance()
    assert await answers_interrupt_stale() == 2
    begun, empty = [await Message.objects.aget(pk=answer) for answer in answers]
    assert begun.tokens_in > 300
    assert begun.tokens_out == 300 // 3 + 1
    assert (empty.tokens_in, empty.tokens_out) == (0, 0)
    await balance()


def recount() -> None:
    """Recompute the totals from the present entries."""
    for total in UsageTotal.objects.all():
        entries = UsageEntry.objects.filter(organisation=total.organisation_id)
        if total.api_key is not None:
            entries = entries.filter(api_key=total.api_key)
        sums = entries.aggregate(**{name: Sum(name) for name in ("requests", *TOKENS)})
        UsageTotal.objects.filter(pk=total.pk).update(**sums)


async def test_an_answer_that_is_deleted_while_it_is_written_is_settled(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(LONG)
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        answer = (await reader.until("event: delta", 5))[0][2]["message"]
        await Conversation.objects.all().adelete()
    async with asyncio.timeout(20):
        while len(entries := await sync_to_async(ledger_of)(answer)) < 2:  # noqa: ASYNC110 (only the ledger shows it)
            await asyncio.sleep(0.05)
    written = sum(entry[3] for entry in entries)
    assert 0 < written < 800
    await sync_to_async(totals_are_sums)()


async def test_a_month_without_questions_left_is_refused_before_the_model(
    desk: Desk, library: Bot, bob: Person, alice: Person, acme: Organisation, model: ScriptedModel
) -> None:
    model.script(Script(at_once=True))
    given = await sync_to_async(plan)(acme, requests_per_month=2)
    for person in (bob, alice):
        await desk.ask(person.key, QUESTION)
    for _ in range(2):
        async with desk.post("/bots/default/chat", bob.key, {"message": QUESTION}) as answer:
            assert answer.status == 429
            seconds = int(answer.headers["Retry-After"])
            error = (await answer.json())["error"]
    now = timezone.now()
    renews = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert abs(seconds - (renews - now).total_seconds()) < 60
    assert error["code"] == "quota_used_up"
    assert error["message"] == (
        "Your organisation has used the 2 questions and searches a month of the plan Small. "
        f"The next month begins on {renews.day} {renews:%B %Y} (UTC)."
    )
    assert error["details"]["hint"] == "Until then, ask the operator of this Refdesk for a larger plan."
    assert len(model.requests()) == 2
    assert await Message.objects.filter(role="assistant").acount() == 2
    await balance()
    # A larger plan takes effect within two seconds.
    assert caps.REFUSED_S <= 2
    await Plan.objects.filter(pk=given.pk).aupdate(requests_per_month=3)
    await asyncio.sleep(caps.REFUSED_S)
    await desk.ask(bob.key, QUESTION)


async def test_a_turn_that_may_need_more_tokens_than_are_left_is_refused(
    desk: Desk, library: Bot, bob: Person, acme: Organisation, model: ScriptedModel
) -> None:
    model.script(Script(at_once=True))
    await sync_to_async(plan)(acme, tokens_per_month=3000)
    asked = 0
    while True:
        async with desk.post("/bots/default/chat", bob.key, {"message": QUESTION}) as answer:
            await answer.read()
            if answer.status == 429:
                error = (await answer.json())["error"]
                break
        asked += 1
    assert (error["details"]["cap"], error["details"]["per_month"]) == ("tokens", 3000)
    assert "has no room left in the 3,000 model tokens a month" in error["message"]
    # Each used 164 in the end; one may use about 1,500.
    total = await UsageTotal.objects.aget(organisation=acme, api_key=None)
    assert total.tokens_in + total.tokens_out == asked * 164 <= 3000
    assert asked >= 5


async def test_a_keys_own_cap_leaves_the_rest_to_the_others(
    desk: Desk, library: Bot, bob: Person, alice: Person, acme: Organisation
) -> None:
    await sync_to_async(plan)(acme, requests_per_month=10)
    own = await Plan.objects.acreate(name="own", title="Own", requests_per_month=1)
    await ApiKey.objects.filter(name="bob").aupdate(plan=own)
    await desk.ask(bob.key, QUESTION)
    status, error = await desk.json(desk.post("/bots/default/chat", bob.key, {"message": QUESTION}))
    assert (status, error["error"]["details"]["of"]) == (429, "key")
    assert error["error"]["message"].startswith("This key has used the 1 questions")
    await desk.ask(alice.key, QUESTION)
    total = await UsageTotal.objects.aget(organisation=acme, api_key=None)
    assert total.requests == 2
    await balance()


async def test_two_hundred_questions_at_once_do_not_pass_a_cap(
    desk: Desk, library: Bot, bob: Person, alice: Person, acme: Organisation
) -> None:
    await sync_to_async(plan)(acme, requests_per_month=50)

    async def ask(person: Person) -> int:
        body = {"message": QUESTION, "stream": False}
        async with desk.post("/bots/default/chat", person.key, body) as answer:
            await answer.read()
            return answer.status

    statuses = await asyncio.gather(*(ask(person) for _ in range(100) for person in (bob, alice)))
    assert sorted(set(statuses)) == [200, 429]
    assert statuses.count(200) == 50
    assert await Message.objects.filter(role="assistant").acount() == 50
    await balance()


async def test_a_new_month_begins_with_nothing_used(
    desk: Desk, library: Bot, bob: Person, acme: Organisation, model: ScriptedModel
) -> None:
    await sync_to_async(plan)(acme, requests_per_month=1)
    model.script(Script(tokens=["word "] * 10 + ["[1]"], between_s=0.1))
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        answer = (await reader.until("event: delta"))[0][2]["message"]
        # The month changes while the answer is written.
        entry = await UsageEntry.objects.aget(subject=answer)
        before = entry.day.replace(day=1) - timedelta(days=1)
        as_superuser("UPDATE plans_usageentry SET day = %s WHERE id = %s", [before, entry.pk])
        await UsageTotal.objects.all().aupdate(month=before.replace(day=1))
        await reader.until("event: done")
    totals = UsageTotal.objects.filter(organisation=acme, api_key=None)
    assert [(row.month, row.requests, row.tokens_out) async for row in totals] == [(before.replace(day=1), 1, 11)]
    await desk.ask(bob.key, QUESTION)
    assert await totals.all().acount() == 2
    await balance()


async def test_streams_and_async_routes_carry_the_headers_and_are_refused(
    desk: Desk, library: Bot, bob: Person, acme: Organisation
) -> None:
    await sync_to_async(plan)(acme, requests_per_minute=2)
    question = {"message": "How long is the warranty of the Vale 3?"}
    async with desk.post("/bots/default/chat", bob.key, question) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert (answer.headers["RateLimit-Limit"], answer.headers["RateLimit-Remaining"]) == ("2", "1")
        assert "event: done" in await answer.text()
    async with desk.post("/search", bob.key, {"query": "warranty"}) as answer:
        assert (answer.status, answer.headers["RateLimit-Remaining"]) == (200, "0")
    async with desk.post("/bots/default/chat", bob.key, question) as answer:
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await answer.json())["error"]["code"] == "too_many_requests"


async def test_a_turn_gives_back_what_it_did_not_need_of_the_minutes_tokens(
    desk: Desk, library: Bot, bob: Person, acme: Organisation, model: ScriptedModel
) -> None:
    model.script(Script(at_once=True))
    # One turn may use about 4,000 of them and uses 164.
    await sync_to_async(plan)(acme, tokens_per_minute=6000)
    for _ in range(4):
        await desk.ask(bob.key, QUESTION)
    model.script(Script(tokens=["word "] * 20, between_s=0.1))
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        await reader.until("event: delta")
        # The running turn holds all of them.
        async with desk.post("/bots/default/chat", bob.key, {"message": QUESTION}) as answer:
            assert answer.status == 429
            error = (await answer.json())["error"]
            assert (error["code"], error["details"]["what"]) == ("too_many_requests", "model tokens")
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        await reader.until("event: done")
    await desk.ask(bob.key, QUESTION)


async def test_a_search_is_charged_where_its_passages_are_read_and_refused_at_the_cap(
    desk: Desk, library: Bot, bob: Person, acme: Organisation
) -> None:
    await sync_to_async(plan)(acme, requests_per_month=2)
    for body in ({"query": "warranty"}, {"query": "warranty", "bot": "default"}):
        status, _ = await desk.json(desk.post("/search", bob.key, body))
        assert status == 200
    entries = UsageEntry.objects.filter(kind="search").order_by("at").values_list("requests", "tokens_in", "bot")
    assert [entry async for entry in entries] == [(1, 0, None), (1, 0, library.pk)]
    for _ in range(2):
        status, error = await desk.json(desk.post("/search", bob.key, {"query": "warranty"}))
        assert (status, error["error"]["code"]) == (429, "quota_used_up")
    status, error = await desk.json(desk.post("/bots/default/chat", bob.key, {"message": QUESTION}))
    assert (status, error["error"]["code"]) == (429, "quota_used_up")
    await balance()
