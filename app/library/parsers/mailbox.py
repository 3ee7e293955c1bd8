"""Mailboxes of Unix: messages one after the other, each after a line that begins with `From `."""

import re
from collections.abc import Iterator
from pathlib import Path

_BEGIN = re.compile(rb"From \S+.*\d\d:\d\d")
_HEAD = 64 * 1024
# A larger message is cut: nothing but an attachment is that long.
_MESSAGE_BYTES = 64 * 1024 * 1024


def is_mailbox(path: Path) -> bool:
    """Return whether a file holds several messages, each after a line of a mailbox."""
    blank = False
    with path.open("rb") as file:
        if not is_begin(file.readline(_HEAD)):
            return False
        while line := file.readline(_HEAD):
            if blank and is_begin(line):
                return True
            blank = line in (b"\n", b"\r\n")
    return False


def is_begin(line: bytes) -> bool:
    """Return whether a line begins a message of a mailbox."""
    return _BEGIN.match(line) is not None


def mailbox_messages(path: Path) -> Iterator[bytes]:
    """Yield the messages of a mailbox, one in memory at a time."""
    lines: list[bytes] = []
    size, blank = 0, True
    with path.open("rb") as file:
        while line := file.readline(_HEAD):
            if blank and is_begin(line):
                if lines:
                    yield b"".join(lines)
                lines, size = [], 0
                continue
            blank = line in (b"\n", b"\r\n")
            size += len(line)
            if size <= _MESSAGE_BYTES:
                # Lines that begin with `From ` are written with a mark in front.
                lines.append(line[1:] if re.match(rb">+From ", line) else line)
    if lines:
        yield b"".join(lines)
