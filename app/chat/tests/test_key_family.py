"""A rotated key: the new one has the old one's conversations and rest of the month, and no other key has."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from app.accounts.choices import Role
from app.accounts.keys import api_key_create, api_key_revoke, api_key_rotate
from app.accounts.models import ApiKey, Organisation
from app.audit.models import AuditEntry
from app.bots.models import Bot
from app.chat.models import Conversation, Message
from app.chat.tests.conftest import Desk
from app.chat.tests.test_turn_faults import QUESTION
from app.chat.tests.test_turn_usage import _nothing_is_remembered, balance
from app.plans.models import Plan, UsageEntry, UsageTotal
from tests.people import Person

__all__ = ["_nothing_is_remembered"]  # a fixture
pytestmark = pytest.mark.django_db(transaction=True)

Made = tuple[ApiKey, str]


def made(organisation: Organisation, name: str = "site", **more: Any) -> Made:
    return api_key_create(organisation=organisation, name=name, role=Role.VIEWER, **more)


def rotated(row: ApiKey, days: int = 7) -> Made:
    return api_key_rotate(organisation=row.organisation_id, api_key=row.pk, overlap_days=days)


def conversation_of(row: ApiKey, bot: Bot) -> tuple[Conversation, Message]:
    home = Conversation.objects.create(organisation=bot.organisation, bot=bot, api_key_id=row.family, title="Mine")
    shared = {"organisation": bot.organisation, "conversation": home}
    asked = Message.objects.create(**shared, role="user", content="How?")
    return home, Message.objects.create(**shared, role="assistant", reply_to=asked, content="So.")


def doors(home: Conversation, answer: Message) -> list[tuple[str, str, Any]]:
    return [
        ("get", f"/conversations/{home.pk}", None),
        ("get", f"/conversations/{home.pk}/messages", None),
        ("patch", f"/conversations/{home.pk}", {"title": "Renamed"}),
        ("get", f"/messages/{answer.pk}", None),
        ("get", f"/messages/{answer.pk}/events", None),
        ("post", f"/messages/{answer.pk}/stop", None),
        ("post", f"/messages/{answer.pk}/feedback", {"rating": 1}),
    ]


async def statuses(desk: Desk, key: str, wanted: list[tuple[str, str, Any]]) -> set[int]:
    found = set()
    for method, path, body in wanted:
        headers = {"Authorization": f"Bearer {key}"}
        async with desk.session.request(method, f"{desk.address}/api/v1{path}", json=body, headers=headers) as answer:
            await answer.read()
            found.add(answer.status)
    return found


async def listed(desk: Desk, key: str) -> list[str]:
    status, page = await desk.json(desk.get("/conversations", key))
    assert status == 200
    return [one["id"] for one in page["items"]]


async def test_every_key_of_a_chain_opens_its_conversations_and_no_other_key_does(
    desk: Desk, acme: Organisation, desk_bot: Bot, charlie: Person
) -> None:
    first, first_key = await sync_to_async(made)(acme)
    home, answer = await sync_to_async(conversation_of)(first, desk_bot)
    second, second_key = await sync_to_async(rotated)(first)
    third, third_key = await sync_to_async(rotated)(second)
    assert {first.family, second.family, third.family} == {first.pk}
    later, _ = await sync_to_async(conversation_of)(third, desk_bot)
    for key in (first_key, second_key, third_key):
        assert await statuses(desk, key, doors(home, answer)) == {200}
        assert await listed(desk, key) == [str(later.pk), str(home.pk)]
    # A key of the same name and organisation outside the chain, and a key of another organisation.
    _, stranger = await sync_to_async(made)(acme)
    for key in (stranger, charlie.key):
        assert await statuses(desk, key, doors(home, answer)) == {404}
        assert await listed(desk, key) == []


async def test_after_the_overlap_the_new_key_has_them_and_the_old_one_is_refused(
    desk: Desk, acme: Organisation, desk_bot: Bot
) -> None:
    first, first_key = await sync_to_async(made)(acme)
    home, answer = await sync_to_async(conversation_of)(first, desk_bot)
    second, second_key = await sync_to_async(rotated)(first, days=0)
    assert await statuses(desk, first_key, doors(home, answer)) == {401}
    assert await statuses(desk, second_key, doors(home, answer)) == {200}
    _, third_key = await sync_to_async(rotated)(second)
    await sync_to_async(api_key_revoke)(organisation=acme.pk, api_key=second.pk)
    assert await statuses(desk, third_key, doors(home, answer)) == {200}


async def test_a_conversation_goes_on_with_the_new_key_and_each_turn_is_charged_to_its_own(
    desk: Desk, acme: Organisation, library: Bot
) -> None:
    first, first_key = await sync_to_async(made)(acme)
    begun = (await desk.ask(first_key, QUESTION))[0][2]["conversation"]
    second, second_key = await sync_to_async(rotated)(first)
    assert (await desk.ask(second_key, QUESTION, conversation=begun))[0][2]["conversation"] == begun
    _, stranger = await sync_to_async(made)(acme)
    foreign = desk.post("/bots/default/chat", stranger, {"message": QUESTION, "conversation": begun})
    assert (await desk.json(foreign))[0] == 404
    charged = [entry.api_key async for entry in UsageEntry.objects.order_by("at")]
    assert charged == [first.pk, second.pk]
    assert await Message.objects.filter(conversation=begun).acount() == 4
    await balance()


async def test_a_question_sent_again_with_the_new_key_is_the_same_turn(
    desk: Desk, acme: Organisation, library: Bot
) -> None:
    first, first_key = await sync_to_async(made)(acme)
    _, second_key = await sync_to_async(rotated)(first)
    _, stranger = await sync_to_async(made)(acme)
    answers = []
    for key in (first_key, second_key, stranger):
        sent = desk.post("/bots/default/chat", key, {"message": QUESTION, "stream": False}, **{"Idempotency-Key": "1"})
        answers.append((await desk.json(sent))[1]["message"]["id"])
    assert answers[0] == answers[1] != answers[2]


async def test_rotating_gives_no_new_month(desk: Desk, acme: Organisation, library: Bot) -> None:
    await Plan.objects.acreate(name="two", title="Two", requests_per_month=2)
    first, first_key = await sync_to_async(made)(acme, plan="two")
    await desk.ask(first_key, QUESTION)
    second, second_key = await sync_to_async(rotated)(first)
    status, _ = await desk.json(desk.post("/search", second_key, {"query": QUESTION}))
    assert status == 200
    _, third_key = await sync_to_async(rotated)(second)
    for key in (first_key, second_key, third_key):
        for path, body in (("/bots/default/chat", {"message": QUESTION}), ("/search", {"query": QUESTION})):
            status, refused = await desk.json(desk.post(path, key, body))
            assert (status, refused["error"]["code"]) == (429, "quota_used_up")
            assert refused["error"]["details"]["of"] == "key"
    total = await UsageTotal.objects.exclude(api_key=None).aget()
    assert (total.api_key, total.requests) == (first.pk, 2)
    await balance()


def test_deleting_its_conversation_with_the_new_key_is_the_readers_own_and_not_audited(
    acme: Organisation, desk_bot: Bot
) -> None:
    first, _ = made(acme)
    home, _ = conversation_of(first, desk_bot)
    _, key = rotated(first)
    answer = Client().delete(f"/api/v1/conversations/{home.pk}", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 204
    assert not Conversation.objects.exists()
    assert not AuditEntry.objects.filter(action="conversation.delete").exists()
