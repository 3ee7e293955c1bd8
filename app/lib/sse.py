"""Server-sent events: the only place that makes a streaming response.

A stream is long-lived and must hold no scarce resource, so database connections are returned before it begins: with a
pool of 4 and 50 readers, 46 failed otherwise (measured).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import StreamingHttpResponse

from app.errors import RefdeskError
from app.lib.asgi.handler import connections_give_back

log = logging.getLogger(__name__)

HEARTBEAT_S = 15.0
HEARTBEAT = b": still here\n\n"
# A reader that takes nothing while this many events wait has disconnected without a notice.
UNREAD_LIMIT = 10_000
# Interval of checks that the reader may still read: a revoked key or a changed role ends the stream within 5 s.
ALLOWED_S = 3.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` is JSON, encoded already when it is bytes."""

    name: str
    data: Any


async def sse(
    events: AsyncIterator[Event | Sequence[Event]],
    *,
    after: int = 0,
    request_id: str = "",
    heartbeat_s: float = HEARTBEAT_S,
    allowed: Callable[[], Awaitable[bool]] | None = None,
) -> StreamingHttpResponse:
    """Return a stream of events, numbered from `after` + 1. Events given together are sent together.

    An exception in `events` becomes a last event `error` in the one error shape. When the reader disconnects, `events`
    is cancelled where it waits, and closed. The same happens when `allowed`, called every ALLOWED_S, returns False; the
    stream then ends.
    """
    await connections_give_back()
    # The stream outlives its request and needs the request's tenant scope (app/lib/tenancy.py).
    context = copy_context()
    response = StreamingHttpResponse(
        _stream(events, after, request_id, heartbeat_s, allowed, context),
        content_type="text/event-stream; charset=utf-8",
    )
    response["Cache-Control"] = "no-cache, no-transform"
    response["X-Accel-Buffering"] = "no"
    return response


def frame(number: int, event: Event) -> bytes:
    """Return an event as it is sent."""
    data = event.data if isinstance(event.data, bytes) else orjson.dumps(event.data)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, event.name.encode(), data)


class _Outbox:
    """The events waiting to be sent, and the sleeping sender."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.ended = False
        self._sleeper: asyncio.Future[None] | None = None

    def add(self, data: bytes) -> None:
        self.frames.append(data)
        self.wake()

    def end(self) -> None:
        self.ended = True
        self.wake()

    def wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def sleep(self, limit_s: float) -> None:
        """Wait until something is added, the end, or the limit."""
        loop = asyncio.get_running_loop()
        self._sleeper = loop.create_future()
        timer = loop.call_later(limit_s, self.wake)
        try:
            await self._sleeper
        finally:
            timer.cancel()


class _Guard:
    """Checks `allowed` every ALLOWED_S and ends `pump` at the first False. A timer, so short streams cost no task."""

    def __init__(self, allowed: Callable[[], Awaitable[bool]], pump: asyncio.Task[None]) -> None:
        self._allowed = allowed
        self._pump = pump
        self._asking: asyncio.Task[None] | None = None
        self._wait()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(ALLOWED_S, self._begin)

    def _begin(self) -> None:
        self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            allowed = await self._allowed()
        except Exception as error:  # for example the database is unavailable: checked again later
            log.warning("whether a reader may still read is not known: %s", type(error).__name__)
            allowed = True
        if allowed:
            self._wait()
        else:
            self._pump.cancel()

    def end(self) -> None:
        self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()


async def _stream(
    events: AsyncIterator[Event | Sequence[Event]],
    after: int,
    request_id: str,
    heartbeat_s: float,
    allowed: Callable[[], Awaitable[bool]] | None,
    context: Context,
) -> AsyncIterator[bytes]:
    outbox = _Outbox()
    # The producer runs in its own task, so that a heartbeat can be sent while it waits.
    pump = asyncio.create_task(_pump(events, outbox, after, request_id), context=context)
    guard = context.run(_Guard, allowed, pump) if allowed is not None else None
    try:
        while True:
            if not outbox.frames and not outbox.ended:
                await outbox.sleep(heartbeat_s)
            if outbox.frames:
                data = b"".join(outbox.frames)
                outbox.frames.clear()
                yield data
            elif outbox.ended:
                return
            else:
                yield HEARTBEAT
    finally:
        if guard is not None:
            guard.end()
        if not pump.done():
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pump


async def _pump(events: AsyncIterator[Event | Sequence[Event]], outbox: _Outbox, number: int, request_id: str) -> None:
    try:
        async for item in events:
            batch = (item,) if isinstance(item, Event) else item
            frames = [frame(number + place, event) for place, event in enumerate(batch, 1)]
            number += len(frames)
            outbox.add(b"".join(frames))
            if len(outbox.frames) > UNREAD_LIMIT:
                break
    except RefdeskError as error:
        outbox.add(frame(number + 1, Event("error", error.as_json(request_id))))
    except Exception:  # the stream has begun, so the error can only be an event in it
        log.exception("stream of request %s failed", request_id)
        outbox.add(frame(number + 1, Event("error", RefdeskError("internal").as_json(request_id))))
    finally:
        outbox.end()
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
