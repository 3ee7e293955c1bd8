"""Interrupt answers whose process died, from the web process's start on; end its own answers at its end."""

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

STOP_S = 3.0  # how long the last answers may take to be recorded

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
    """Interrupt stale answers. Every process does it, so that whichever lives finds what the dead left behind."""
    while True:
        try:
            with everything_visible():
                interrupted = await answers_interrupt_stale()
        except RefdeskError:
            interrupted = 0  # the database is away; there is time
        if interrupted:
            log.warning("%d answers were left behind by a process that died", interrupted)
        await asyncio.sleep(LEASE_S)


async def _end() -> None:
    """Interrupt what still runs: streams have had their time, since uvicorn waits for them."""
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
