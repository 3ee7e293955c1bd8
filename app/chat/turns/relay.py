"""Looks after the turns that run in this process, while there are any.

Every TICK_S their new events go to Valkey, so that a reader can resume through another process, and stops from other
processes come back; every CHECKPOINT_S their text goes to PostgreSQL. One pipeline and one statement for all turns, so
a turn that ends within a tick costs nothing. Without Valkey turns work; only other processes cannot reach them.
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
from app.chat.turns.stream import TurnLog, logs_here
from app.errors import RefdeskError
from app.lib.sse import Event
from app.lib.tenancy import scope_enter_everything
from app.lib.valkey import valkey

log = logging.getLogger(__name__)

TICK_S = 0.25
KEPT_S = 120  # how long a turn's events can be read after the last of them
READER_MS = 1500  # how long a reader elsewhere counts without a sign
REST_S = 5.0  # without Valkey, until it is tried again

_keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


def _key(message: UUID, what: str) -> str:
    return f"refdesk:turn:{message}:{what}"


def turn_keep(turn: TurnLog) -> None:
    """Begin to look after a turn."""
    turn.read_elsewhere = _read_elsewhere
    logs_here()[turn.message] = turn
    turn.leave_unless_read()
    loop = asyncio.get_running_loop()
    keeper = _keepers.get(loop)
    if keeper is None or keeper.done():
        context = Context()
        context.run(scope_enter_everything)
        _keepers[loop] = loop.create_task(_keep(), context=context)


async def turn_let_go(turn: TurnLog) -> None:
    """The turn has ended: its last events go out if earlier ones did, and it is forgotten here."""
    logs_here().pop(turn.message, None)
    if _sent.get(turn.message):
        await _relay([turn])
    _sent.pop(turn.message, None)


_sent: dict[UUID, int] = {}  # events of a running turn that Valkey has
_rests_until = 0.0


async def _keep() -> None:
    checkpoint = time.monotonic() + CHECKPOINT_S
    while True:
        await asyncio.sleep(TICK_S)
        turns = [turn for turn in logs_here().values() if not turn.ended]
        if not turns:
            return
        if time.monotonic() >= checkpoint:
            checkpoint = time.monotonic() + CHECKPOINT_S
            await _checkpoint(turns)
        await _relay(turns)


async def _checkpoint(turns: list[TurnLog]) -> None:
    try:
        running = await answers_checkpoint({turn.message: turn.text for turn in turns})
    except RefdeskError:
        log.warning("checkpoint of %d answers failed; tried again in %s s", len(turns), CHECKPOINT_S)
        return
    for turn in turns:
        # Stopped in the database, by a process that could not reach Valkey; or its conversation was deleted.
        if turn.message not in running and not turn.ended:
            turn.stop("stopped")


async def _relay(turns: list[TurnLog]) -> None:
    """Send new events, and stop the turns that another process wants stopped."""
    global _rests_until
    if time.monotonic() < _rests_until:
        return
    pipeline = valkey().pipeline(transaction=False)
    reached: dict[UUID, int] = {}
    for turn in turns:
        begun = _sent.get(turn.message, 0)
        fresh = turn.events[begun:]
        if fresh or turn.ended:
            events = [[event.name, _decoded(event.data)] for event in fresh]
            body = orjson.dumps({"first": begun + 1, "events": events, "ended": turn.ended})
            pipeline.rpush(_key(turn.message, "events"), body)
            pipeline.expire(_key(turn.message, "events"), KEPT_S)
            reached[turn.message] = begun + len(fresh)
    pipeline.mget([_key(turn.message, "stop") for turn in turns])
    try:
        *_, stops = await pipeline.execute()
    except (RedisError, OSError, TimeoutError):
        _rests_until = time.monotonic() + REST_S
        log.warning("Valkey does not answer: running answers cannot be resumed through another process")
        return
    _sent.update(reached)
    for turn, stop in zip(turns, stops, strict=True):
        if stop:
            turn.stop("stopped")


def _decoded(data: Any) -> Any:
    return orjson.Fragment(data) if isinstance(data, bytes) else data


async def _read_elsewhere(turn: TurnLog) -> bool:
    try:
        return bool(await valkey().exists(_key(turn.message, "reader")))
    except (RedisError, OSError, TimeoutError):
        return False


async def stop_elsewhere(message: UUID) -> bool:
    """Ask whichever process runs the turn to stop it; False when Valkey does not answer."""
    try:
        await valkey().set(_key(message, "stop"), 1, ex=KEPT_S)
    except (RedisError, OSError, TimeoutError):
        return False
    return True


async def events_elsewhere(message: UUID, after: int) -> AsyncIterator[list[Event]]:
    """Events after number `after` of a turn that another process runs. An empty batch at each tick without news.

    Raises:
        RedisError, OSError: Valkey does not answer.
    """
    place = 0
    client = valkey()
    while True:
        pipeline = client.pipeline(transaction=False)
        pipeline.set(_key(message, "reader"), 1, px=READER_MS)
        pipeline.lrange(_key(message, "events"), place, -1)
        _, bodies = await pipeline.execute()
        place += len(bodies)
        batch: list[Event] = []
        ended = False
        for body in map(orjson.loads, bodies):
            ended = ended or body["ended"]
            events = [Event(name, data) for name, data in body["events"]]
            batch += events[max(0, after + 1 - body["first"]) :]
        yield batch
        after += len(batch)
        if ended:
            return
        await asyncio.sleep(TICK_S)
