"""The progress of a download: one bar with size, speed and time left; without a terminal a line for each tenth."""

import contextlib
import time
from collections.abc import Callable
from typing import TextIO

REDRAW_S = 0.25
BAR = 25
# Speed is not shown before: the first block says nothing of it.
SPEED_AFTER_S = 0.5


class Progress:
    """Shows how much of `size` bytes has been received. A closed terminal is no reason to stop."""

    def __init__(self, size: int, output: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._output = output
        self._clock = clock
        self._terminal = output.isatty()
        self._began: tuple[float, int] | None = None
        self._shown_at = 0.0
        self._tenth = -1
        self._drawn = False

    def show(self, received: int) -> None:
        now = self._clock()
        if self._began is None:
            self._began = now, received
        if self._terminal:
            if received < self._size and now < self._shown_at + REDRAW_S:
                return
        elif received * 10 // self._size == self._tenth:
            return
        self._shown_at, self._tenth = now, received * 10 // self._size
        self._write(received, now - self._began[0], received - self._began[1])

    def end(self) -> None:
        """End the bar's line."""
        if self._drawn:
            with contextlib.suppress(OSError, ValueError):
                self._output.write("\n")
                self._output.flush()

    def _write(self, received: int, seconds: float, bytes: int) -> None:
        percent = 100 * received // self._size
        line = f"{percent:3} % of {_size(self._size)}"
        if seconds >= SPEED_AFTER_S and bytes:
            line += f", {_size(round(bytes / seconds))}/s"
            if received < self._size:
                line += f", {_duration((self._size - received) * seconds / bytes)} left"
        with contextlib.suppress(OSError, ValueError):
            if self._terminal:
                self._drawn = True
                self._output.write(f"\r  [{'#' * (percent * BAR // 100):<{BAR}}] {line:<46}")
            else:
                self._output.write(f"  {line}\n")
            self._output.flush()


def _size(bytes: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if bytes >= factor:
            return f"{bytes / factor:.1f} {unit}"
    return f"{bytes / 1e3:.0f} kB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
