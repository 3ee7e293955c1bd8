"""Names of the columns of a table in a PDF: rows at its top and lines above it."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from app.library.parsers.pdf_cells import CELL_CHARS, PdfCell, PdfRow, Span, place, row_of
from app.library.parsers.pdf_paragraphs import Group
from app.library.parsers.rows import VALUE

# Rows of names, and lines that they may be drawn as, cell by cell.
_HEADER_ROWS, _HEADER_LINES = 5, 24
# Distance of a name from what is below it, in heights of the line.
_ABOVE = 2.2
_SAME_HEIGHT = 0.4
# A name over several columns stands in their middle, give or take this share of their width.
_CENTRED = 0.3
# A name of one column stands nearer to the column's middle than this share of the distance of two columns.
_BETWEEN = 0.3


def header_rows_of(rows: Sequence[PdfRow], width: int, *, named: bool) -> int:
    """Return how many rows at the top name the columns. named: lines above them do already."""
    count = 0
    labelled = False
    while count < min(len(rows), _HEADER_LINES) and (rows[count].may_name or rows[count].is_unit):
        label = rows[count].label
        if count and len(rows[count].cells) == 1 and not (rows[count].is_unit or rows[count].cells[0].first):
            break
        if label and not label.startswith("("):
            if labelled or not _names_columns(rows, count, width, named or count > 0):
                break
            labelled = True
        count += 1
    return count


def by_height(rows: Sequence[PdfRow]) -> list[PdfRow]:
    """Return rows of names from the top: a file may draw them cell by cell."""
    joined: list[PdfRow] = []
    for row in sorted(rows, key=lambda each: each.lines[0].y0):
        last = joined[-1] if joined else None
        if last is not None and row.lines[0].y0 - last.lines[0].y0 < _SAME_HEIGHT * row.lines[0].size:
            last.lines = last.lines + row.lines
            last.cells = sorted(last.cells + row.cells, key=lambda cell: cell.x0)
        else:
            joined.append(PdfRow(row.lines, row.cells))
    return joined


def _names_columns(rows: Sequence[PdfRow], at: int, width: int, named: bool) -> bool:
    """Return whether a row with a text in the first column names the columns."""
    row, below = rows[at], rows[at + 1 :]
    if row.bold and not all(other.bold for other in below):
        return True
    if len(row.cells) < width or named:
        return False
    # Of words alone nothing but bold type tells names: a value under the wrong name is worse than one without.
    values = sum(1 for other in below for cell in other.beside if VALUE.match(cell.text))
    return not row.label.endswith(":") and values * 2 > sum(len(other.beside) for other in below) > 0


def spread(rows: Sequence[PdfRow], columns: Sequence[Span]) -> None:
    """Spread a name that stands between columns over the columns at its sides: it names them together."""
    middles = [(x0 + x1) / 2 for x0, x1 in columns]
    # The lowest row of names stands over its columns more exactly than their values do.
    for cell in rows[-1].cells if rows else ():
        if cell.first == cell.last:
            middles[cell.first] = (cell.x0 + cell.x1) / 2
    lowest = sorted(cell.first for cell in rows[-1].cells if cell.first == cell.last and cell.first) if rows else []
    for row in rows[:-1]:
        if _spread_evenly(row, lowest, middles):
            continue
        centres = [(cell.x0 + cell.x1) / 2 for cell in row.cells]
        for cell, centre in zip(row.cells, centres, strict=True):
            left = max((at for at in range(1, len(columns)) if middles[at] <= centre), default=0)
            right = left + 1
            if cell.first != cell.last or not left or right >= len(columns):
                continue
            apart = middles[right] - middles[left]
            if min(centre - middles[left], middles[right] - centre) < _BETWEEN * apart:
                continue
            # As many columns at each side as are nearer to this name than to another one.
            while left >= 1 and right < len(columns) and _nearest(centres, middles[left], middles[right], centre):
                cell.first, cell.last = left, right
                left, right = left - 1, right + 1


def _spread_evenly(row: PdfRow, columns: Sequence[int], middles: Sequence[float]) -> bool:
    """Spread names over as many columns each, when each of them stands in the middle of its columns."""
    each = len(columns) // len(row.cells)
    if each < 2 or each * len(row.cells) != len(columns):
        return False
    shares = [columns[at : at + each] for at in range(0, len(columns), each)]
    for cell, share in zip(row.cells, shares, strict=True):
        left, right = middles[share[0]], middles[share[-1]]
        if abs((cell.x0 + cell.x1 - left - right) / 2) > _CENTRED * (right - left):
            return False
    for cell, share in zip(row.cells, shares, strict=True):
        cell.first, cell.last = share[0], share[-1]
    return True


def _nearest(centres: Sequence[float], left: float, right: float, centre: float) -> bool:
    return all(abs(centre - middle) <= min(abs(other - middle) for other in centres) for middle in (left, right))


def names_of(rows: Sequence[PdfRow], width: int) -> list[str] | None:
    """Return the names of the columns: all that stands above each, outer names first.

    None when two columns have the same: a value under the wrong name is worse than one without.
    """
    parts: list[list[str]] = [[] for _ in range(width)]
    for row in rows:
        for cell in () if row.is_unit else row.cells:
            for part in parts[cell.first : cell.last + 1]:
                part.append(cell.text)
    names = [" ".join(part) for part in parts]
    # A unit may stand where the name of the first column would.
    names[0] = "" if names[0].startswith("(") else names[0]
    named = [name for name in names if name]
    return names if named and len(set(named)) == len(named) else None


def label_above(before: list[Group], row: PdfRow, columns: Sequence[Span]) -> PdfRow | None:
    """Take the short line in the first column above a table: the title of its first part."""
    if not before or len(before[-1].lines) > 1:
        return None
    [line] = before[-1].lines
    down = row.lines[0].y0 - line.y0
    if len(line.text) > CELL_CHARS or line.x1 > columns[1][0] or not 0 < down < _ABOVE * line.size:
        return None
    return row_of(before.pop().lines[0])


def names_above(
    before: list[Group], row: PdfRow, columns: Sequence[Span], is_heading: Callable[[Group], bool]
) -> list[PdfRow]:
    """Take lines above a table that stand over its columns but not over the first, and return them as rows."""
    top, size = row.lines[0].y0, row.lines[0].size
    found: list[list[PdfRow]] = []
    for group in reversed(before[-_HEADER_LINES:]):
        rows = [row_of(line) for line in group.lines]
        place(rows, columns)
        down = top - rows[-1].lines[0].y0
        over = all(each.may_name and _stands_over(cell, columns) for each in rows for cell in each.cells)
        if is_heading(group) or not over or not 0 < down < _HEADER_ROWS * _ABOVE * size:
            break
        found.append(rows)
    together = by_height([each for rows in found for each in rows])
    while found and not all(_is_level(each, together, columns) for each in found[-1]):
        found.pop()
    taken = [each for rows in reversed(found) for each in rows]
    heights = [each.lines[0].y0 for each in by_height(taken)] + [top]
    if not taken or any(below - above > _ABOVE * size for above, below in pairwise(heights)):
        return []
    del before[-len(found) :]
    return taken


def _is_level(row: PdfRow, together: Sequence[PdfRow], columns: Sequence[Span]) -> bool:
    """Return whether a line is one of several names at its height, or alone stands in the middle of its columns."""
    return any(row.lines[0] in each.lines and len(each.cells) > 1 for each in together) or all(
        columns[cell.first][0] < (cell.x0 + cell.x1) / 2 < columns[cell.last][1] for cell in row.cells
    )


def _stands_over(cell: PdfCell, columns: Sequence[Span]) -> bool:
    if not cell.first or len(cell.text) > CELL_CHARS:
        return False
    left, right = columns[cell.first][0], columns[cell.last][1]
    if cell.first == cell.last:
        return cell.x0 > columns[cell.first - 1][1] and (
            cell.last + 1 == len(columns) or cell.x1 < columns[cell.last + 1][0]
        )
    return abs((cell.x0 + cell.x1 - left - right) / 2) < _CENTRED * (right - left)
