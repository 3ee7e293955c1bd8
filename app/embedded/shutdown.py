"""Stop several processes at once, each by its own ladder of signals."""

import time
from collections.abc import Sequence

from app.embedded.managed_process import ManagedProcess
from app.embedded.signals import SignalWaiter


class _StoppingProcess:
    def __init__(self, process: ManagedProcess) -> None:
        self.process = process
        self.ladder = list(process.engine.stop_ladder)
        self.until = 0.0

    def next_rung(self) -> None:
        if self.ladder:
            number, seconds = self.ladder.pop(0)
            self.process.send(number)
            self.until = time.monotonic() + seconds


def processes_stop(processes: Sequence[ManagedProcess], waiter: SignalWaiter) -> list[str]:
    """Stop several processes together; return the names of those that did not end at their first signal.

    Another request to stop during the wait sends every process its next signal at once.
    """
    stopping = [_StoppingProcess(process) for process in processes if not process.gone()]
    for entry in stopping:
        entry.next_rung()
    stops, slow = waiter.stops, set()
    while waiting := [entry for entry in stopping if not entry.process.gone()]:
        waiter.wait(0.02)
        hurry, stops = waiter.stops > stops, waiter.stops
        for entry in waiting:
            if hurry or time.monotonic() > entry.until:
                slow.add(entry.process.name)
                if not entry.ladder:
                    stopping.remove(entry)
                entry.next_rung()
    for process in processes:
        process.reap()
    return sorted(slow)
