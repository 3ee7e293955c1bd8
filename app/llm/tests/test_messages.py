from typing import Any

import pytest

from app.llm.messages import ChatMessage, ImagePart, Role, TextPart, ToolCall, ToolResult

CALL = ToolCall("call_1", "clock", "{}")


def test_a_message_s_text_is_its_text_parts_or_its_tool_s_result() -> None:
    image = ImagePart("image/png", b"\x89PNG")
    assert ChatMessage(Role.USER, (TextPart("What is "), image, TextPart("this?"))).text == "What is this?"
    assert ChatMessage.tool(ToolResult("call_1", "noon")).text == "noon"
    assert ChatMessage.assistant("", (CALL,)).text == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"role": Role.TOOL},
        {"role": Role.TOOL, "parts": (TextPart("noon"),), "tool_result": ToolResult("call_1", "noon")},
        {"role": Role.USER, "parts": (TextPart("noon"),), "tool_result": ToolResult("call_1", "noon")},
        {"role": Role.USER, "tool_calls": (CALL,)},
    ],
)
def test_fields_that_do_not_fit_the_role_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="tool"):
        ChatMessage(**fields)


@pytest.mark.parametrize(("arguments", "value"), [('{"zone": "UTC"}', {"zone": "UTC"}), ("", {}), (" \n", {})])
def test_the_arguments_of_a_call_are_read_as_an_object(arguments: str, value: dict[str, Any]) -> None:
    assert ToolCall("1", "clock", arguments).input() == value


@pytest.mark.parametrize("arguments", ['{"zone": ', "[1]", "null", "noon"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(ValueError):
        ToolCall("1", "clock", arguments).input()
