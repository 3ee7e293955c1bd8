"""Blocks from the lines of pages: of a PDF, and of what was recognised on a scan."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from app.library.parsers.blocks import Block, Box, ParseError
from app.library.parsers.encoding import clean
from app.library.parsers.limits import Limits
from app.library.parsers.outline import Outline, Where
from app.library.parsers.pdf_columns import in_reading_order
from app.library.parsers.pdf_headings import Headings
from app.library.parsers.pdf_lines import BREAK, Line, Page
from app.library.parsers.pdf_paragraphs import Group, groups, joined
from app.library.parsers.pdf_running import drop_running_lines
from app.library.parsers.pdf_tables import Table, with_tables

# Titles of parts within a table are few and short lines.
_LINES_WITHIN, _LINE_WITHIN = 3, 60
# A currency sign belongs to the amount after it, at any distance.
_SIGN_LEFT_BEHIND = re.compile(r" ([$€£¥]) \| ")
_WORD = re.compile(r"[^\W\d_]{3,}")


def blocks_of(pages: Sequence[Page], headings: Headings, limits: Limits) -> tuple[Block, ...]:
    """Return the blocks of pages in reading order. Errors: no_text, file_too_complex."""
    outline = Outline(limits)
    drop_running_lines(pages)
    known = _words(pages)
    before = _Before()
    for page in pages:
        found = list(headings.merged(groups(in_reading_order(page))))
        for part in with_tables(found, partial(headings.is_heading, page)):
            if isinstance(part, Table):
                _add_table(outline, page, part, before.table_for(page))
                before = _Before(part, page.number)
            else:
                before.passed(part)
                _add(outline, headings, page, part, known)
    if not outline.blocks:
        raise ParseError("no_text", "nothing but page numbers")
    return tuple(outline.blocks)


def _words(pages: Sequence[Page]) -> set[str]:
    """Return the words of the document, when it has words broken at line ends."""
    if not any(BREAK in line.text for page in pages for line in page.lines):
        return set()
    vocabulary: set[str] = set()
    for page in pages:
        broken = False
        for line in page.lines:
            words = _WORD.findall(line.text)
            # The halves of a broken word do not count as words.
            vocabulary.update(word.lower() for word in words[broken : len(words) - line.text.endswith(BREAK)])
            broken = line.text.endswith(BREAK)
    return vocabulary


@dataclass(slots=True)
class _Before:
    """The last table, as long as a table may go on after what has come since. page: the number of its page."""

    table: Table | None = None
    page: int = 0
    lines: int = 0

    def passed(self, group: Group) -> None:
        self.lines += len(group.lines)
        if self.lines > _LINES_WITHIN or any(len(line.text) > _LINE_WITHIN for line in group.lines):
            self.table = None

    def table_for(self, page: Page) -> Table | None:
        return self.table if page.number == self.page or not self.lines else None


def _add_table(outline: Outline, page: Page, table: Table, before: Table | None) -> None:
    for text, lines in table.lines(before):
        boxes = [_box(page, line) for line in lines]
        x0, y0 = min(box[0] for box in boxes), min(box[1] for box in boxes)
        x1, y1 = max(box[2] for box in boxes), max(box[3] for box in boxes)
        outline.add("table_row", _plain(text), Where(page.number, ((x0, y0, x1, y1),), (0,)))


def _add(outline: Outline, headings: Headings, page: Page, group: Group, known: set[str]) -> None:
    text, starts = _row(group.lines[0]) if group.kind == "table_row" else joined(group.lines, known)
    if not text.isprintable() or clean(text) != text:
        starts = tuple(len(_plain(text[:start])) for start in starts)
        text = _plain(text)
    where = Where(page.number, tuple(_box(page, line) for line in group.lines), starts)
    level = headings.level(page, group, text)
    if level:
        outline.heading(level, text, where)
    elif group.kind == "table_row":
        outline.add("table_row", text, where)
    elif group.kind == "list_item":
        outline.add("list_item", text, where, level=1)
    else:
        outline.add("paragraph", text, where)


def _row(line: Line) -> tuple[str, tuple[int, ...]]:
    text = " | ".join(line.text[start:end] for start, end, _, _ in line.cells).replace(BREAK, "-")
    return _SIGN_LEFT_BEHIND.sub(r" | \1 ", text), (0,)


def _plain(text: str) -> str:
    return clean(text).replace("\n", " ").replace("\t", " ")


def _box(page: Page, line: Line) -> Box:
    width, height = page.shown or (page.width, page.height)
    sides = (line.x0, line.y0, line.x1, line.y1)
    if page.turn:
        sides = _turned(page, sides, width, height)
    x0, y0, x1, y1 = (
        round(min(1.0, max(0.0, side / length)), 4)
        for side, length in zip(sides, (width, height, width, height), strict=True)
    )
    return x0, y0, x1, y1


def _turned(page: Page, sides: Box, width: float, height: float) -> Box:
    """Return the box on the shown page of a box on the page as its text stands upright."""
    turn = math.radians(page.turn)
    across, up = math.cos(turn), math.sin(turn)
    corners = [(x - page.width / 2, y - page.height / 2) for x in sides[::2] for y in sides[1::2]]
    xs = [x * across - y * up + width / 2 for x, y in corners]
    ys = [x * up + y * across + height / 2 for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)
