"""The order in which the lines of a page are read.

PDFium gives lines as the file draws them, which is nearly always the order of reading. Two cases are put right: two
columns of text drawn as one line each, and columns drawn in turns.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from app.ingest.parsers.pdf_lines import Line, Page

# Cells with fewer letters on average belong to a table, not to columns of text.
_COLUMN_CHARS = 22
_MIN_LINES = 6
_JOINED_SHARE = 0.3
_TURNS_SHARE = 0.2


def in_reading_order(page: Page) -> list[Line]:
    lines = _split_joined(page.lines, page.width)
    gutter = _gutter(lines, page.width)
    if gutter is None or not _drawn_in_turns(lines, gutter):
        return lines
    return _by_columns(lines, gutter)


def _split_joined(lines: list[Line], width: float) -> list[Line]:
    joined = [line for line in lines if len(line.cells) == 2]
    if len(joined) < max(_MIN_LINES, _JOINED_SHARE * len(lines)):
        return lines
    middle = median((line.cells[0][3] + line.cells[1][2]) / 2 for line in joined)
    alike = [line for line in joined if line.cells[0][3] - 1 <= middle <= line.cells[1][2] + 1]
    chars = [min(cell[1] - cell[0] for cell in line.cells) for line in alike]
    if len(alike) < 0.7 * len(joined) or median(chars) < _COLUMN_CHARS or not 0.3 * width < middle < 0.7 * width:
        return lines
    found: list[Line] = []
    for line in lines:
        if line in alike:
            found += [
                replace(line, text=line.text[start:end], x0=x0, x1=x1, cells=()) for start, end, x0, x1 in line.cells
            ]
        else:
            found.append(line)
    return found


def _gutter(lines: Sequence[Line], width: float) -> float | None:
    """Where the space between two columns of text is, if the page has two."""
    narrow = [line for line in lines if line.x1 - line.x0 < 0.6 * width]
    if len(narrow) < 2 * _MIN_LINES:
        return None
    right = [line for line in narrow if line.x0 > 0.4 * width and len(line.text) >= _COLUMN_CHARS]
    if len(right) < _MIN_LINES:
        return None
    gutter = min(line.x0 for line in right) - 1
    left = [line for line in narrow if line.x1 <= gutter + 2 and len(line.text) >= _COLUMN_CHARS]
    return gutter if len(left) >= _MIN_LINES else None


def _drawn_in_turns(lines: Sequence[Line], gutter: float) -> bool:
    sides = [line.x0 > gutter for line in lines if line.x1 <= gutter + 2 or line.x0 > gutter]
    turns = sum(1 for before, after in pairwise(sides) if before != after)
    return turns > max(4, _TURNS_SHARE * len(sides))


def _by_columns(lines: Sequence[Line], gutter: float) -> list[Line]:
    """Lines over both columns part the page into bands; in each, the left column comes before the right one."""
    found: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in sorted(lines, key=lambda one: (one.y0, one.x0)):
        if line.x0 > gutter:
            right.append(line)
        elif line.x1 <= gutter + 2:
            left.append(line)
        else:
            found += [*left, *right, line]
            left, right = [], []
    return found + left + right
