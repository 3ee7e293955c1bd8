"""Waiting for an event instead of a time."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], *, limit_s: float = 90, what: str = "") -> Value:
    """Return the value of the condition as soon as it is true.

    The limit ends a hopeless wait on a busy machine; it says nothing about speed.
    """
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        time.sleep(0.02)
    return value
