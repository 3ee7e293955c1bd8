"""Requests to other servers: one aiohttp session per event loop for the web process, and retried requests.

Workers send from threads (urllib3), the web from its event loop (aiohttp); both retry the same failures.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
import urllib3

from app.lib.egress_http import EgressConnector

CONNECT_S = 3.0  # a server on this host or in this network connects in milliseconds, or is not there
KEEPALIVE_S = 30.0
LONGEST_WAIT_S = 20.0
# Statuses of transient failures.
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})

# Limit of one response; 64 long vectors as numbers have 5 MB.
LARGEST_BYTES = 32 * 1024 * 1024

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, aiohttp.ClientSession]] = WeakKeyDictionary()


def http_session(*, guarded: bool = False) -> aiohttp.ClientSession:
    """Return the running loop's session: no limit on connections, no cookies, no proxy of the environment.

    Callers set their own total timeout: the session only limits the time to connect. guarded: for entered addresses,
    under the egress policy; its requests raise AddressRefused.
    """
    loop = asyncio.get_running_loop()
    sessions = _sessions.setdefault(loop, {})
    session = sessions.get(guarded)
    if session is None or session.closed:
        options: dict[str, Any] = {"limit": 0, "keepalive_timeout": KEEPALIVE_S}
        session = aiohttp.ClientSession(
            connector=EgressConnector(**options) if guarded else aiohttp.TCPConnector(ttl_dns_cache=60, **options),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        sessions[guarded] = session
    return session


async def http_session_close() -> None:
    """Close the running loop's sessions, if it has any."""
    for session in _sessions.pop(asyncio.get_running_loop(), {}).values():
        await session.close()


@dataclass(frozen=True, slots=True)
class ServerResponse:
    status: int
    content: bytes


class RequestFailed(Exception):
    """The failure of all attempts; `retry_after` is the last response's header."""

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.retry_after = reason, retry_after


@dataclass(frozen=True, slots=True)
class RetriedRequest:
    """A request that may be sent twice without harm.

    `attempts` in all; before the second one `backoff_s` passes, doubled before each further one, or the server's
    Retry-After.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    attempts: int = 2
    backoff_s: float = 0.25
    guarded: bool = False

    def send(self, pool: urllib3.PoolManager, *, read_s: float) -> ServerResponse:
        """Send from a thread.

        Raises:
            RequestFailed: after the last attempt.
        """
        if self.guarded:
            raise ValueError("an address that somebody entered is asked from an event loop, by the guarded session")
        limit = urllib3.Timeout(connect=CONNECT_S, read=read_s)
        failure = RequestFailed("not sent")
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(wait_s(attempt - 1, failure.retry_after, backoff_s=self.backoff_s))
            try:
                response = pool.request(
                    self.method, self.url, body=self.body, headers=self.headers, timeout=limit, redirect=False
                )
            except urllib3.exceptions.HTTPError as error:
                failure = RequestFailed(type(error).__name__)
            else:
                if response.status not in RETRIED:
                    return ServerResponse(response.status, response.data)
                failure = RequestFailed(f"HTTP {response.status}", response.headers.get("Retry-After"))
        raise failure

    async def send_async(self, *, within_s: float) -> ServerResponse:
        """Send from an event loop, all attempts within `within_s`.

        Raises:
            RequestFailed: after the last attempt, or when the time is up.
            AddressRefused: the egress policy refuses a guarded address.
        """
        failure = RequestFailed("not sent")
        try:
            async with asyncio.timeout(within_s):
                for attempt in range(self.attempts):
                    if attempt:
                        await asyncio.sleep(wait_s(attempt - 1, failure.retry_after, backoff_s=self.backoff_s))
                    try:
                        async with http_session(guarded=self.guarded).request(
                            self.method, self.url, data=self.body, headers=self.headers, allow_redirects=False
                        ) as response:
                            status, content = response.status, await _content(response)
                    except (aiohttp.ClientError, OSError) as error:
                        failure = RequestFailed(type(error).__name__)
                    else:
                        if status not in RETRIED:
                            return ServerResponse(status, content)
                        failure = RequestFailed(f"HTTP {status}", response.headers.get("Retry-After"))
        except TimeoutError:
            raise RequestFailed("no answer in time") from None
        raise failure


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """Read a whole response. Raises aiohttp.ClientPayloadError above LARGEST_BYTES."""
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > LARGEST_BYTES:
            raise aiohttp.ClientPayloadError("the response is too large")
    return bytes(content)


def wait_s(attempt: int, retry_after: str | None, *, backoff_s: float) -> float:
    """Return the seconds after attempt `attempt` (from 0): the server's Retry-After, else a doubling wait."""
    delay_s = float(retry_after) if retry_after and retry_after.isdigit() else backoff_s * 2**attempt
    return min(delay_s, LONGEST_WAIT_S)
