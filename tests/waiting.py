import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(true: Callable[[], Found], *, limit_s: float = 90, what: str = "") -> Found:
    """What `true` gives as soon as that is anything. The limit ends a hopeless wait; it says nothing about speed."""
    deadline = time.monotonic() + limit_s
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        time.sleep(0.02)
    return found
