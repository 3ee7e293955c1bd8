"""Deltas: the pieces in which a language model's reply arrives, and the reply assembled from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.errors import Upstream
from app.llm.messages import ChatMessage, ToolCall


class FinishReason(StrEnum):
    """Reasons for the end of a reply. Each provider maps its server's values to these."""

    STOP = "stop"
    LENGTH = "length"  # the limit of tokens, or this process's own limit for a runaway server
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by the server, 0 without a count. `tokens_in` includes cached ones, `tokens_out` thinking."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_thinking: int = 0


@dataclass(frozen=True, slots=True)
class ToolCallFragment:
    """A piece of the tool call number `index`; `id` and `name` are sent once, `arguments` in any number of pieces."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Delta:
    """Everything that arrived in one read of the network; an object for each token would cost a turn too much CPU."""

    text: str = ""
    thinking: str = ""
    tool_calls: Sequence[ToolCallFragment] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


@dataclass(slots=True)
class _PartialCall:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Reply:
    """A reply assembled from its deltas."""

    text: str = ""
    thinking: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage = field(default_factory=Usage)
    _calls: list[_PartialCall] = field(default_factory=list)
    _call_of_index: dict[int, _PartialCall] = field(default_factory=dict)

    def add(self, delta: Delta) -> None:
        self.text += delta.text
        self.thinking += delta.thinking
        self.finish_reason = delta.finish_reason or self.finish_reason
        self.usage = delta.usage or self.usage
        for fragment in delta.tool_calls:
            self._call_add(fragment)

    def _call_add(self, fragment: ToolCallFragment) -> None:
        call = self._call_of_index.get(fragment.index)
        # Some servers give every call the index 0 and distinguish calls only by id.
        if call is None or (fragment.id and call.id and fragment.id != call.id):
            call = self._call_of_index[fragment.index] = _PartialCall()
            self._calls.append(call)
        call.id = call.id or fragment.id
        call.name = call.name or fragment.name
        call.arguments += fragment.arguments

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Return the calls in the order in which they began. A call without an id gets one from its position.

        Raises:
            Upstream: model_dropped, when a call has no name.
        """
        if not all(call.name for call in self._calls):
            raise Upstream("model_dropped", details={"reason": "tool_call_without_name"})
        return tuple(
            ToolCall(call.id or f"call_{place}", call.name, call.arguments) for place, call in enumerate(self._calls)
        )

    def message(self) -> ChatMessage:
        """Return the reply as a message for the next request, without thinking: servers do not want it sent back.

        Raises:
            Upstream: model_dropped, when a call has no name.
        """
        return ChatMessage.assistant(self.text, self.tool_calls())
