import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.errors import Upstream
from app.llm.deltas import FinishReason, Reply
from app.llm.endpoint import Endpoint
from app.llm.messages import ChatMessage, ToolCall, ToolDefinition, ToolResult
from app.llm.providers import provider_of
from app.llm.providers.protocol import ChatStream, Timeouts
from app.llm.providers.streaming import ModelRefused
from app.llm.routing import model_info
from app.llm.tests.fake_llm import SOON_S, Script, ScriptedModel

QUESTION = [ChatMessage.user("Do cats purr?")]


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


def stream_of(model: ScriptedModel, **options: Any) -> ChatStream:
    return provider_of(Endpoint(model.url, api_key="sesame")).chat(QUESTION, model="scripted", **options)


async def collect(stream: ChatStream, reply: Reply) -> None:
    async with stream:
        async for delta in stream:
            reply.add(delta)


async def read(stream: ChatStream) -> Reply:
    reply = Reply()
    await collect(stream, reply)
    return reply


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("done_marker", [True, False])
async def test_the_text_arrives_whole_with_its_usage(model: ScriptedModel, at_once: bool, done_marker: bool) -> None:
    model.script(Script(tokens=["Cats", " purr ", "[1", "]", " 猫"], at_once=at_once, done_marker=done_marker))
    reply = await read(stream_of(model))
    assert reply.text == "Cats purr [1] 猫"
    assert (reply.usage.tokens_in, reply.usage.tokens_out, reply.finish_reason) == (100, 5, FinishReason.STOP)
    (request,) = model.requests()
    assert request["body"]["stream"] is True
    assert request["authorization"] == "Bearer sesame"


async def test_a_server_that_ignores_streaming_is_read_too(model: ScriptedModel) -> None:
    model.script(Script(tokens=["Cats", " purr"], plain=True))
    reply = await read(stream_of(model))
    assert reply.text == "Cats purr"
    assert reply.usage.tokens_out == 2


async def test_nobody_listening_is_model_unavailable() -> None:
    with pytest.raises(Upstream) as caught:
        await read(provider_of(Endpoint("http://127.0.0.1:9/v1")).chat(QUESTION, model="x"))
    assert caught.value.code == "model_unavailable"


@pytest.mark.parametrize(
    ("status", "code"), [(500, "model_unavailable"), (401, "model_unavailable"), (429, "model_busy")]
)
async def test_a_refusal_by_status_has_a_code(model: ScriptedModel, status: int, code: str) -> None:
    model.script(Script(status=status))
    with pytest.raises(Upstream) as caught:
        await read(stream_of(model))
    assert caught.value.code == code
    assert caught.value.details["status"] == status


@pytest.mark.parametrize(
    ("status", "refusal", "code"),
    [
        (404, "model 'x' not found", "model_missing"),
        (404, "The model `x` does not exist.", "model_missing"),
        (404, "Not Found", "model_unavailable"),
        (400, "This model's maximum context length is 2048 tokens. However, …", "prompt_too_long"),
        (400, "exceed_context_size_error: 5000 tokens", "prompt_too_long"),
        (400, "temperature must be non-negative", "model_unavailable"),
    ],
)
async def test_what_a_server_refuses_is_told_apart_and_its_models_are_asked_anew(
    model: ScriptedModel, status: int, refusal: str, code: str
) -> None:
    model.script(Script(status=status, refusal=refusal, context=2048))
    endpoint = Endpoint(model.url, "scripted")
    assert (await model_info(endpoint)).context == 2048
    with pytest.raises(Upstream) as caught:
        await read(provider_of(endpoint).chat(QUESTION, model="scripted"))
    assert caught.value.code == code
    model.script(Script(context=1024))
    assert (await model_info(endpoint)).context == (2048 if code == "model_unavailable" else 1024)


@pytest.mark.parametrize("fault", ["hang", "silent"])
async def test_no_first_token_is_model_timeout_and_frees_the_model(model: ScriptedModel, fault: str) -> None:
    model.script(Script(fault=fault))
    with pytest.raises(Upstream) as caught:
        await read(stream_of(model, timeouts=Timeouts(first_token_s=0.2)))
    assert caught.value.code == "model_timeout"
    await model.reader_left()


async def test_a_pause_between_tokens_is_model_timeout(model: ScriptedModel) -> None:
    model.script(Script(tokens=["a", "b"], between_s=30))
    reply = Reply()
    with pytest.raises(Upstream) as caught:
        await collect(stream_of(model, timeouts=Timeouts(between_s=0.2)), reply)
    assert reply.text == "a"
    assert caught.value.code == "model_timeout"
    await model.reader_left()


@pytest.mark.parametrize("fault", ["drop", "malformed", "error"])
async def test_a_broken_stream_keeps_its_text_and_is_model_dropped(model: ScriptedModel, fault: str) -> None:
    model.script(Script(tokens=["Cats", " purr"], fault=fault))
    reply = Reply()
    with pytest.raises(Upstream) as caught:
        await collect(stream_of(model), reply)
    assert reply.text == "Cats purr"
    assert caught.value.code == "model_dropped"


async def test_an_endless_answer_is_cut(model: ScriptedModel) -> None:
    model.script(Script(tokens=["word " * 20], fault="endless"))
    reply = await read(stream_of(model, max_tokens=16))
    assert len(reply.text) == 16 * 16
    assert reply.finish_reason is FinishReason.LENGTH
    await model.reader_left()


async def test_a_reader_that_leaves_frees_the_model_at_once(model: ScriptedModel) -> None:
    model.script(Script(tokens=["word "] * 1500, between_s=0.02))
    async with stream_of(model) as stream:
        await anext(aiter(stream))
    left = time.time()
    assert await model.reader_left() - left < SOON_S


async def test_a_cancelled_reader_frees_the_model_before_the_first_token(model: ScriptedModel) -> None:
    model.script(Script(first_s=30))
    reading = asyncio.create_task(read(stream_of(model)))
    await model.request_arrived()
    reading.cancel()
    left = time.time()
    assert await model.reader_left() - left < SOON_S


TOOL = ToolDefinition("clock", "Tells the time", {"type": "object", "properties": {}})


async def test_tool_calls_are_assembled_from_their_fragments(model: ScriptedModel) -> None:
    fragments = [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "clock", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"zone": '}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "clock", "arguments": "{}"}},
        {"index": 0, "function": {"arguments": '"UTC"}'}},
    ]
    deltas = [{"reasoning_content": "Which zone?"}, *({"tool_calls": [fragment]} for fragment in fragments)]
    model.script(Script(deltas=deltas, finish_reason="tool_calls"))
    reply = await read(stream_of(model, tools=[TOOL]))
    assert reply.tool_calls() == (ToolCall("a", "clock", '{"zone": "UTC"}'), ToolCall("b", "clock", "{}"))
    assert (reply.text, reply.thinking, reply.finish_reason) == ("", "Which zone?", FinishReason.TOOL_CALLS)
    assert model.requests()[0]["body"]["tools"][0]["function"]["name"] == "clock"


async def test_the_result_of_a_tool_is_sent_after_its_call(model: ScriptedModel) -> None:
    model.script(Script(tokens=["Noon."]))
    call = ToolCall("a", "clock", "{}")
    messages = [*QUESTION, ChatMessage.assistant("", (call,)), ChatMessage.tool(ToolResult("a", "12:00"))]
    assert (await read(provider_of(Endpoint(model.url)).chat(messages, model="scripted"))).text == "Noon."
    sent = model.requests()[0]["body"]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert (sent[1]["tool_calls"][0]["id"], sent[2]["tool_call_id"]) == ("a", "a")


async def test_thinking_and_tool_calls_are_signs_of_life(model: ScriptedModel) -> None:
    deltas = [{"reasoning": "Hm. "}, {"tool_calls": [{"index": 0, "function": {"name": "clock"}}]}] * 4
    model.script(Script(deltas=deltas, between_s=0.1))
    reply = await read(stream_of(model, timeouts=Timeouts(first_token_s=0.6, between_s=0.6)))
    assert reply.thinking == "Hm. " * 4


async def test_endless_thinking_is_cut(model: ScriptedModel) -> None:
    model.script(Script(deltas=[{"reasoning": "word " * 20}], fault="endless"))
    reply = await read(stream_of(model, max_tokens=16))
    assert (reply.text, reply.finish_reason) == ("", FinishReason.LENGTH)
    await model.reader_left()


async def test_a_refusal_s_words_are_kept_from_readers_and_logs(
    model: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    model.script(Script(status=400, refusal="key sesame: cannot read 'Do cats purr?'"))
    with pytest.raises(ModelRefused) as caught:
        await read(stream_of(model))
    assert caught.value.reply == '{"error": {"message": "key ***: cannot read \'Do cats purr?\'"}}'
    shown = f"{caught.value} {caught.value.as_json('1')} {caplog.text}"
    assert "cats" not in shown
    assert "sesame" not in shown


async def test_a_kept_connection_that_the_server_has_closed_is_replaced(model: ScriptedModel) -> None:
    """Check the retry: servers close idle connections, possibly just as the next request is sent."""
    model.script(Script(tokens=["Cats", " purr"]))
    for _ in range(3):
        assert (await read(stream_of(model))).text == "Cats purr"
        time.sleep(0.05)  # noqa: ASYNC251 (the server closes its end while this loop cannot notice)
    assert len(model.requests()) == 3
