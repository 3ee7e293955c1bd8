"""Lines of a scanned page from the pieces of text that were recognised on it, as PDF has them.

A page that is turned or tilted is laid straight for the layout; `page_layout` gives the boxes on the page as it is
shown.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Any

from app.library.parsers.encoding import one_line
from app.library.parsers.pdf_lines import Line, Page

# The usual height of a line becomes this many points, so that the thresholds of PDF fit.
_SIZE = 12.0
# Heights of a line's box vary by a quarter with its letters; larger type goes up by this factor a step.
_ALIKE, _STEP = 1.3, 1.25
# Pieces whose middles are closer than this share of their height stand on one line.
_ONE_LINE = 0.5
# Wider gaps separate cells of a table, as in `pdf_lines`.
_WIDE_GAP = 1.4
# Columns of text have at least this many lines, of this many characters on average, and this gap between them.
_COLUMN_LINES, _COLUMN_CHARS, _GUTTER = 4, 16, 0.8
_TILT_DEGREES = 15.0


@dataclass(frozen=True, slots=True)
class RecognisedPage:
    """A page as the recogniser gives it: pieces are (text, confidence, x and y of four corners)."""

    number: int
    width: int
    height: int
    turn: int
    pieces: Sequence[Any]

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "RecognisedPage":
        return cls(*(message[name] for name in ("page", "width", "height", "turn", "pieces")))

    @property
    def confidence(self) -> float | None:
        """Return the mean of its characters, or None where there are none."""
        chars = sum(len(piece[0]) for piece in self.pieces)
        return sum(len(piece[0]) * piece[1] for piece in self.pieces) / chars if chars else None


def page_lines(scan: RecognisedPage) -> Page:
    """Return the lines of a scanned page in reading order."""
    turn = 90.0 * scan.turn + _tilt(scan)
    sideways = scan.turn % 2
    width, height = (scan.height, scan.width) if sideways else (scan.width, scan.height)
    pieces = [line for piece in scan.pieces if (line := _piece(piece, scan, turn, width, height)) is not None]
    usual = median(line.size for line in pieces) if pieces else _SIZE
    scale = _SIZE / usual
    for line in pieces:
        line.x0, line.y0, line.x1, line.y1 = (side * scale for side in (line.x0, line.y0, line.x1, line.y1))
        line.size = _stepped(line.size / usual)
    lines = [line for column in _columns(pieces) for line in _rows(column)]
    shown = (scan.width * scale, scan.height * scale)
    return Page(scan.number, width * scale, height * scale, lines, turn, shown)


def _tilt(scan: RecognisedPage) -> float:
    """Return the degrees by which the lines of a page fall to the right, besides its quarter turns."""
    angles = []
    for _, _, *corners in scan.pieces:
        edges = [(corners[at + 2] - corners[at], corners[at + 3] - corners[at + 1]) for at in (0, 2, 4)]
        across, down = max(edges, key=lambda edge: math.hypot(*edge))
        if math.hypot(across, down) > 100:
            angle = (math.degrees(math.atan2(down, across)) + 45) % 90 - 45
            angles.append(angle)
    tilt = median(angles) if angles else 0.0
    return tilt if 0.3 < abs(tilt) < _TILT_DEGREES else 0.0


def _piece(piece: Sequence[Any], scan: RecognisedPage, turn: float, width: float, height: float) -> Line | None:
    text = one_line(piece[0])
    if not text:
        return None
    across, up = math.cos(math.radians(turn)), -math.sin(math.radians(turn))
    corners = [(x - scan.width / 2, y - scan.height / 2) for x, y in zip(piece[2::2], piece[3::2], strict=True)]
    xs = [x * across - y * up + width / 2 for x, y in corners]
    ys = [x * up + y * across + height / 2 for x, y in corners]
    x0, y0, x1, y1 = min(xs), min(ys), max(xs), max(ys)
    return Line(text, x0, y0, x1, y1, max(1.0, y1 - y0), bold=False)


def _stepped(ratio: float) -> float:
    if 1 / _ALIKE < ratio < _ALIKE:
        return _SIZE
    return _SIZE * _STEP ** round(math.log(ratio, _STEP))


def _columns(pieces: list[Line]) -> Iterator[list[Line]]:
    """Yield the columns of text of a page, one after the other; lines over several columns end those above them."""
    gutters = _gutters(pieces)
    if not gutters:
        yield pieces
        return
    bounds = [float("-inf"), *gutters, float("inf")]
    columns: list[list[Line]] = [[] for _ in range(len(gutters) + 1)]
    wide: list[Line] = []
    for line in sorted(pieces, key=lambda piece: piece.y0):
        at = next(
            (at for at, (left, right) in enumerate(pairwise(bounds)) if left <= line.x0 and line.x1 <= right), None
        )
        if at is None:
            yield from (column for column in columns if column)
            columns = [[] for _ in columns]
            wide.append(line)
        else:
            if wide:
                yield wide
                wide = []
            columns[at].append(line)
    yield from (column for column in columns if column)
    if wide:
        yield wide


def _gutters(pieces: Sequence[Line]) -> list[float]:
    """Return the middles of the spaces between columns of text."""
    if not pieces:
        return []
    span = max(line.x1 for line in pieces) - min(line.x0 for line in pieces)
    narrow = sorted((line for line in pieces if line.x1 - line.x0 < 0.55 * span), key=lambda line: line.x0)
    found: list[float] = []
    reached = narrow[0].x1 if narrow else 0.0
    for number, line in enumerate(narrow):
        if line.x0 - reached > _GUTTER * _SIZE:
            middle = (reached + line.x0) / 2
            begin = found[-1] if found else float("-inf")
            left = [each for each in narrow[:number] if each.x0 > begin]
            if _is_text(left) and _is_text(_column_from(narrow[number:])):
                found.append(middle)
        reached = max(reached, line.x1)
    return found


def _column_from(pieces: Sequence[Line]) -> list[Line]:
    """Return the pieces up to the next space between columns."""
    reached = pieces[0].x1
    for number, line in enumerate(pieces):
        if line.x0 - reached > _GUTTER * _SIZE:
            return list(pieces[:number])
        reached = max(reached, line.x1)
    return list(pieces)


def _is_text(pieces: Sequence[Line]) -> bool:
    return len(pieces) >= _COLUMN_LINES and sum(len(line.text) for line in pieces) >= _COLUMN_CHARS * len(pieces)


def _rows(pieces: Sequence[Line]) -> Iterator[Line]:
    """Yield lines from the top, with the pieces of one line joined: as words, or as cells where the gap is wide."""
    rows: list[list[Line]] = []
    for line in sorted(pieces, key=lambda piece: piece.y0 + piece.y1):
        middle = line.y0 + line.y1
        row = next((row for row in reversed(rows[-3:]) if _fits(row, line, middle)), None)
        if row is None:
            rows.append([line])
        else:
            row.append(line)
    for row in rows:
        yield _joined(sorted(row, key=lambda piece: piece.x0))


def _fits(row: Sequence[Line], line: Line, middle: float) -> bool:
    first = row[0]
    least = min(first.y1 - first.y0, line.y1 - line.y0)
    return abs(middle - first.y0 - first.y1) / 2 < _ONE_LINE * least and all(
        line.x0 > each.x1 - least or line.x1 < each.x0 + least for each in row
    )


def _joined(row: Sequence[Line]) -> Line:
    text, cells, begin, x0 = row[0].text, [], 0, row[0].x0
    for before, after in pairwise(row):
        if after.x0 - before.x1 > _WIDE_GAP * _SIZE:
            cells.append((begin, len(text), x0, before.x1))
            begin, x0 = len(text) + 1, after.x0
        text += " " + after.text
    if cells:
        cells.append((begin, len(text), x0, row[-1].x1))
    return replace(
        row[0],
        text=text,
        y0=min(line.y0 for line in row),
        x1=row[-1].x1,
        y1=max(line.y1 for line in row),
        size=max(line.size for line in row),
        cells=tuple(cells),
    )
