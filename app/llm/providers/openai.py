"""The wire format of OpenAI's API, which Ollama, vLLM, llama.cpp and most other servers also use."""

import math
import re
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.errors import Upstream
from app.llm.deltas import Delta, FinishReason, ToolCallFragment, Usage
from app.llm.endpoint import Endpoint, ModelInfo
from app.llm.exchange import Exchange, ExchangeFailed, WireRequest, content_of
from app.llm.messages import ChatMessage, ImagePart, Part, ToolCall, ToolDefinition
from app.llm.providers.protocol import MAX_TOKENS, TEMPERATURE, TIMEOUTS, RankedDocument, ServedModel, Timeouts
from app.llm.providers.server_info import info_exchange, models_exchange
from app.llm.providers.streaming import ChatRequest, HttpChatStream

# How vLLM, llama.cpp and OpenAI report a prompt that does not fit. Ollama reports nothing: it truncates the prompt.
_TOO_LONG = re.compile(
    rb"maximum context length|context_length_exceeded|exceed_context_size|max_model_len", re.IGNORECASE
)
_FINISH_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


@dataclass(frozen=True, slots=True)
class OpenAIProvider:
    endpoint: Endpoint

    def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        model: str,
        tools: Sequence[ToolDefinition] = (),
        max_tokens: int = MAX_TOKENS,
        temperature: float = TEMPERATURE,
        timeouts: Timeouts = TIMEOUTS,
    ) -> HttpChatStream:
        body: dict[str, Any] = {
            "model": model,
            "messages": [message_json(message) for message in messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            body["tools"] = [tool_json(tool) for tool in tools]
        request = ChatRequest(
            endpoint=self.endpoint,
            url=f"{self.endpoint.url}/chat/completions",
            body=orjson.dumps(body),
            max_tokens=max_tokens,
            decoder=OpenAIDecoder,
            refused=self._refused,
        )
        return HttpChatStream(request, timeouts)

    def _refused(self, status: int, content: bytes) -> str:
        """Return the code of a refusal. Forget the models' facts if they seem to be wrong."""
        if status in (429, 503):
            return "model_busy"
        if status == 404 and b"model" in content.lower():
            code = "model_missing"
        elif status in (400, 413, 422) and _TOO_LONG.search(content):
            code = "prompt_too_long"
        else:
            return "model_unavailable"
        self.endpoint.learnt.infos_forget()
        return code

    def models(self) -> Exchange[list[ServedModel]]:
        return models_exchange(self.endpoint)

    def info(self, model: str) -> Exchange[ModelInfo]:
        return info_exchange(self.endpoint, model)

    def embed(self, texts: Sequence[str], *, model: str, dimensions: int | None = None) -> Exchange[list[bytes]]:
        """Return the vectors, as base64 where the server can: a third of the bytes of numbers, and faster to parse."""
        url, learnt = f"{self.endpoint.url}/embeddings", self.endpoint.learnt
        body: dict[str, Any] = {"model": model, "input": list(texts)}
        if BASE64 not in learnt.refused:
            response = yield WireRequest(url, orjson.dumps({**body, BASE64: "base64"}))
            if response.status == 200:
                return vectors_read(response.content, count=len(texts), dimensions=dimensions)
        # An old server may refuse a field that it does not know.
        response = yield WireRequest(url, orjson.dumps(body))
        content = content_of(response, self.endpoint)
        learnt.refused.add(BASE64)
        return vectors_read(content, count=len(texts), dimensions=dimensions)

    def rerank(
        self, query: str, documents: Sequence[str], *, model: str, top_n: int | None = None
    ) -> Exchange[list[RankedDocument]]:
        """Rank with /v1/rerank, which OpenAI does not have, in the format of Cohere, Jina, vLLM and llama.cpp."""
        body: dict[str, Any] = {"model": model, "query": query, "documents": list(documents)}
        if top_n is not None:
            body["top_n"] = top_n
        response = yield WireRequest(f"{self.endpoint.url}/rerank", orjson.dumps(body))
        ranking = ranking_read(content_of(response, self.endpoint), count=len(documents))
        return ranking if top_n is None else ranking[:top_n]


BASE64 = "encoding_format"


def message_json(message: ChatMessage) -> dict[str, Any]:
    if message.tool_result is not None:
        result = message.tool_result
        return {"role": "tool", "tool_call_id": result.call_id, "content": result.content}
    entry: dict[str, Any] = {"role": message.role.value, "content": _content(message)}
    if message.tool_calls:
        entry["tool_calls"] = [_tool_call_json(call) for call in message.tool_calls]
    return entry


def _content(message: ChatMessage) -> str | list[dict[str, Any]] | None:
    """Return plain text unless there is an image: many servers refuse a list of parts."""
    if [part for part in message.parts if isinstance(part, ImagePart)]:
        return [_part_json(part) for part in message.parts]
    return message.text or (None if message.tool_calls else "")


def _part_json(part: Part) -> dict[str, Any]:
    if isinstance(part, ImagePart):
        address = f"data:{part.media_type};base64,{b64encode(part.content).decode()}"
        return {"type": "image_url", "image_url": {"url": address}}
    return {"type": "text", "text": part.text}


def _tool_call_json(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def tool_json(tool: ToolDefinition) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


class OpenAIDecoder:
    """The decoder of a reply: server-sent events, or one JSON object from a server that ignores `stream`."""

    def __init__(self, content_type: str) -> None:
        self.ended = False
        self.failure: Upstream | None = None
        self._plain = content_type == "application/json"
        self._finished = False  # whether a finish reason arrived: without one the reply broke off
        self._rest = b""

    def read(self, data: bytes) -> Delta | None:
        if self._plain:
            self._rest += data
            payloads = [] if data else [self._rest]
        else:
            lines = (self._rest + data).split(b"\n")
            # A server that closes without a final line end has still sent its last event in whole.
            self._rest = lines.pop() if data else b""
            # Other lines are blank, comments or event names.
            payloads = [line[5:].strip() for line in lines if line.startswith(b"data:")]
        delta = Delta()
        texts: list[str] = []
        for payload in payloads:
            if payload == b"[DONE]":
                self.ended = True
                break
            if not self._read_event(payload, delta, texts):
                break
        if not data:
            self._close()
        if texts:
            delta.text = "".join(texts)
        elif not (delta.thinking or delta.tool_calls or delta.finish_reason or delta.usage):
            return None
        return delta

    def _close(self) -> None:
        self.ended = True
        if self._finished:
            self.failure = None
        elif self.failure is None:
            self.failure = Upstream("model_dropped")

    def _read_event(self, payload: bytes, delta: Delta, texts: list[str]) -> bool:
        """Read one event into the delta; return False when it is the server's error or not readable."""
        try:
            event: Any = orjson.loads(payload)
            if event.get("error"):
                self.failure = Upstream("model_dropped", details={"reason": "error_in_stream"})
                return False
            choices = event.get("choices")
            if choices:
                choice = choices[0]
                content = choice.get("delta") or choice.get("message")
                if content:
                    text = content.get("content")
                    if text:
                        if not isinstance(text, str):
                            raise TypeError("content is no text")
                        texts.append(text)
                    if not text or len(content) > 1:
                        _read_more(content, delta)
                reason = choice.get("finish_reason")
                if reason:
                    self._finished = True
                    delta.finish_reason = _FINISH_REASONS.get(reason, FinishReason.OTHER)
            usage = event.get("usage")
            if usage:
                delta.usage = _usage(usage)
        except (ValueError, AttributeError, TypeError, KeyError, IndexError):
            self.failure = Upstream("model_dropped", details={"reason": "malformed"})
            return False
        return True


def _read_more(content: dict[str, Any], delta: Delta) -> None:
    """Read thinking, which servers send under one of two names, and fragments of tool calls."""
    thinking = content.get("reasoning_content") or content.get("reasoning")
    if thinking:
        delta.thinking += thinking
    calls = content.get("tool_calls")
    if calls:
        fragments = (_fragment(place, call) for place, call in enumerate(calls))
        delta.tool_calls = (*delta.tool_calls, *fragments)


def _fragment(place: int, call: dict[str, Any]) -> ToolCallFragment:
    function = call.get("function") or {}
    index, arguments = call.get("index"), function.get("arguments") or ""
    return ToolCallFragment(
        index=place if index is None else int(index),
        id=str(call.get("id") or ""),
        name=str(function.get("name") or ""),
        # Some servers send an object instead of its JSON text.
        arguments=arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode(),
    )


def _usage(usage: dict[str, Any]) -> Usage:
    read, written = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return Usage(
        tokens_in=int(usage.get("prompt_tokens") or 0),
        tokens_out=int(usage.get("completion_tokens") or 0),
        tokens_cached=int(read.get("cached_tokens") or 0),
        tokens_thinking=int(written.get("reasoning_tokens") or 0),
    )


def vectors_read(content: bytes, *, count: int, dimensions: int | None) -> list[bytes]:
    """Return the vectors of a response in the order of its inputs.

    Raises:
        ExchangeFailed: the response is not `count` finite vectors of that many dimensions.
    """
    try:
        items = sorted(orjson.loads(content)["data"], key=lambda item: item["index"])
        vectors = [array("f", _vector_bytes(item["embedding"])) for item in items]
    except (ValueError, KeyError, TypeError) as error:
        raise ExchangeFailed(f"the response has no vectors: {error!r}") from error
    size = dimensions or (len(vectors[0]) if vectors else 0)
    if len(vectors) != count or not size or any(len(vector) != size for vector in vectors):
        raise ExchangeFailed(f"expected {count} vectors of {size} numbers")
    # The sum is finite only if each number is; inf - inf is nan.
    if any(not abs(sum(vector)) < float("inf") for vector in vectors):
        raise ExchangeFailed("a vector has numbers that are not finite")
    return [vector.tobytes() for vector in vectors]


def _vector_bytes(embedding: Any) -> bytes:
    return b64decode(embedding) if isinstance(embedding, str) else array("f", embedding).tobytes()


def ranking_read(content: bytes, *, count: int) -> list[RankedDocument]:
    """Return the ranking of `count` documents, best first.

    Raises:
        ExchangeFailed: the response has no ranking, or one of other documents.
    """
    try:
        results = orjson.loads(content)["results"]
        ranking = [RankedDocument(result["index"], float(result["relevance_score"])) for result in results]
    except (ValueError, KeyError, TypeError) as error:
        raise ExchangeFailed(f"the response has no ranking: {error!r}") from error
    places = {document.index for document in ranking if isinstance(document.index, int)}
    if not ranking or len(places) != len(ranking) or not places <= set(range(count)):
        raise ExchangeFailed(f"the ranking is not of {count} documents")
    if not all(math.isfinite(document.score) for document in ranking):
        raise ExchangeFailed("a score is not finite")
    return sorted(ranking, key=lambda document: (-document.score, document.index))
