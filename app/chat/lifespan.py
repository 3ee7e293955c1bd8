"""Interrupt answers whose process died, from the start of the web process on; end its own answers at its end."""

import asyncio
import logging

from app.chat.turns.repository import LEASE_S, answers_interrupt_stale
from app.chat.turns.stream import streams_here
from app.errors import RefdeskError
from app.lib.asgi.lifespan import on_start, on_stop
from app.lib.async_sql import database_close
from app.lib.http import http_session_close
from app.lib.tenancy import everything_visible
from app.lib.valkey import valkey_close

log = logging.getLogger(__name__)

STOP_S = 3.0  # time for the last answers to be recorded

_sweepers: set[asyncio.Task[None]] = set()


def lifespan_register() -> None:
    """Register with the web process's start and end."""
    on_start(_begin)
    on_stop(_end)


async def _begin() -> None:
    sweeper = asyncio.create_task(_sweep())
    _sweepers.add(sweeper)
    sweeper.add_done_callback(_sweepers.discard)


async def _sweep() -> None:
    """Interrupt stale answers periodically. Every process does this, so that any one can clean up after a dead one."""
    while True:
        try:
            with everything_visible():
                interrupted = await answers_interrupt_stale()
        except RefdeskError:
            interrupted = 0  # the database is unavailable; the next round tries again
        if interrupted:
            log.warning("%d answers were left behind by a process that died", interrupted)
        await asyncio.sleep(LEASE_S)


async def _end() -> None:
    """Interrupt running answers: uvicorn has already waited for the streams to end."""
    for sweeper in list(_sweepers):
        if sweeper.get_loop() is asyncio.get_running_loop():
            sweeper.cancel()
    streams = list(streams_here().values())
    for stream in streams:
        stream.stop("interrupted")
    tasks = [stream.task for stream in streams if stream.task is not None]
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_S)
    await http_session_close()
    await valkey_close()
    await database_close()
