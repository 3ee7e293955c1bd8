"""Output of smoke, and failures of its steps: the name, the reason, and the place to look."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Failed(Exception):
    """A failure inside a step. `look` names the place to look for the cause."""

    def __init__(self, what: str, look: str = "") -> None:
        super().__init__(what)
        self.what, self.look = what, look


class StepFailed(Exception):
    """A failed step: its name, the reason, and the place to look."""

    def __init__(self, step: str, what: str, look: str) -> None:
        super().__init__(f"{step}: {what}")
        self.step, self.what, self.look = step, what, look


def say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


@contextmanager
def step(name: str, look: str) -> Iterator[None]:
    """Print the step and its seconds. Any error inside ends as StepFailed."""
    began = time.monotonic()
    say(f"{name} … ", end="")
    try:
        yield
    except Exception as error:
        say("FAILED")
        told = error.look if isinstance(error, Failed) else ""
        raise StepFailed(name, _first_lines(error), told or look) from error
    say(f"{time.monotonic() - began:.1f} s")


def _first_lines(error: Exception) -> str:
    """Return the first three lines of an error; in Playwright's call log they name what it waited for."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(error).__name__
