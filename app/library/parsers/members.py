"""Files inside a file: what a mail, a mailbox or an archive holds that is a document of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from app.library.parsers.blocks import ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.limits import Limits
from app.library.parsers.media import format_of

PIECE_BYTES = 256 * 1024
_PATH_CHARS = 300
_UNITS = ("bytes", "KB", "MB", "GB")


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a file. path: its name there, unique, with `/` between folders; never used as a path here.

    pieces: its bytes, read only while the member is current; a ParseError in it concerns this member alone.
    """

    path: str
    pieces: Callable[[], Iterator[bytes]]
    media_type: str = ""


class Names:
    """Paths of the members of one file, each given once."""

    def __init__(self) -> None:
        # For each path, the number to try first for its next copy.
        self._taken: dict[str, int] = {}

    def unique(self, path: str) -> str:
        """Return a path without parts that lead out of the file, numbered when it is taken."""
        parts = [one_line(part) for part in path.replace("\\", "/").split("/")]
        clean = "/".join(part for part in parts if part not in ("", ".", ".."))[-_PATH_CHARS:] or "file"
        stem, dot, suffix = clean.rpartition(".")
        if not dot or "/" in suffix:
            stem, dot, suffix = clean, "", ""
        name = clean
        number = self._taken.get(clean, 1)
        while name in self._taken:
            number += 1
            name = f"{stem} ({number}){dot}{suffix}"
        self._taken[clean] = number
        self._taken.setdefault(name, 1)
        return name


def members(path: Path, media_type: str, limits: Limits) -> Iterator[Member]:
    """Yield the members of a file that was parsed. Errors: ParseError with the codes of the format's own `members`."""
    entry = format_of(media_type)
    assert entry is not None
    read: Callable[[Path, Limits], Iterator[Member]] = import_module(f"app.library.parsers.{entry.parser}").members
    return read(path, limits)


def bytes_of(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), PIECE_BYTES):
        yield data[at : at + PIECE_BYTES]


def refused(code: str, detail: str) -> Iterator[bytes]:
    """Return the content of a member that cannot be read."""
    raise ParseError(code, detail)


def size_text(size: int) -> str:
    """Return a size as people write it: "814 bytes", "12 KB", "3.4 MB"."""
    amount, unit = float(size), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}" if unit > 1 and amount < 10 else f"{amount:.0f} {_UNITS[unit]}"
