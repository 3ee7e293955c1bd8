"""Streams: the events of the turns that run in this process, their readers, and the ways to stop a turn.

A turn's own task writes its events, and any number of readers read them, each from the event it wants. When the last
reader disconnects, the turn waits GRACE_S for one to return (a reload, a lost connection), then ends: no request to a
model outlives its reader by more than a second (I6).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from uuid import UUID
from weakref import WeakKeyDictionary

from app.lib.sse import Event

log = logging.getLogger(__name__)

GRACE_S = 0.8

ReaderElsewhere = Callable[["TurnStream"], Awaitable[bool]]


class TurnStream:
    """Events of one turn, numbered from 1 in the order of `events`. message: the id of the answer."""

    def __init__(self, organisation: UUID, message: UUID) -> None:
        self.organisation = organisation
        self.message = message
        self.events: list[Event] = []
        self.text = ""  # the answer's text so far
        self.ended = False
        self.recording = False  # the answer is being written to the database: too late to stop
        self.stop_state: str | None = None
        self.reader_elsewhere: ReaderElsewhere | None = None  # whether another process has a reader
        self.task: asyncio.Task[None] | None = None
        self._readers = 0
        self._sleepers: list[asyncio.Future[None]] = []
        self._leaving: asyncio.Task[None] | None = None

    def add(self, *events: Event) -> None:
        """Append events and wake the readers."""
        self.events.extend(events)
        self._wake()

    def end(self) -> None:
        """End the stream: readers get no further event."""
        self.ended = True
        self._wake()

    def stop(self, state: str) -> None:
        """End the turn early as `stopped` (by its reader) or `interrupted`; a second call changes nothing."""
        if self.stop_state is None and not self.recording and self.task is not None:
            self.stop_state = state
            self.task.cancel()

    async def read(self, after: int = 0) -> AsyncIterator[list[Event]]:
        """Yield the events after number `after`, in batches as they arrive, to the end."""
        with self._reader():
            while True:
                if len(self.events) > after:
                    batch = self.events[after:]
                    after += len(batch)
                    yield batch
                elif self.ended:
                    return
                else:
                    await self._sleep()

    async def wait(self) -> None:
        """Wait for the end, as a reader."""
        with self._reader():
            while not self.ended:
                await self._sleep()

    @contextmanager
    def _reader(self) -> Iterator[None]:
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1
            self.leave_unless_read()

    def leave_unless_read(self) -> None:
        """End the turn if it has no reader GRACE_S from now."""
        if not self._readers and not self.ended:
            asyncio.get_running_loop().call_later(GRACE_S, self._leave)

    def _leave(self) -> None:
        if not self._readers and not self.ended:
            self._leaving = asyncio.create_task(self._stop_unless_read())

    async def _stop_unless_read(self) -> None:
        while not self._readers and not self.ended:
            if self.reader_elsewhere is None or not await self.reader_elsewhere(self):
                self.stop("interrupted")
                return
            await asyncio.sleep(GRACE_S)

    def _wake(self) -> None:
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)
        self._sleepers.clear()

    async def _sleep(self) -> None:
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers.append(sleeper)
        await sleeper


_streams: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[UUID, TurnStream]] = WeakKeyDictionary()


def streams_here() -> dict[UUID, TurnStream]:
    """Return the streams of the turns that run in this process, by the id of their answer."""
    return _streams.setdefault(asyncio.get_running_loop(), {})
