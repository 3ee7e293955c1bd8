"""Messages of a chat with a language model, independent of any wire format: each provider converts them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import orjson


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image as bytes; `media_type` is for example image/png."""

    media_type: str
    content: bytes


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool that the model may call. `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model requests. `arguments` is the JSON text that the model wrote, which may be malformed."""

    id: str
    name: str
    arguments: str

    def input(self) -> dict[str, Any]:
        """Return the arguments as an object; an empty text gives an empty one.

        Raises:
            ValueError: the text is not a JSON object.
        """
        value = orjson.loads(self.arguments) if self.arguments.strip() else {}
        if not isinstance(value, dict):
            raise ValueError(f"the arguments of {self.name} are not a JSON object")
        return value


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of the tool call with the id `call_id`, or its error."""

    call_id: str
    content: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message. Only the assistant's has tool calls; a tool's message has one result and no parts.

    Raises:
        ValueError: the fields do not fit the role.
    """

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_result: ToolResult | None = None

    def __post_init__(self) -> None:
        if (self.role is Role.TOOL) != (self.tool_result is not None) or (self.tool_result and self.parts):
            raise ValueError("a tool's message has a result and nothing else; no other message has one")
        if self.tool_calls and self.role is not Role.ASSISTANT:
            raise ValueError("only the assistant calls tools")

    @classmethod
    def system(cls, text: str) -> Self:
        return cls(Role.SYSTEM, (TextPart(text),))

    @classmethod
    def user(cls, text: str) -> Self:
        return cls(Role.USER, (TextPart(text),))

    @classmethod
    def assistant(cls, text: str, tool_calls: tuple[ToolCall, ...] = ()) -> Self:
        return cls(Role.ASSISTANT, (TextPart(text),) if text else (), tool_calls)

    @classmethod
    def tool(cls, result: ToolResult) -> Self:
        return cls(Role.TOOL, tool_result=result)

    @property
    def text(self) -> str:
        """Return the text parts joined, or the content of the tool's result."""
        if self.tool_result is not None:
            return self.tool_result.content
        return "".join([part.text for part in self.parts if isinstance(part, TextPart)])
