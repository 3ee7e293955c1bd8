"""The reading order of the lines of a page.

PDFium returns lines as the file draws them, which is nearly always the reading order. Two cases are corrected: two
columns of text drawn as one line each, and columns drawn alternately.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from app.library.parsers.pdf_lines import Line, Page

# Cells with fewer letters on average belong to a table, not to columns of text.
_COLUMN_CHARS = 22
_MIN_LINES = 6
_JOINED_SHARE = 0.3
_TURNS_SHARE = 0.2


def in_reading_order(page: Page) -> list[Line]:
    lines = _split_many(_split_joined(page.lines, page.width))
    gutter = _gutter(lines, page.width)
    if gutter is not None and _drawn_in_turns(lines, gutter):
        lines = _by_columns(lines, gutter)
    return _join_rows(lines)


def _split_joined(lines: list[Line], width: float) -> list[Line]:
    joined = [line for line in lines if len(line.cells) == 2]
    if len(joined) < max(_MIN_LINES, _JOINED_SHARE * len(lines)):
        return lines
    middle = median((line.cells[0][3] + line.cells[1][2]) / 2 for line in joined)
    alike = [line for line in joined if line.cells[0][3] - 1 <= middle <= line.cells[1][2] + 1]
    chars = [min(cell[1] - cell[0] for cell in line.cells) for line in alike]
    if len(alike) < 0.7 * len(joined) or median(chars) < _COLUMN_CHARS or not 0.3 * width < middle < 0.7 * width:
        return lines
    ordered: list[Line] = []
    for line in lines:
        if line in alike:
            ordered += [
                replace(line, text=line.text[start:end], x0=x0, x1=x1, cells=()) for start, end, x0, x1 in line.cells
            ]
        else:
            ordered.append(line)
    return ordered


def _split_many(lines: list[Line]) -> list[Line]:
    """Read three columns of text or more, drawn as one line each, column by column."""
    widths = Counter(len(line.cells) for line in lines if len(line.cells) > 2)
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    if count < _MIN_LINES or count < _JOINED_SHARE * len(lines):
        return lines
    joined = [line for line in lines if len(line.cells) == width]
    gaps = [median((line.cells[at][3] + line.cells[at + 1][2]) / 2 for line in joined) for at in range(width - 1)]
    alike = {
        id(line)
        for line in joined
        if all(line.cells[at][3] - 1 <= gap <= line.cells[at + 1][2] + 1 for at, gap in enumerate(gaps))
    }
    chars = [cell[1] - cell[0] for line in joined for cell in line.cells]
    if len(alike) < 0.7 * len(joined) or median(chars) < _COLUMN_CHARS:
        return lines
    ordered: list[Line] = []
    columns: list[list[Line]] = [[] for _ in range(width)]
    for line in lines:
        if id(line) in alike:
            for column, (start, end, x0, x1) in zip(columns, line.cells, strict=True):
                column.append(replace(line, text=line.text[start:end], x0=x0, x1=x1, cells=()))
            continue
        place = _column_of(line, gaps)
        if place is not None and any(columns):
            columns[place].append(line)
            continue
        ordered += [each for one in columns for each in one] + [line]
        columns = [[] for _ in range(width)]
    return ordered + [each for one in columns for each in one]


def _column_of(line: Line, gaps: Sequence[float]) -> int | None:
    """Return the column that a line lies in, or None for one over several."""
    bounds = [float("-inf"), *gaps, float("inf")]
    return next((at for at, (left, right) in enumerate(pairwise(bounds)) if left <= line.x0 and line.x1 <= right), None)


def _gutter(lines: Sequence[Line], width: float) -> float | None:
    """Return the position of the space between two columns of text, if the page has two."""
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
    """Order by columns: lines over both split the page into bands, with the left column before the right in each."""
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in sorted(lines, key=lambda row: (row.y0, row.x0)):
        if line.x0 > gutter:
            right.append(line)
        elif line.x1 <= gutter + 2:
            left.append(line)
        else:
            ordered += [*left, *right, line]
            left, right = [], []
    return ordered + left + right


def _join_rows(lines: Sequence[Line]) -> list[Line]:
    """Join rows of a table that were drawn as several lines of one height."""
    ordered: list[Line] = []
    for line in lines:
        last = ordered[-1] if ordered else None
        if last is not None and _is_one_row(last, line):
            offset = len(last.text) + 1
            right = line.cells or ((0, len(line.text), line.x0, line.x1),)
            ordered[-1] = replace(
                last,
                text=f"{last.text} {line.text}",
                y0=min(last.y0, line.y0),
                y1=max(last.y1, line.y1),
                x1=line.x1,
                cells=(
                    *(last.cells or ((0, len(last.text), last.x0, last.x1),)),
                    *((start + offset, end + offset, x0, x1) for start, end, x0, x1 in right),
                ),
            )
        else:
            ordered.append(line)
    return ordered


def _is_one_row(left: Line, right: Line) -> bool:
    return (
        abs(right.y0 - left.y0) < 0.25 * left.size
        and right.x0 - left.x1 > left.size
        and (bool(left.cells or right.cells) or len(right.text) < _COLUMN_CHARS)
    )
