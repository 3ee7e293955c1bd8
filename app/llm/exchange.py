"""Exchanges: requests to and responses from a model server, as generators that do no input or output themselves.

A provider yields a `WireRequest` and receives its response, as often as it needs, and returns the result. So the same
wire code serves threads (workers, urllib3) and an event loop (the web process, aiohttp).
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import urllib3

from app.lib.http import RequestFailed, RetriedRequest, ServerResponse, wait_s
from app.llm.endpoint import Endpoint

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request that may be sent twice without harm: a GET, or a POST when there is a body.

    `optional`: if the server does not respond, the response has the status 0 and the exchange does not fail.
    """

    url: str
    body: bytes | None = None
    optional: bool = False


Exchange = Generator[WireRequest, ServerResponse, T]


class ExchangeFailed(Exception):
    """The failure of an exchange: no response, a refusal or unexpected content.

    `reply` is the start of the server's reply; `retry_after_s` is set when a later retry may help.
    """

    def __init__(self, reason: str, *, reply: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reply = reply
        self.retry_after_s = retry_after_s

    @property
    def details(self) -> dict[str, str]:
        """Return the details of an error that people see."""
        return {"reason": self.reason, "reply": self.reply} if self.reply else {"reason": self.reason}


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """Attempts and times of requests: `timeout_s` is for one attempt in a thread, for all of them in an event loop."""

    attempts: int
    timeout_s: float
    backoff_s: float = 0.5
    headers: Mapping[str, str] = field(default_factory=dict)  # in addition to the endpoint's

    def prepare(self, request: WireRequest, endpoint: Endpoint) -> RetriedRequest:
        method, headers = "GET" if request.body is None else "POST", {**endpoint.headers, **self.headers}
        return RetriedRequest(
            method, request.url, headers, request.body, self.attempts, self.backoff_s, endpoint.guarded
        )

    def no_response(self, request: WireRequest, failure: RequestFailed) -> ServerResponse:
        """Return a replacement for the response when an optional request failed."""
        if request.optional:
            return ServerResponse(0, b"")
        later_s = wait_s(self.attempts, failure.retry_after, backoff_s=self.backoff_s)
        raise ExchangeFailed(failure.reason, retry_after_s=later_s) from failure


def content_of(response: ServerResponse, endpoint: Endpoint) -> bytes:
    """Return the content of a response with the status 200.

    Raises:
        ExchangeFailed: another status.
    """
    if response.status != 200:
        raise ExchangeFailed(f"HTTP {response.status}", reply=endpoint.reply_of(response.content))
    return response.content


def exchange_run(exchange: Exchange[T], *, endpoint: Endpoint, policy: RequestPolicy, pool: urllib3.PoolManager) -> T:
    """Run an exchange from a thread.

    Raises:
        ExchangeFailed: after the last attempt.
    """
    try:
        request = next(exchange)
        while True:
            try:
                response = policy.prepare(request, endpoint).send(pool, read_s=policy.timeout_s)
            except RequestFailed as failure:
                response = policy.no_response(request, failure)
            request = exchange.send(response)
    except StopIteration as end:
        result: T = end.value
        return result


async def exchange_run_async(exchange: Exchange[T], *, endpoint: Endpoint, policy: RequestPolicy) -> T:
    """Run an exchange from an event loop.

    Raises:
        ExchangeFailed: after the last attempt, or when a request took too long.
    """
    try:
        request = next(exchange)
        while True:
            try:
                response = await policy.prepare(request, endpoint).send_async(within_s=policy.timeout_s)
            except RequestFailed as failure:
                response = policy.no_response(request, failure)
            request = exchange.send(response)
    except StopIteration as end:
        result: T = end.value
        return result
