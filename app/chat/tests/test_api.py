"""Conversations and messages in the API: their owners, and the calls on them."""

import uuid

import pytest
from django.conf import settings

from app.accounts.keys import api_key_create
from app.bots.models import Bot
from app.chat.models import Conversation, Message
from app.chat.tests.conftest import Desk
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "How long is the warranty of the Vale 3?"


@pytest.fixture
def bob_s_second_key(bob: Person) -> str:
    return api_key_create(organisation=bob.organisation, name="second", role=bob.role, created_by=bob.user)[1]


@pytest.fixture
async def turn(desk: Desk, library: Bot, bob: Person) -> tuple[str, str]:
    """Return a conversation of bob's key and its answer."""
    events = await desk.ask(bob.key, QUESTION)
    return events[0][2]["conversation"], events[0][2]["message"]


async def test_a_conversation_is_listed_renamed_and_deleted_by_its_owner(
    desk: Desk, bob: Person, turn: tuple[str, str]
) -> None:
    conversation, _ = turn
    _, page = await desk.json(desk.get("/conversations", bob.key))
    assert [(one["id"], one["title"], one["bot"]) for one in page["items"]] == [(conversation, QUESTION, "default")]
    headers = {"Authorization": f"Bearer {bob.key}"}
    address = f"{desk.address}/api/v1/conversations/{conversation}"
    status, renamed = await desk.json(desk.session.patch(address, json={"title": " Vale\n3 "}, headers=headers))
    assert (status, renamed["title"]) == (200, "Vale 3")
    async with desk.session.delete(address, headers=headers) as answer:
        assert answer.status == 204
    assert not await Message.objects.aexists()
    assert (await desk.json(desk.get(f"/conversations/{conversation}", bob.key)))[0] == 404


async def test_nobody_else_sees_touches_or_continues_it(
    desk: Desk, alice: Person, charlie: Person, bob_s_second_key: str, turn: tuple[str, str]
) -> None:
    conversation, message = turn
    before = await Message.objects.acount(), (await Conversation.objects.aget()).title
    for key in (alice.key, charlie.key, bob_s_second_key):
        headers = {"Authorization": f"Bearer {key}"}
        address = f"{desk.address}/api/v1/conversations/{conversation}"
        calls = [
            desk.get(f"/conversations/{conversation}", key),
            desk.get(f"/conversations/{conversation}/messages", key),
            desk.session.patch(address, json={"title": "mine"}, headers=headers),
            desk.session.delete(address, headers=headers),
            desk.get(f"/messages/{message}", key),
            desk.get(f"/messages/{message}/events", key),
            desk.post(f"/messages/{message}/stop", key),
            desk.post(f"/messages/{message}/feedback", key, {"rating": 1}),
            desk.post("/bots/default/chat", key, {"message": QUESTION, "conversation": conversation}),
        ]
        for call in calls:
            assert (await desk.json(call))[0] == 404
        _, page = await desk.json(desk.get("/conversations", key))
        assert page["items"] == []
    assert (await Message.objects.acount(), (await Conversation.objects.aget()).title) == before


async def test_another_organisation_s_bot_and_passages_cannot_be_reached(
    desk: Desk, charlie: Person, library: Bot
) -> None:
    status, error = await desk.json(desk.post("/bots/default/chat", charlie.key, {"message": QUESTION}))
    assert (status, error["error"]["code"]) == (404, "not_found")
    status, found = await desk.json(desk.post("/search", charlie.key, {"query": QUESTION}))
    assert (status, found["hits"]) == (200, [])


async def test_the_same_idempotency_key_of_another_caller_is_another_turn(
    desk: Desk, alice: Person, bob: Person, library: Bot
) -> None:
    for person in (alice, bob):
        body = {"message": QUESTION, "stream": False}
        status, _ = await desk.json(desk.post("/bots/default/chat", person.key, body, **{"Idempotency-Key": "same"}))
        assert status == 200
    assert await Conversation.objects.acount() == 2


async def test_an_idempotency_key_is_for_one_question(desk: Desk, bob: Person, library: Bot) -> None:
    async def ask(question: str) -> int:
        body = {"message": question, "stream": False}
        return (await desk.json(desk.post("/bots/default/chat", bob.key, body, **{"Idempotency-Key": "one"})))[0]

    assert [await ask(QUESTION), await ask("Something else?"), await ask(QUESTION)] == [200, 409, 200]
    assert await Conversation.objects.acount() == 1


async def test_a_conversation_does_not_change_its_bot(
    desk: Desk, alice: Person, bob: Person, turn: tuple[str, str]
) -> None:
    status, _ = await desk.json(desk.post("/bots", alice.key, {"slug": "second", "name": "Second"}))
    assert status == 201
    body = {"message": QUESTION, "conversation": turn[0]}
    assert (await desk.json(desk.post("/bots/second/chat", bob.key, body)))[0] == 404


async def test_an_answer_tells_which_part_of_its_passages_it_rests_on(
    desk: Desk, bob: Person, turn: tuple[str, str]
) -> None:
    status, answer = await desk.json(desk.get(f"/messages/{turn[1]}", bob.key))
    assert (status, answer["id"]) == (200, turn[1])
    [citation, *_] = answer["citations"]
    [[start, end]] = citation["quotes"]
    claim = answer["content"][citation["start"] : citation["end"]]
    assert citation["passage"]["text"][start:end] in claim
    _, page = await desk.json(desk.get(f"/conversations/{turn[0]}/messages", bob.key))
    assert page["items"][1]["citations"] == answer["citations"]


async def test_an_answer_is_rated_and_a_question_is_not(desk: Desk, bob: Person, turn: tuple[str, str]) -> None:
    conversation, message = turn
    for rating, kept in ((1, 1), (-1, -1), (0, None)):
        status, answer = await desk.json(desk.post(f"/messages/{message}/feedback", bob.key, {"rating": rating}))
        assert (status, answer["rating"]) == (200, kept)
    question = await Message.objects.aget(role="user", conversation=conversation)
    assert (await desk.json(desk.post(f"/messages/{question.pk}/feedback", bob.key, {"rating": 1})))[0] == 422
    assert (await desk.json(desk.post(f"/messages/{message}/feedback", bob.key, {"rating": 5})))[0] == 422


async def test_long_lists_come_in_pages(desk: Desk, bob: Person, library: Bot) -> None:
    conversation = None
    for number in range(3):
        more = {"conversation": conversation} if conversation else {}
        conversation = (await desk.ask(bob.key, f"Question number {number}?", **more))[0][2]["conversation"]
        await desk.ask(bob.key, "Another conversation")
    path, seen = f"/conversations/{conversation}/messages?limit=4", []
    while path:
        _, page = await desk.json(desk.get(path, bob.key))
        seen += [one["content"] for one in page["items"] if one["role"] == "user"]
        cursor = page["next"]
        path = f"/conversations/{conversation}/messages?limit=4&cursor={cursor}" if cursor else ""
    assert seen == [f"Question number {number}?" for number in range(3)]
    _, first = await desk.json(desk.get("/conversations?limit=3", bob.key))
    _, second = await desk.json(desk.get(f"/conversations?limit=3&cursor={first['next']}", bob.key))
    ids = [one["id"] for one in first["items"] + second["items"]]
    assert len(set(ids)) == len(ids) == 4
    assert second["next"] is None
    assert (await desk.json(desk.get("/conversations?cursor=nonsense", bob.key)))[0] == 422


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": None},
        {"message": ["x"]},
        {"message": "x", "conversation": "x"},
        {"message": "x", "organisation": str(uuid.uuid4())},
        {"message": "x", "id": 1},
    ],
)
async def test_a_body_of_another_shape_is_refused(desk: Desk, bob: Person, library: Bot, body: object) -> None:
    status, error = await desk.json(desk.post("/bots/default/chat", bob.key, body))
    assert (status, error["error"]["code"]) == (422, "invalid_request")
    assert not await Message.objects.aexists()


async def test_an_unknown_message_or_conversation_is_not_found(desk: Desk, bob: Person, library: Bot) -> None:
    for path in (f"/conversations/{uuid.uuid4()}", f"/messages/{uuid.uuid4()}/events", "/conversations/x"):
        assert (await desk.json(desk.get(path, bob.key)))[0] == 404


async def test_words_of_the_message_do_not_matter_to_the_database(desk: Desk, bob: Person, library: Bot) -> None:
    for text in ("\x00 zero?", "'; DROP TABLE chat_message; --", "%s %(x)s {0}", "😀 emoji ﷽", "{{7*7}}"):
        events = await desk.ask(bob.key, text)
        assert events[-1][1] == "done"
    assert await Message.objects.filter(role="user").acount() == 5


async def test_a_signed_in_person_asks_with_the_page_s_token(desk: Desk, library: Bot, bob: Person) -> None:
    cookies = {name: morsel.value for name, morsel in bob.client.cookies.items()}
    token = "a" * 32
    cookies[settings.CSRF_COOKIE_NAME] = token
    jar = "; ".join(f"{name}={value}" for name, value in cookies.items())
    address, body = f"{desk.address}/api/v1/bots/default/chat", {"message": QUESTION, "stream": False}
    async with desk.session.post(address, json=body, headers={"Cookie": jar}) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (403, "csrf_failed")
    async with desk.session.post(address, json=body, headers={"Cookie": jar, "X-CSRFToken": token}) as answer:
        assert answer.status == 200
        conversation = (await answer.json())["conversation"]
    row = await Conversation.objects.aget(pk=conversation)
    assert (row.user_id, row.api_key_id) == (bob.user.pk, None)
    # It belongs to the person, not to their key.
    assert (await desk.json(desk.get(f"/conversations/{conversation}", bob.key)))[0] == 404
