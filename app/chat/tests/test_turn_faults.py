"""Faults around a turn: the model, the reader, the process, Valkey, search."""

import asyncio
import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from django.conf import Settings
from django.utils import timezone
from redis.asyncio import Redis

from app.bots.models import Bot
from app.chat.models import Message
from app.chat.tests.conftest import Desk, events_of, text_of
from app.chat.turns.repository import answers_interrupt_stale
from app.chat.turns.stream import streams_here
from app.llm.tests.fake_llm import SOON_S, Script, ScriptedModel
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "How long is the warranty of the Vale 3?"
LONG = Script(tokens=["word "] * 1500, between_s=0.02)  # half a minute


class Reader:
    """A reader of a stream that can disconnect at any time."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.body = ""

    async def __aenter__(self) -> "Reader":
        self.answer: aiohttp.ClientResponse = await self.request
        assert self.answer.status == 200
        return self

    async def __aexit__(self, *_: object) -> None:
        self.answer.close()

    async def until(self, text: str, count: int = 1) -> list[tuple[int, str, Any]]:
        async with asyncio.timeout(60):
            while self.body.count(text) < count:
                data = await self.answer.content.readany()
                assert data, f"the stream ended:\n{self.body[-2000:]}"
                self.body += data.decode()
        return events_of(self.body)


async def ended(message: str, limit_s: float = 30) -> Message:
    began = time.monotonic()
    while time.monotonic() - began < limit_s:
        row = await Message.objects.aget(pk=message)
        if row.state != "running":
            return row
        await asyncio.sleep(0.02)
    raise AssertionError("the answer is still running")


async def test_a_model_that_is_down_is_replaced_by_the_passages_own_words(
    desk: Desk, library: Bot, bob: Person, settings: Settings
) -> None:
    settings.LLM_URL = "http://127.0.0.1:9/v1"
    message = (await desk.ask(bob.key, QUESTION))[-1][2]["message"]
    assert (message["mode"], message["state"]) == ("extractive", "done")
    assert message["error"]["code"] == "model_unavailable"
    assert "24 months" in message["content"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Script(status=500), "model_unavailable"),
        (Script(status=429), "model_busy"),
        (Script(tokens=[], fault="drop"), "model_dropped"),
        (Script(tokens=[], fault="malformed"), "model_dropped"),
        (Script(tokens=[]), "model_dropped"),
    ],
)
async def test_a_model_that_fails_before_its_first_word_is_replaced_too(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, script: Script, code: str
) -> None:
    model.script(script)
    events = await desk.ask(bob.key, QUESTION)
    message = events[-1][2]["message"]
    assert events[0][2]["mode"] == "model"
    assert (message["mode"], message["state"], message["error"]["code"]) == ("extractive", "done", code)
    assert message["content"] == text_of(events)


TOO_LONG: dict[str, Any] = {"status": 400, "refusal": "This model's maximum context length is 2400 tokens."}


async def test_a_prompt_that_is_too_long_for_the_model_is_tried_with_less(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    # A small prompt does not include the example.
    model.script(Script(when="rooms.pdf", context=2400, **TOO_LONG), Script(tokens=["It is 24 months [1]."]))
    events = await desk.ask(bob.key, QUESTION)
    message = events[-1][2]["message"]
    assert (message["mode"], message["state"], message["error"]) == ("model", "done", None)
    assert message["content"] == "It is 24 months [1]."
    assert len(model.requests()) == 2
    assert [data["name"] for _, name, data in events if name == "step"] == ["search", "answer"]


async def test_a_prompt_that_stays_too_long_is_answered_by_the_passages_own_words(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(context=2400, **TOO_LONG))
    message = (await desk.ask(bob.key, QUESTION))[-1][2]["message"]
    assert (message["mode"], message["state"], message["error"]["code"]) == ("extractive", "done", "prompt_too_long")
    assert len(model.requests()) == 3


@pytest.mark.parametrize("fault", ["drop", "malformed", "error"])
async def test_a_model_that_fails_later_leaves_its_part_and_an_error(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, fault: str
) -> None:
    model.script(Script(tokens=["It is 24 months [1]. And"], fault=fault))
    events = await desk.ask(bob.key, QUESTION)
    _, name, data = events[-1]
    assert name == "error"
    assert data["error"]["code"] == "model_dropped"
    row = await Message.objects.prefetch_related("citations").aget(pk=events[0][2]["message"])
    assert (row.state, row.error_code, row.content) == ("interrupted", "model_dropped", "It is 24 months [1]. And")
    assert [one.n for one in row.citations.all()] == [1]


async def test_without_search_there_is_no_answer_and_nothing_is_recorded(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, settings: Settings
) -> None:
    from app.retrieval.index import index_reader

    model.script(Script())
    settings.QDRANT_URL = "http://127.0.0.1:9"
    index_reader.cache_clear()
    try:
        status, error = await desk.json(desk.post("/bots/default/chat", bob.key, {"message": QUESTION}))
    finally:
        index_reader.cache_clear()
    assert (status, error["error"]["code"]) == (503, "search_unavailable")
    assert model.requests() == []
    assert not await Message.objects.aexists()


async def test_stop_keeps_the_text_and_frees_the_model_at_once(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(LONG)
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        events = await reader.until("event: delta", 5)
        message = events[0][2]["message"]
        stopped = time.time()
        status, answer = await desk.json(desk.post(f"/messages/{message}/stop", bob.key))
        assert (status, answer["state"]) == (200, "stopped")
        assert await model.reader_left() - stopped < SOON_S
        events = await reader.until("event: done")
    assert events[-1][2]["message"]["content"] == text_of(events) == answer["content"]
    assert answer["content"].startswith("word word word")
    status, again = await desk.json(desk.post(f"/messages/{message}/stop", bob.key))
    assert (status, again["state"]) == (200, "stopped")


@pytest.mark.parametrize("script", [LONG, Script(first_s=30)])
async def test_a_reader_who_leaves_frees_the_model_at_once(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, script: Script
) -> None:
    model.script(script)
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        events = await reader.until("event: delta" if script is LONG else "event: sources")
        await model.request_arrived()
    left = time.time()
    assert await model.reader_left() - left < SOON_S
    row = await ended(events[0][2]["message"])
    assert row.state == ("interrupted" if script is LONG else "failed")
    assert row.error_code == "interrupted"
    assert bool(row.content) == (script is LONG)


async def test_a_caller_of_the_whole_answer_who_leaves_frees_the_model_too(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(LONG)
    body = {"message": QUESTION, "stream": False}
    asking = asyncio.create_task(desk.json(desk.post("/bots/default/chat", bob.key, body)))
    await model.request_arrived()
    asking.cancel()
    left = time.time()
    assert await model.reader_left() - left < SOON_S


async def test_a_reader_who_comes_back_gets_the_rest_once(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(tokens=[f"w{n} " for n in range(60)], between_s=0.02))
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        first = await reader.until("event: delta", 10)
    message, last = first[0][2]["message"], first[-1][0]
    async with desk.get(f"/messages/{message}/events", bob.key, **{"Last-Event-ID": str(last)}) as answer:
        rest = events_of(await answer.text())
    assert [number for number, _, _ in first + rest] == list(range(1, len(first + rest) + 1))
    assert rest[-1][2]["message"]["content"] == text_of(first + rest)
    assert len(model.requests()) == 1
    assert model.requests()[0]["left"] is None


async def test_an_answer_that_has_ended_is_given_whole(desk: Desk, library: Bot, bob: Person) -> None:
    events = await desk.ask(bob.key, QUESTION)
    path = f"/messages/{events[0][2]['message']}/events"
    async with desk.get(path, bob.key) as answer:
        assert [name for _, name, _ in events_of(await answer.text())] == ["start", "done"]
    async with desk.get(path, bob.key, **{"Last-Event-ID": "4"}) as answer:
        ((number, name, data),) = events_of(await answer.text())
    assert (number, name) == (5, "done")
    assert data["message"]["content"] == events[-1][2]["message"]["content"]


async def test_the_same_key_is_the_same_turn_even_at_the_same_moment(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(tokens=["So ", "it is [1]."], between_s=0.3))
    body, key = {"message": QUESTION}, {"Idempotency-Key": "k1"}

    async def ask() -> list[tuple[int, str, Any]]:
        async with desk.post("/bots/default/chat", bob.key, body, **key) as answer:
            return events_of(await answer.text())

    turns = await asyncio.gather(ask(), ask(), ask())
    turns.append(await ask())
    assert len({events[0][2]["message"] for events in turns}) == 1
    assert {events[-1][2]["message"]["content"] for events in turns} == {"So it is [1]."}
    assert len(model.requests()) == 1
    assert await Message.objects.acount() == 2


async def test_the_text_is_kept_while_it_is_written_and_an_abandoned_answer_is_interrupted(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, valkey: str
) -> None:
    model.script(LONG)
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        events = await reader.until("event: delta", 5)
        async with asyncio.timeout(20):
            row = await Message.objects.aget(pk=events[0][2]["message"])
            while len(row.content) < 200:
                await asyncio.sleep(0.1)
                await row.arefresh_from_db()
        assert row.state == "running"
        assert await answers_interrupt_stale() == 0
        # As after kill -9: the process has ended; its row and its last events remain.
        task = streams_here()[row.pk].task
        task.cancel()
        await asyncio.wait([task])
    await Redis.from_url(valkey).delete(f"refdesk:turn:{row.pk}:events")
    await Message.objects.filter(pk=row.pk).aupdate(state="running", updated=timezone.now() - timedelta(seconds=11))
    path = f"/messages/{row.pk}/events"
    async with desk.get(path, bob.key) as answer:
        events = events_of(await answer.text())
    assert events[-1][1] == "error"
    assert events[-1][2]["error"]["code"] == "interrupted"
    row = await Message.objects.aget(pk=row.pk)
    assert row.state == "interrupted"
    assert row.content.startswith("word word")


async def test_readers_wait_in_line_and_see_their_place(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel
) -> None:
    model.script(Script(tokens=["w "] * 20 + ["[1]"], between_s=0.02, slots=1))
    turns = await asyncio.gather(*(desk.ask(bob.key, QUESTION) for _ in range(3)))
    assert all(events[-1][2]["message"]["state"] == "done" for events in turns)
    places = sorted([data["position"] for _, name, data in events if name == "queue"] for events in turns)
    assert places == [[], [1], [2, 1]]
    begun = sorted((request["began"], request["ended"]) for request in model.requests())
    assert all(end <= start + 0.2 for (_, end), (start, _) in pairwise(begun))
