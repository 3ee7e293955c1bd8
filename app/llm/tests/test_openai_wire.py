"""The wire format of OpenAI's API without a network: requests as sent, and replies split at any byte."""

import json
from typing import Any

import orjson
import pytest

from app.llm.deltas import Delta, FinishReason, Reply, Usage
from app.llm.endpoint import Endpoint
from app.llm.messages import ChatMessage, ImagePart, Role, TextPart, ToolCall, ToolDefinition, ToolResult
from app.llm.providers.openai import OpenAIDecoder, OpenAIProvider, message_json

STREAM = "text/event-stream"
CALL = ToolCall("call_1", "clock", '{"zone": "UTC"}')


def event(delta: dict[str, Any], reason: str | None = None) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}).encode()


def read_all(decoder: OpenAIDecoder, pieces: list[bytes]) -> Reply:
    """Read as a stream does: to the end, or to a failure after the deltas before it have been yielded."""
    reply = Reply()
    for piece in [*pieces, b""]:
        if decoder.ended or decoder.failure:
            break
        delta = decoder.read(piece)
        if delta is not None:
            assert delta != Delta()
            reply.add(delta)
    return reply


WHOLE = b"\n\n".join(
    [
        b": a comment\nevent: chunk\n" + event({"role": "assistant", "content": ""}),
        event({"reasoning_content": "Cats? "}),
        event({"reasoning": "Yes."}),
        event({"content": "Cats purr "}),
        event({"content": "猫 [1]."}),
        event({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "clock", "arguments": ""}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '{"zone": '}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '"UTC"}'}}]}),
        event({}, "tool_calls"),
        b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": '
        b'{"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}}',
        b"data: [DONE]\n\n",
    ]
)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_a_stream_reads_the_same_however_it_is_cut(size: int, line_end: bytes) -> None:
    content = WHOLE.replace(b"\n", line_end)
    decoder = OpenAIDecoder(STREAM)
    reply = read_all(decoder, [content[at : at + size] for at in range(0, len(content), size)])
    assert (reply.text, reply.thinking) == ("Cats purr 猫 [1].", "Cats? Yes.")
    assert reply.tool_calls() == (ToolCall("a", "clock", '{"zone": "UTC"}'),)
    assert (reply.finish_reason, reply.usage) == (FinishReason.TOOL_CALLS, Usage(9, 5, 4, 2))
    assert (decoder.ended, decoder.failure) == (True, None)


def test_what_arrives_together_is_one_delta() -> None:
    delta = OpenAIDecoder(STREAM).read(WHOLE)
    assert delta is not None
    assert (delta.text, delta.finish_reason) == ("Cats purr 猫 [1].", FinishReason.TOOL_CALLS)


@pytest.mark.parametrize("tail", [b"", b"\n", b"\n\ndata: [DO"])
def test_a_stream_that_closes_after_its_reason_is_whole(tail: bytes) -> None:
    decoder = OpenAIDecoder(STREAM)
    reply = read_all(decoder, [event({"content": "Cats"}) + b"\n\n" + event({"content": " purr"}, "stop") + tail])
    assert (reply.text, reply.finish_reason) == ("Cats purr", FinishReason.STOP)
    assert (decoder.ended, decoder.failure) == (True, None)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{not json", "malformed"),
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"null", "malformed"),
        (b'"text"', "malformed"),
        (b'{"choices": {"delta": {}}}', "malformed"),
        (b'{"choices": [null]}', "malformed"),
        (b'{"choices": [{"delta": "text"}]}', "malformed"),
        (b'{"choices": [{"delta": {"content": 5}}]}', "malformed"),
        (b'{"choices": [{"delta": {"content": [{"type": "text", "text": "x"}]}}]}', "malformed"),
        (b'{"choices": [{"delta": {"role": "assistant", "reasoning": 5}}]}', "malformed"),
        (b'{"choices": [{"delta": {"content": null, "tool_calls": ["clock"]}}]}', "malformed"),
        (b'{"choices": [{"delta": {"content": null, "tool_calls": [{"index": "first"}]}}]}', "malformed"),
        (b'{"choices": [], "usage": 5}', "malformed"),
        (b'{"choices": [], "usage": {"prompt_tokens": "many"}}', "malformed"),
        (b'{"choices": [{"delta": {}, "finish_reason": ["stop"]}]}', "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"error": {"message": "out of memory"}}', "error_in_stream"),
        (b'{"error": "out of memory"}', "error_in_stream"),
    ],
)
def test_a_malformed_event_keeps_the_text_before_it_and_fails(payload: bytes, reason: str) -> None:
    for cut in (False, True):
        decoder = OpenAIDecoder(STREAM)
        pieces = [event({"content": "Cats"}) + b"\n\n", b"data: " + payload + b"\n\n" + event({"content": "x"}) + b"\n"]
        reply = read_all(decoder, pieces if cut else [b"".join(pieces)])
        assert reply.text == "Cats"
        assert decoder.failure is not None
        assert (decoder.failure.code, decoder.failure.details) == ("model_dropped", {"reason": reason})


@pytest.mark.parametrize("content", [b"", b"data: [DO", b"<html>", event({"content": "Cats"}) + b"\n\n"])
def test_a_stream_that_closes_without_a_reason_broke_off(content: bytes) -> None:
    decoder = OpenAIDecoder(STREAM)
    read_all(decoder, [content] if content else [])
    assert decoder.failure is not None
    assert decoder.failure.code == "model_dropped"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("function_call", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("eos_token", FinishReason.OTHER),
    ],
)
def test_a_server_s_word_for_the_end_is_one_of_ours(word: str, reason: FinishReason) -> None:
    assert read_all(OpenAIDecoder(STREAM), [event({"content": "x"}, word)]).finish_reason is reason


def test_a_reply_in_one_object_is_read_with_its_tool_calls() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "clock", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "weather", "arguments": {"town": "Brno"}}},
        ],
    }
    content = json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()
    reply = read_all(OpenAIDecoder("application/json"), [content[:40], content[40:]])
    assert reply.tool_calls() == (ToolCall("a", "clock", "{}"), ToolCall("b", "weather", '{"town":"Brno"}'))


def test_messages_are_sent_in_openai_s_shapes() -> None:
    image = ImagePart("image/png", b"\x89PNG")
    messages = [
        ChatMessage.system("Be brief."),
        ChatMessage(Role.USER, (TextPart("What is "), TextPart("this?"))),
        ChatMessage(Role.USER, (TextPart("And this?"), image)),
        ChatMessage.assistant("", (CALL,)),
        ChatMessage.tool(ToolResult("call_1", "noon")),
        ChatMessage.assistant(""),
    ]
    assert [message_json(message) for message in messages] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is this?"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "clock", "arguments": '{"zone": "UTC"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
        {"role": "assistant", "content": ""},
    ]


def test_tools_are_sent_only_when_there_are_any() -> None:
    provider = OpenAIProvider(Endpoint("http://127.0.0.1:9/v1"))
    tool = ToolDefinition("clock", "Tells the time", {"type": "object", "properties": {"zone": {"type": "string"}}})
    question = [ChatMessage.user("How late is it?")]
    body = orjson.loads(provider.chat(question, model="m", tools=[tool]).request.body)
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "clock",
                "description": "Tells the time",
                "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
            },
        }
    ]
    assert "tools" not in orjson.loads(provider.chat(question, model="m").request.body)
