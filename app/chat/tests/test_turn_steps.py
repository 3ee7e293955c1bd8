"""The steps of a turn: an added one runs in its place, sees the context, adds events and can end the turn."""

from typing import Any

import pytest

from app.bots.models import Bot
from app.chat.models import Message
from app.chat.tests.conftest import Desk, text_of
from app.chat.turns import run
from app.chat.turns.state import Step, TurnContext
from app.errors import RefdeskError
from app.lib.sse import Event
from app.llm.tests.fake_llm import Script, ScriptedModel
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "How long is the warranty of the Vale 3?"


def put(monkeypatch: pytest.MonkeyPatch, phase: str, after: str, step: Step) -> None:
    """Insert a step into a list of run.py, after the one with this name."""
    steps = list(getattr(run, phase))
    place = [each.name for each in steps].index(after)
    monkeypatch.setattr(run, phase, (*steps[: place + 1], step, *steps[place + 1 :]))


def names_of(events: list[tuple[int, str, Any]]) -> list[str]:
    return [data["name"] if name == "step" else name for _, name, data in events]


async def test_a_step_sees_the_context_adds_an_event_and_leaves_the_rest_to_the_next(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[TurnContext] = []

    async def probe(turn: TurnContext) -> None:
        seen.append(turn)
        assert turn.query == turn.question == QUESTION
        assert "24 months" in turn.passages[0].text
        turn.emit(Event("step", {"name": "probe"}))

    put(monkeypatch, "ANSWERING", "select", Step("probe", probe))
    model.script(Script(tokens=["It is 24 months [1]."]))
    events = await desk.ask(bob.key, QUESTION)
    assert names_of(events)[:5] == ["start", "search", "sources", "probe", "answer"]
    assert text_of(events) == "It is 24 months [1]."
    (turn,) = seen
    assert turn.message is not None
    assert turn.message["content"] == turn.text


async def test_a_step_ends_the_turn_with_its_own_answer(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def close(turn: TurnContext) -> None:
        turn.write_whole("The desk is closed today.")
        turn.end()

    put(monkeypatch, "ANSWERING", "select", Step("close", close))
    model.script(Script())
    events = await desk.ask(bob.key, QUESTION)
    message = events[-1][2]["message"]
    assert (message["state"], message["content"]) == ("done", "The desk is closed today.")
    assert model.requests() == []
    row = await Message.objects.aget(pk=message["id"])
    assert (row.state, row.content) == ("done", "The desk is closed today.")


async def test_a_step_before_the_search_can_end_the_turn_too(
    desk: Desk, library: Bot, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[TurnContext] = []

    async def greet(turn: TurnContext) -> None:
        seen.append(turn)
        turn.write_whole("Hello.")
        turn.end()

    put(monkeypatch, "PREPARATION", "rewrite", Step("greet", greet))
    events = await desk.ask(bob.key, "Hi there")
    assert names_of(events) == ["start", "delta", "usage", "done"]
    assert events[-1][2]["message"]["content"] == "Hello."
    assert list(seen[0].chunks) == []
    assert await Message.objects.acount() == 2


async def test_an_answer_is_recorded_whatever_a_step_does(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(turn: TurnContext) -> None:
        raise KeyError("a mistake of a step")

    put(monkeypatch, "ANSWERING", "select", Step("fail", fail))
    model.script(Script(slots=1))
    for _ in range(2):  # the second finds the model's only slot free again
        events = await desk.ask(bob.key, QUESTION)
        name, data = events[-1][1:]
        assert (name, data["error"]["code"], data["message"]["state"]) == ("error", "internal", "failed")
        row = await Message.objects.aget(pk=data["message"]["id"])
        assert (row.state, row.error_code) == ("failed", "internal")
        assert "queue" not in names_of(events)


async def test_a_step_that_fails_before_the_rows_are_made_leaves_nothing(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(turn: TurnContext) -> None:
        raise RefdeskError("not_allowed", "Not this question.")

    put(monkeypatch, "PREPARATION", "admit", Step("refuse", refuse))
    model.script(Script(slots=1))
    status, error = await desk.json(desk.post("/bots/default/chat", bob.key, {"message": QUESTION}))
    assert (status, error["error"]["message"]) == (403, "Not this question.")
    assert not await Message.objects.aexists()
    monkeypatch.undo()
    assert "queue" not in names_of(await desk.ask(bob.key, QUESTION))
