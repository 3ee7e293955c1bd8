"""Resources of the web process (pools, HTTP sessions), opened once per event loop and closed at its end."""

from collections.abc import Awaitable, Callable
from typing import Any

Closer = Callable[[], Awaitable[None]]
_closers: list[Closer] = []
_starters: list[Closer] = []


def on_start(start: Closer) -> None:
    """Run `start` when the web process begins to serve."""
    _starters.append(start)


def on_stop(close: Closer) -> None:
    """Run `close` when the web process ends, last registered first."""
    _closers.append(close)


async def run_lifespan(receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Serve the ASGI lifespan protocol."""
    await receive()
    for start in _starters:
        await start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    for close in reversed(_closers):
        await close()
    await send({"type": "lifespan.shutdown.complete"})
