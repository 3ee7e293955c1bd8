"""A bounded, fair queue in front of each model endpoint.

At most `slots` requests run at once. The others wait, and free slots go to the organisations in turn, so that a
hundred questions of one organisation do not delay another's. A waiting reader sees the position in the queue.

The queue belongs to one process: with several web processes each admits its own share (`slots` is per process).
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Hashable
from weakref import WeakKeyDictionary

from app.errors import Upstream

WAIT_LIMIT_S = 30.0  # with a longer expected wait a request is refused with a Retry-After
FIRST_GUESS_S = 5.0  # time that a request is assumed to hold its slot, until some have been measured
_WEIGHT = 0.1  # weight of the newest request in the mean


class Ticket:
    """A place in the queue; use it as a context manager, so that the place is always released."""

    def __init__(self, queue: "FairQueue", organisation: Hashable) -> None:
        self.organisation = organisation
        self.admitted_at: float | None = None
        self._queue = queue
        self._change: asyncio.Future[None] | None = None
        self._left = False

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @property
    def position(self) -> int:
        """Return the position in the queue, from 1; 0 once admitted."""
        return 0 if self.admitted_at is not None else self._queue.position(self)

    @property
    def wait_s(self) -> float:
        """Return the expected wait from now."""
        return self._queue.expected_wait_s(self.position)

    async def changed(self) -> None:
        """Wait until the queue has moved or this ticket is admitted."""
        if self.admitted_at is None:
            self._change = asyncio.get_running_loop().create_future()
            await self._change

    def leave(self) -> None:
        """Release the slot or the place in the queue; a second call does nothing."""
        if not self._left:
            self._left = True
            self._queue.remove(self)

    def wake(self) -> None:
        """End a pending `changed`."""
        if self._change is not None and not self._change.done():
            self._change.set_result(None)


class FairQueue:
    """The queue of one server. `slots`: requests that may run at once."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.running = 0
        self.mean_hold_s = FIRST_GUESS_S
        self._lanes: OrderedDict[Hashable, deque[Ticket]] = OrderedDict()

    @property
    def waiting(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def enter(self, organisation: Hashable) -> Ticket:
        """Take a slot, or a place in the queue.

        Raises:
            Upstream: model_busy with retry_after_s, when the expected wait is beyond WAIT_LIMIT_S.
        """
        ticket = Ticket(self, organisation)
        if self.running < self.slots and not self._lanes:
            self._admit(ticket)
            return ticket
        self._lanes.setdefault(organisation, deque()).append(ticket)
        wait_s = self.expected_wait_s(self.position(ticket))
        if wait_s > WAIT_LIMIT_S:
            ticket.leave()
            raise Upstream("model_busy", retry_after_s=wait_s)
        return ticket

    def expected_wait_s(self, position: int) -> float:
        """Return the expected wait at a position, by the mean time that requests hold a slot."""
        return position * self.mean_hold_s / self.slots

    def position(self, ticket: Ticket) -> int:
        """Return the position in the queue when slots go to the lanes in turn."""
        own = self._lanes[ticket.organisation].index(ticket)
        ahead, before = 0, True
        for organisation, lane in self._lanes.items():
            if organisation == ticket.organisation:
                ahead += own
                before = False
            else:
                ahead += min(len(lane), own + 1 if before else own)
        return ahead + 1

    def remove(self, ticket: Ticket) -> None:
        """Remove a ticket from its slot or from the queue, and advance the queue."""
        if ticket.admitted_at is not None:
            hold_s = time.monotonic() - ticket.admitted_at
            self.mean_hold_s += _WEIGHT * (hold_s - self.mean_hold_s)
            self.running -= 1
        else:
            lane = self._lanes[ticket.organisation]
            lane.remove(ticket)
            if not lane:
                del self._lanes[ticket.organisation]
        if self._lanes:
            self._advance()

    def _admit(self, ticket: Ticket) -> None:
        ticket.admitted_at = time.monotonic()
        self.running += 1

    def _advance(self) -> None:
        while self._lanes and self.running < self.slots:
            organisation, lane = self._lanes.popitem(last=False)
            ticket = lane.popleft()
            if lane:
                self._lanes[organisation] = lane  # its next turn comes after all others
            self._admit(ticket)
            ticket.wake()
        for lane in self._lanes.values():
            for ticket in lane:
                ticket.wake()


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, FairQueue]] = WeakKeyDictionary()


def queue_of(url: str, slots: int) -> FairQueue:
    """Return the running loop's queue of a model server; a changed number of slots takes effect at once."""
    queues = _queues.setdefault(asyncio.get_running_loop(), {})
    queue = queues.get(url)
    if queue is None:
        queue = queues[url] = FairQueue(slots)
    queue.slots = slots
    return queue
