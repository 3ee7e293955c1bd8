"""Relay the events of this process's turns to Valkey, so that a reader can resume through another process.

Every TICK_S new events go to Valkey and stops by other processes are read; every CHECKPOINT_S the text of each answer
goes to PostgreSQL. One pipeline and one statement serve all turns, so a turn that ends within a tick costs nothing.
Without Valkey turns work, but other processes cannot reach them.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextvars import Context
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
from redis.exceptions import RedisError

from app.chat.turns.repository import CHECKPOINT_S, answers_checkpoint
from app.chat.turns.stream import TurnStream, streams_here
from app.errors import RefdeskError
from app.lib.sse import Event
from app.lib.tenancy import scope_enter_everything
from app.lib.valkey import valkey

log = logging.getLogger(__name__)

TICK_S = 0.25
KEPT_S = 120  # time that a turn's events stay readable after the last of them
READER_MS = 1500  # time that a reader in another process counts without renewal
REST_S = 5.0  # without Valkey, the time until the next attempt

_relays: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()
_relayed: dict[UUID, int] = {}  # events of a running turn that Valkey has
_rests_until = 0.0


def _key(message: UUID, kind: str) -> str:
    return f"refdesk:turn:{message}:{kind}"


def relay_start(stream: TurnStream) -> None:
    """Begin to relay a turn; a process's first turn starts the task that relays all of them."""
    stream.reader_elsewhere = _reader_elsewhere
    streams_here()[stream.message] = stream
    stream.leave_unless_read()
    loop = asyncio.get_running_loop()
    task = _relays.get(loop)
    if task is None or task.done():
        context = Context()
        context.run(scope_enter_everything)
        _relays[loop] = loop.create_task(_relay_all(), context=context)


async def relay_stop(stream: TurnStream) -> None:
    """Stop relaying an ended turn; its last events go to Valkey if earlier ones did."""
    streams_here().pop(stream.message, None)
    if _relayed.get(stream.message):
        await _send([stream])
    _relayed.pop(stream.message, None)


async def _relay_all() -> None:
    """Relay and checkpoint all turns of this process, as long as there are any."""
    checkpoint = time.monotonic() + CHECKPOINT_S
    while True:
        await asyncio.sleep(TICK_S)
        streams = [stream for stream in streams_here().values() if not stream.ended]
        if not streams:
            return
        if time.monotonic() >= checkpoint:
            checkpoint = time.monotonic() + CHECKPOINT_S
            await _checkpoint(streams)
        await _send(streams)


async def _checkpoint(streams: list[TurnStream]) -> None:
    try:
        running = await answers_checkpoint({stream.message: stream.text for stream in streams})
    except RefdeskError:
        log.warning("checkpoint of %d answers failed; tried again in %s s", len(streams), CHECKPOINT_S)
        return
    for stream in streams:
        # Stopped in the database, by a process that could not reach Valkey; or its conversation was deleted.
        if stream.message not in running and not stream.ended:
            stream.stop("stopped")


async def _send(streams: list[TurnStream]) -> None:
    """Send new events, and stop the turns for which another process has requested it."""
    global _rests_until
    if time.monotonic() < _rests_until:
        return
    pipeline = valkey().pipeline(transaction=False)
    sent: dict[UUID, int] = {}
    for stream in streams:
        first = _relayed.get(stream.message, 0)
        fresh = stream.events[first:]
        if fresh or stream.ended:
            events = [[event.name, _fragment(event.data)] for event in fresh]
            entry = orjson.dumps({"first": first + 1, "events": events, "ended": stream.ended})
            pipeline.rpush(_key(stream.message, "events"), entry)
            pipeline.expire(_key(stream.message, "events"), KEPT_S)
            sent[stream.message] = first + len(fresh)
    pipeline.mget([_key(stream.message, "stop") for stream in streams])
    try:
        *_, stops = await pipeline.execute()
    except (RedisError, OSError, TimeoutError):
        _rests_until = time.monotonic() + REST_S
        log.warning("Valkey does not respond: running answers cannot be resumed through another process")
        return
    _relayed.update(sent)
    for stream, stop in zip(streams, stops, strict=True):
        if stop:
            stream.stop("stopped")


def _fragment(data: Any) -> Any:
    """Return data for orjson; bytes are JSON already."""
    return orjson.Fragment(data) if isinstance(data, bytes) else data


async def _reader_elsewhere(stream: TurnStream) -> bool:
    try:
        return bool(await valkey().exists(_key(stream.message, "reader")))
    except (RedisError, OSError, TimeoutError):
        return False


async def stop_elsewhere(message: UUID) -> bool:
    """Request the stop of a turn in another process; return False when Valkey does not respond."""
    try:
        await valkey().set(_key(message, "stop"), 1, ex=KEPT_S)
    except (RedisError, OSError, TimeoutError):
        return False
    return True


async def events_elsewhere(message: UUID, after: int) -> AsyncIterator[list[Event]]:
    """Yield the events after number `after` of a turn that another process runs; an empty batch at a tick without any.

    Raises:
        RedisError, OSError: Valkey does not respond.
    """
    place = 0
    client = valkey()
    while True:
        pipeline = client.pipeline(transaction=False)
        pipeline.set(_key(message, "reader"), 1, px=READER_MS)
        pipeline.lrange(_key(message, "events"), place, -1)
        _, entries = await pipeline.execute()
        place += len(entries)
        batch: list[Event] = []
        ended = False
        for entry in map(orjson.loads, entries):
            ended = ended or entry["ended"]
            events = [Event(name, data) for name, data in entry["events"]]
            batch += events[max(0, after + 1 - entry["first"]) :]
        yield batch
        after += len(batch)
        if ended:
            return
        await asyncio.sleep(TICK_S)
