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

    def heading(self, level: int, text: str, where: Where = NOWHERE) -> None:
        text = clean(text)
        if not text or text.isspace():
            return
        if len(text) > _HEADING_CHARS:
            self.add("paragraph", text, where)
            return
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, text))
        self._path = tuple(title for _, title in self._open)
        self.add("heading", text, where, level=level)

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
