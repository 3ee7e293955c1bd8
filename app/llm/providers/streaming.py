"""Streaming over HTTP: send a chat request and read the reply, for every wire format that streams its events."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import aiohttp

from app.errors import Upstream
from app.lib.http import http_session
from app.llm.deltas import Delta, FinishReason
from app.llm.endpoint import Endpoint
from app.llm.providers.protocol import Timeouts

DRAIN_S = 0.05  # wait for the end of a finished reply, so that its connection can be reused
REFUSAL_BYTES, REFUSAL_S = 4096, 1.0  # read from a refusal, to find its reason
CHARACTERS_PER_TOKEN = 16  # no tokeniser's tokens are longer on average: a longer reply comes from a runaway server


class ModelRefused(Upstream):
    """A refused chat request. `reply` is the start of the server's reply: for administrators, never for readers."""

    reply = ""


class Decoder(Protocol):
    """Decoder of the bytes of one reply into deltas. Does no input or output itself.

    `ended`: the reply is complete. `failure` is raised after the deltas before it have been yielded.
    """

    ended: bool
    failure: Upstream | None

    def read(self, data: bytes) -> Delta | None:
        """Return the delta of newly arrived bytes, None when there is none yet. No bytes: the server closed."""
        ...


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat request in a server's wire format.

    `decoder` makes the decoder for a content type. `refused` returns the error code of a refusal by status and content.
    """

    endpoint: Endpoint
    url: str
    body: bytes
    max_tokens: int
    decoder: Callable[[str], Decoder]
    refused: Callable[[int, bytes], str]


class HttpChatStream:
    """A ChatStream (see the protocol) over aiohttp."""

    def __init__(self, request: ChatRequest, timeouts: Timeouts) -> None:
        self.request = request
        self._timeouts = timeouts
        self._characters_left = request.max_tokens * CHARACTERS_PER_TOKEN
        self._response: aiohttp.ClientResponse | None = None
        self._decoder: Decoder | None = None
        self._deadline = 0.0
        self._give_up = 0.0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + self._timeouts.first_token_s
        self._give_up = loop.time() + self._timeouts.total_s
        try:
            async with asyncio.timeout_at(self._deadline):
                response = self._response = await self._post()
        except TimeoutError as error:
            # Connecting has its own short timeout, which distinguishes a slow connection from a slow model.
            code = "model_unavailable" if isinstance(error, aiohttp.ServerTimeoutError) else "model_timeout"
            raise Upstream(code) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Upstream("model_unavailable", details={"reason": type(error).__name__}) from error
        if response.status != 200:
            raise await self._refusal(response)
        self._decoder = self.request.decoder(response.content_type)
        return self

    async def _post(self) -> aiohttp.ClientResponse:
        request = self.request
        post = http_session(guarded=request.endpoint.guarded).post
        headers = {**request.endpoint.headers, "Accept": "text/event-stream"}
        try:
            return await post(request.url, data=request.body, headers=headers, allow_redirects=False)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError):
            # The server closed a kept-alive connection at the moment of reuse: it has not seen the request.
            return await post(request.url, data=request.body, headers=headers, allow_redirects=False)

    async def _refusal(self, response: aiohttp.ClientResponse) -> ModelRefused:
        try:
            async with asyncio.timeout(REFUSAL_S):
                content = await response.content.read(REFUSAL_BYTES)
        except (TimeoutError, aiohttp.ClientError, OSError):
            content = b""
        finally:
            response.close()
        retry_after = response.headers.get("Retry-After", "")
        refusal = ModelRefused(
            self.request.refused(response.status, content),
            details={"status": response.status},
            retry_after_s=float(retry_after) if retry_after.isdigit() else None,
        )
        refusal.reply = self.request.endpoint.reply_of(content)
        return refusal

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        response = self._response
        if response is None:
            return
        ended = self._decoder is not None and self._decoder.ended
        if ended and kind is None and not response.content.at_eof():
            try:
                async with asyncio.timeout(DRAIN_S):
                    await response.content.readany()
            except (TimeoutError, aiohttp.ClientError):
                pass
        if ended and response.content.at_eof():
            response.release()
        else:
            response.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        response, decoder = self._response, self._decoder
        if response is None or decoder is None:
            raise RuntimeError("a stream is read inside `async with`")
        while True:
            if decoder.failure is not None:
                raise decoder.failure
            if decoder.ended:
                raise StopAsyncIteration
            try:
                async with asyncio.timeout_at(min(self._deadline, self._give_up)):
                    data = await response.content.readany()
            except TimeoutError as error:
                raise Upstream("model_timeout") from error
            except (aiohttp.ClientError, OSError) as error:
                raise Upstream("model_dropped", details={"reason": type(error).__name__}) from error
            delta = decoder.read(data)
            if delta is not None:
                self._deadline = asyncio.get_running_loop().time() + self._timeouts.between_s
                return self._bounded(delta, decoder)

    def _bounded(self, delta: Delta, decoder: Decoder) -> Delta:
        """End the reply of a server that writes far beyond its limit of tokens."""
        left = self._characters_left - len(delta.text) - len(delta.thinking)
        if delta.tool_calls:
            left -= sum(len(fragment.arguments) for fragment in delta.tool_calls)
        self._characters_left = left
        if left < 0:
            decoder.ended, decoder.failure = True, None
            delta.text = delta.text[: max(0, len(delta.text) + left)]
            delta.finish_reason = FinishReason.LENGTH
        return delta
