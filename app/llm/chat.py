"""Streaming chat with any OpenAI-compatible server.

Always streamed, also for callers that want the whole answer: only a stream tells the server at once when its reader
has left. Leaving the `async with` closes the connection, which frees the model.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from app.errors import Upstream
from app.lib.http import http_session
from app.llm.endpoints import Endpoint, facts_forget

DRAIN_S = 0.05  # how long to wait for the end of a finished answer, so that the connection can be used again
REFUSAL_BYTES, REFUSAL_S = 4096, 1.0  # of a refusal, to tell what it is about
CHARACTERS_PER_TOKEN = 16  # no tokeniser's tokens are longer on average: more than that is a runaway server

# How vLLM, llama.cpp and OpenAI say that a prompt does not fit. Ollama says nothing: it cuts.
_TOO_LONG = re.compile(
    rb"maximum context length|context_length_exceeded|exceed_context_size|max_model_len", re.IGNORECASE
)

Turn = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": …}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds. A local model reads a full prompt at about 100 tokens a second."""

    first_token_s: float = 120.0
    between_s: float = 30.0
    total_s: float = 600.0


class ChatStream:
    """One answer while it is written: `async with ChatStream(…) as stream: async for text in stream: …`.

    Each text is all that arrived together. After the last one `tokens_in`, `tokens_out` and `finish_reason` are set
    (0 and "" when the server does not say).

    Raises (on entering, before any text): model_unavailable, model_missing, prompt_too_long, model_busy, model_timeout.
    Raises (while reading): model_timeout, model_dropped.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        messages: Sequence[Turn],
        *,
        max_tokens: int = 800,
        temperature: float = 0.2,
        patience: Patience | None = None,
    ) -> None:
        self.tokens_in = 0
        self.tokens_out = 0
        self.finish_reason = ""
        self._endpoint = endpoint
        self._body = orjson.dumps(
            {
                "model": model,
                "messages": messages,
                "max_tokens": max_tokens,
                "temperature": temperature,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        )
        self._characters_left = max_tokens * CHARACTERS_PER_TOKEN
        self._patience = patience or Patience()
        self._response: aiohttp.ClientResponse | None = None
        self._rest = b""
        self._plain = False  # a server that ignores `stream` and sends one JSON object
        self._ended = False
        self._failure: Upstream | None = None  # raised once the text before it has been given out
        self._deadline = 0.0
        self._give_up = 0.0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + self._patience.first_token_s
        self._give_up = loop.time() + self._patience.total_s
        try:
            async with asyncio.timeout_at(self._deadline):
                self._response = await self._post()
        except TimeoutError as error:
            # Connecting has its own short limit, so a slow connection is told apart from a slow model.
            code = "model_unavailable" if isinstance(error, aiohttp.ServerTimeoutError) else "model_timeout"
            raise Upstream(code) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Upstream("model_unavailable", details={"reason": type(error).__name__}) from error
        await self._check_status()
        return self

    async def _post(self) -> aiohttp.ClientResponse:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **self._endpoint.headers}
        url = f"{self._endpoint.url}/chat/completions"
        send = http_session().post
        try:
            return await send(url, data=self._body, headers=headers, allow_redirects=False)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            # The server closed a kept connection just as it was used: it has not seen the request.
            return await send(url, data=self._body, headers=headers, allow_redirects=False)

    async def _check_status(self) -> None:
        assert self._response is not None
        status = self._response.status
        if status == 200:
            self._plain = self._response.content_type == "application/json"
            return
        retry_after = self._response.headers.get("Retry-After", "")
        code = "model_busy" if status in (429, 503) else await self._refused(status)
        self._response.close()
        wait_s = float(retry_after) if retry_after.isdigit() else None
        raise Upstream(code, details={"status": status}, retry_after_s=wait_s)

    async def _refused(self, status: int) -> str:
        """The code of a refusal; what was known of the server is asked anew where it seems to be wrong."""
        assert self._response is not None
        try:
            async with asyncio.timeout(REFUSAL_S):
                said = await self._response.content.read(REFUSAL_BYTES)
        except (TimeoutError, aiohttp.ClientError, OSError):
            said = b""
        code = "model_unavailable"
        if status == 404 and b"model" in said.lower():
            code = "model_missing"
        elif status in (400, 413, 422) and _TOO_LONG.search(said):
            code = "prompt_too_long"
        if code != "model_unavailable":
            facts_forget(self._endpoint)
        return code

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        response = self._response
        if response is None:
            return
        if self._ended and kind is None and not response.content.at_eof():
            try:
                async with asyncio.timeout(DRAIN_S):
                    await response.content.readany()
            except (TimeoutError, aiohttp.ClientError):
                pass
        if self._ended and response.content.at_eof():
            response.release()
        else:
            response.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        """Everything that has arrived, as one text."""
        assert self._response is not None
        loop = asyncio.get_running_loop()
        while not self._ended:
            if self._failure is not None:
                raise self._failure
            try:
                async with asyncio.timeout_at(min(self._deadline, self._give_up)):
                    data = await self._response.content.readany()
            except TimeoutError as error:
                raise Upstream("model_timeout") from error
            except (aiohttp.ClientError, OSError) as error:
                raise Upstream("model_dropped", details={"reason": type(error).__name__}) from error
            text = self._read(data)
            if text:
                self._deadline = loop.time() + self._patience.between_s
                return self._bounded(text)
        raise StopAsyncIteration

    def _bounded(self, text: str) -> str:
        self._characters_left -= len(text)
        if self._characters_left < 0:
            self._ended = True
            self.finish_reason = "length"
            text = text[: self._characters_left]
        return text

    def _read(self, data: bytes) -> str:
        """The text in newly arrived bytes; notes the end, the usage and the reason."""
        if not data:
            return self._closed()
        if self._plain:
            self._rest += data
            return ""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        texts: list[str] = []
        for line in lines:
            if not line.startswith(b"data:"):
                continue  # blank lines, comments, event names
            payload = line[5:].strip()
            if payload == b"[DONE]":
                self._ended = True
                break
            try:
                self._read_event(payload, texts)
            except Upstream as error:
                self._failure = error
                break
        return "".join(texts)

    def _closed(self) -> str:
        """The server ended the answer: in order only when it gave a reason, or answered unstreamed."""
        self._ended = True
        if self.finish_reason:
            return ""
        texts: list[str] = []
        if self._plain:
            self._read_event(self._rest, texts)
        if not self.finish_reason:
            raise Upstream("model_dropped")
        return "".join(texts)

    def _read_event(self, payload: bytes, texts: list[str]) -> None:
        try:
            event: Any = orjson.loads(payload)
            if event.get("error"):
                raise Upstream("model_dropped", details={"reason": "error_in_stream"})
            usage = event.get("usage")
            if usage:
                self.tokens_in = int(usage.get("prompt_tokens") or 0)
                self.tokens_out = int(usage.get("completion_tokens") or 0)
            choices = event.get("choices")
            if choices:
                choice = choices[0]
                content = (choice.get("delta") or choice.get("message") or {}).get("content")
                if content:
                    texts.append(content)
                if choice.get("finish_reason"):
                    self.finish_reason = str(choice["finish_reason"])
        except (ValueError, AttributeError, TypeError, KeyError, IndexError) as error:
            raise Upstream("model_dropped", details={"reason": "malformed"}) from error
