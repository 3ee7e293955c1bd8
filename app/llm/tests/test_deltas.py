import pytest

from app.errors import Upstream
from app.llm.deltas import Delta, FinishReason, Reply, ToolCallFragment, Usage
from app.llm.messages import ChatMessage, ToolCall


def reply_of(*deltas: Delta) -> Reply:
    reply = Reply()
    for delta in deltas:
        reply.add(delta)
    return reply


def calls_of(*fragments: ToolCallFragment) -> tuple[ToolCall, ...]:
    return reply_of(*(Delta(tool_calls=(fragment,)) for fragment in fragments)).tool_calls()


def test_a_reply_is_made_up_of_its_deltas() -> None:
    reply = reply_of(
        Delta(thinking="Cats? "),
        Delta(thinking="Yes.", text="Cats"),
        Delta(text=" purr"),
        Delta(finish_reason=FinishReason.STOP),
        Delta(usage=Usage(10, 2)),
    )
    assert (reply.text, reply.thinking) == ("Cats purr", "Cats? Yes.")
    assert (reply.finish_reason, reply.usage) == (FinishReason.STOP, Usage(10, 2))
    assert reply.message() == ChatMessage.assistant("Cats purr")


def test_fragments_of_parallel_tool_calls_are_joined_by_their_index() -> None:
    assert calls_of(
        ToolCallFragment(0, "a", "weather", '{"to'),
        ToolCallFragment(1, "b", "clock"),
        ToolCallFragment(0, arguments='wn": "'),
        ToolCallFragment(1, arguments="{}"),
        ToolCallFragment(0, arguments='Brno"}'),
    ) == (ToolCall("a", "weather", '{"town": "Brno"}'), ToolCall("b", "clock", "{}"))


def test_calls_that_share_an_index_are_told_apart_by_their_id() -> None:
    assert calls_of(
        ToolCallFragment(0, "a", "weather", '{"town": "Brno"}'),
        ToolCallFragment(0, "b", "weather", '{"town": "Graz"}'),
    ) == (ToolCall("a", "weather", '{"town": "Brno"}'), ToolCall("b", "weather", '{"town": "Graz"}'))


def test_an_id_that_is_repeated_with_each_fragment_is_one_call() -> None:
    assert calls_of(ToolCallFragment(0, "a", "clock", "{"), ToolCallFragment(0, "a", "clock", "}")) == (
        ToolCall("a", "clock", "{}"),
    )


def test_a_call_without_an_id_gets_one_of_its_place() -> None:
    assert [call.id for call in calls_of(ToolCallFragment(0, name="a"), ToolCallFragment(1, name="b"))] == [
        "call_0",
        "call_1",
    ]


def test_a_call_without_a_name_is_model_dropped() -> None:
    with pytest.raises(Upstream) as caught:
        calls_of(ToolCallFragment(0, "a", arguments="{}"))
    assert caught.value.code == "model_dropped"
