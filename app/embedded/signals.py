"""Wait for signals, in one thread and without a race between checking and sleeping."""

import contextlib
import os
import select
import signal
from types import FrameType


class Stopping(BaseException):
    """Raised when a person requests a stop. It is not an error: code that waits must not swallow it."""


class SignalWaiter:
    """A waiter for signals. `stops` counts the requests to stop: Ctrl-C, SIGTERM, a closed terminal."""

    def __init__(self) -> None:
        self.stops = 0
        self._read, write = os.pipe()
        for descriptor in (self._read, write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._note)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)
        # Under nohup the signal is ignored, and must stay so.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._stop)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Do nothing: the byte that Python writes to the pipe ends the wait."""

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1

    def wait(self, seconds: float) -> None:
        """Wait for a signal, for at most `seconds`."""
        select.select([self._read], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)
