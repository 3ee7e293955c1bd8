"""Lines of the supervisor: on the terminal, and in a log with the time."""

import contextlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

LOG_LIMIT = 10 * 1024 * 1024


def log_shorten(path: Path, limit: int = LOG_LIMIT) -> None:
    """Shorten a log of more than `limit` bytes, and keep one older copy.

    The log is copied and emptied, not renamed: the writing process appends to its open descriptor.
    """
    if not path.exists() or path.stat().st_size <= limit:
        return
    with path.open("r+b") as log, path.with_name(f"{path.name}.1").open("wb") as older:
        log.seek(-limit, 2)
        while block := log.read(1024 * 1024):
            older.write(block)
        log.truncate(0)


def log_tail(path: Path, start: int, lines: int = 12) -> str:
    """Return the last lines that were written to `path` after byte `start`."""
    try:
        with path.open("rb") as log:
            log.seek(start)
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


class Console:
    """A printer of lines, which also logs them. Lines of progress show the seconds since the start."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        # A closed terminal or a full disk must not stop the box.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        with contextlib.suppress(OSError), self.log.open("a") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}\n")

    def done(self, what: str, state: str) -> None:
        self.say(f"  {what:<28} {state:<12} {time.monotonic() - self.began:5.1f} s")
