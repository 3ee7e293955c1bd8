"""Collection of blocks in reading order, each with the headings above it."""

from typing import NamedTuple

from app.library.parsers.blocks import Block, BlockKind, Box, ParseError
from app.library.parsers.encoding import clean
from app.library.parsers.limits import Limits

# Longer lines are body text with the style of a heading.
_HEADING_CHARS = 300


class Where(NamedTuple):
    """The position of a block, with the fields of `Block`."""

    page: int | None = None
    boxes: tuple[Box, ...] = ()
    line_starts: tuple[int, ...] = ()
    rows: tuple[int, int] | None = None
    sheet: str | None = None
    slide: int | None = None
    time: tuple[float, float] | None = None
    words: tuple[tuple[int, float], ...] = ()


NOWHERE = Where()


class Mark(NamedTuple):
    """A state of an outline: how many blocks and characters it has, and the level and title of its open sections."""

    blocks: int
    chars: int
    open: tuple[tuple[int, str], ...]


class Outline:
    """A collection of blocks.

    Errors: file_too_complex when there are more blocks or characters than the limits allow.
    """

    def __init__(self, limits: Limits) -> None:
        self.blocks: list[Block] = []
        self._limits = limits
        self._chars = 0
        self._open: list[tuple[int, str]] = []
        self._path: tuple[str, ...] = ()
        # Added to the level of every heading, for a text inside another document.
        self.deeper = 0

    def heading(self, level: int, text: str, where: Where = NOWHERE) -> None:
        text = clean(text)
        if not text or text.isspace():
            return
        if len(text) > _HEADING_CHARS:
            self.add("paragraph", text, where)
            return
        level = min(6, level + self.deeper)
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, text))
        self._path = tuple(title for _, title in self._open)
        self.add("heading", text, where, level=level)

    def end_sections(self) -> None:
        """End all sections: what follows stands under no heading so far."""
        self._open.clear()
        self._path = ()

    def mark(self) -> Mark:
        """Return the state, to go back to by `rewind`."""
        return Mark(len(self.blocks), self._chars, tuple(self._open))

    def rewind(self, mark: Mark) -> None:
        del self.blocks[mark.blocks :]
        self._chars = mark.chars
        self._open = list(mark.open)
        self._path = tuple(title for _, title in self._open)

    def add(self, kind: BlockKind, text: str, where: Where = NOWHERE, *, level: int = 0) -> None:
        """Add a block, unless its text is blank.

        Every text is cleaned here once more: entities and escapes of a format bring back what decoding removed.
        """
        text = clean(text)
        if not text or text.isspace():
            return
        self._chars += len(text)
        if self._chars > self._limits.text_chars:
            raise ParseError("file_too_complex", f"more than {self._limits.text_chars:,} characters of text")
        if len(self.blocks) >= self._limits.blocks:
            raise ParseError("file_too_complex", f"more than {self._limits.blocks:,} paragraphs or rows")
        self.blocks.append(Block(kind, text, level, self._path, *where))

    def has_room(self, chars: int) -> bool:
        """Return whether a block of this many characters is still within the limits."""
        return self._chars + chars <= self._limits.text_chars and len(self.blocks) < self._limits.blocks
