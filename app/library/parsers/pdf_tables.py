"""Tables of a PDF's page: lines with wide gaps laid out in columns, so that each row has the names of its columns.

A PDF has no tables, only text at places. Columns are where the cells of the fullest rows stand above each other.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from app.library.parsers.pdf_lines import BREAK, Line
from app.library.parsers.pdf_paragraphs import Group
from app.library.parsers.rows import VALUE, row_texts

# Distances in heights of a line: rows of one table, lines of one cell, and a name above its columns.
_ROWS_APART = 3.0
_WRAPPED = 1.35
_ABOVE = 2.2
# Longer lines are text between tables, unless they fit into the first column.
_CELL_CHARS = 60
# Rows of names, and lines that they may be drawn as, cell by cell.
_HEADER_ROWS, _HEADER_LINES = 5, 24
_SAME_HEIGHT = 0.4
_COLUMNS_ALIKE = 0.6
# A name over several columns stands in their middle, give or take this share of their width.
_CENTRED = 0.2
# A name of one column stands nearer to the column's middle than this share of the distance of two columns.
_BETWEEN = 0.3
_SIGN_AT_END = re.compile(r"([$€£¥])\s*\Z")
_YEAR_OR_DATE = re.compile(r"(?:19|20)\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d")
_AMOUNT = re.compile(r"[$€£¥]?\s*(?:\([\d.,]+\)|-?[\d.,]+)\s*%?|[—–-]")
_NOTHING = frozenset({"—", "–", "-", "n/a", *"☐☒☑✓✔✗✘"})

Span = tuple[float, float]


@dataclass(slots=True)
class PdfCell:
    """A cell; first, last: the columns that it stands in, once they are known."""

    text: str
    x0: float
    x1: float
    first: int = 0
    last: int = 0


@dataclass(slots=True)
class PdfRow:
    """A row with the lines that it was made of; `cells` from left to right."""

    lines: list[Line]
    cells: list[PdfCell]

    @property
    def label(self) -> str:
        """Return the text in the first column, "" for none."""
        return self.cells[0].text if self.cells[0].first == 0 else ""

    @property
    def beside(self) -> list[PdfCell]:
        return [cell for cell in self.cells if cell.first > 0]

    @property
    def may_name(self) -> bool:
        """Return whether the cells beside the first column may be names: there are some, and no values but dates."""
        texts = [cell.text for cell in self.beside]
        return bool(texts) and not any(
            text in _NOTHING or (VALUE.match(text) and not _YEAR_OR_DATE.fullmatch(text)) for text in texts
        )

    @property
    def is_unit(self) -> bool:
        """Return whether the row is a unit in brackets, which holds for all columns."""
        return len(self.cells) == 1 and self.cells[0].text.startswith("(")

    @property
    def bold(self) -> bool:
        return all(line.bold for line in self.lines)


@dataclass(slots=True)
class Table:
    """A table of a page. header: number of rows at the top that name the columns. names: one a column."""

    rows: list[PdfRow]
    header: int
    columns: list[Span]
    names: list[str] | None

    def lines(self, before: "Table | None") -> Iterator[tuple[str, list[Line]]]:
        """Yield the text of each row with the lines that it is made of, the header first.

        before: a table above, whose names of columns hold for one that goes on without names.
        """
        if self.names is None and before is not None and _are_alike(before.columns, self.columns):
            self.names = before.names
        if self.header:
            yield self._header_text(), [line for row in self.rows[: self.header] for line in row.lines]
        for row in self.rows[self.header :]:
            for text in self._texts(row):
                yield text, row.lines

    def _header_text(self) -> str:
        units = [cell.text for row in self.rows[: self.header] for cell in row.cells if cell.text.startswith("(")]
        if self.names is None:
            rows = [[cell.text for cell in row.cells] for row in self.rows[: self.header]]
            return " / ".join(" | ".join(row) for row in rows)
        shown = " | ".join(dict.fromkeys(filter(None, [*units, *self.names])))
        count = len(self.rows) - self.header
        return f"{shown} ({count} rows)" if count > 1 else shown

    def _texts(self, row: PdfRow) -> Iterator[str]:
        cells = [part for cell in row.cells for part in _amounts(cell)]
        if self.names is None:
            pair = len(cells) == 2 and cells[0].text.endswith(":")
            yield from [f"{cells[0].text} {cells[1].text}"] if pair else row_texts(None, [cell.text for cell in cells])
            return
        names = [", ".join(filter(None, dict.fromkeys(self.names[cell.first : cell.last + 1]))) for cell in cells]
        yield from row_texts(names, [cell.text for cell in cells])


def with_tables(groups: Sequence[Group], is_heading: Callable[[Group], bool]) -> Iterator[Group | Table]:
    """Yield a page's groups in order, those that form a table as a Table."""
    waiting: list[Group] = []
    at = 0
    while at < len(groups):
        end = _run_end(groups, at, is_heading) if groups[at].kind == "table_row" else at
        rows = [_row(line) for group in groups[at:end] for line in group.lines]
        columns = _columns(rows) if len(rows) > 1 else []
        if len(columns) > 1:
            label = _label_above(waiting, rows[0], columns)
            above = _names_above(waiting, label or rows[0], columns, is_heading)
            if label and above:
                rows.insert(0, label)
            elif label:
                waiting.append(Group("paragraph", label.lines))
            yield from waiting
            waiting = []
            yield _table(above, rows, columns)
            at = end
            continue
        waiting += groups[at : max(end, at + 1)]
        at = max(end, at + 1)
    yield from waiting


def _run_end(groups: Sequence[Group], at: int, is_heading: Callable[[Group], bool]) -> int:
    """Return the end of a run of rows, with the short lines between them that parts of cells are."""
    end = at + 1
    for number in range(at + 1, len(groups)):
        group, last = groups[number], groups[number - 1].lines[-1]
        down = group.lines[0].y0 - last.y0
        if not -0.5 * last.size < down < _ROWS_APART * last.size:
            break
        if is_heading(group) and not _goes_on(groups, number):
            break
        if group.kind == "table_row":
            end = number + 1
            continue
        row = groups[end - 1].lines[-1]
        if number > end + 1 or any(_is_text(line, row) for line in group.lines):
            break
    return end + (end < len(groups) and _ends_cell(groups[end], groups[end - 1].lines[-1]))


def _ends_cell(group: Group, row: Line) -> bool:
    """Return whether lines below the last row go on with a cell of it, beside the first column."""
    close = 0 < group.lines[0].y0 - row.y0 < _WRAPPED * row.size
    return close and len(row.cells) > 1 and all(line.x0 > row.cells[1][2] - row.size for line in group.lines)


def _goes_on(groups: Sequence[Group], number: int) -> bool:
    """Return whether a row with values follows a title closely: the title of a part of the table."""
    last = groups[number].lines[-1]
    if len(groups[number].lines) > 1:
        return False
    for group in groups[number + 1 : number + 3]:
        row = group.lines[0]
        if row.y0 - last.y0 > _ROWS_APART * row.size:
            return False
        if group.kind == "table_row":
            return any(VALUE.match(row.text[start:end]) for start, end, _, _ in row.cells[1:])
        if len(group.lines) > 1 or len(row.text) > _CELL_CHARS:
            return False
        last = row
    return False


def _is_text(line: Line, row: Line) -> bool:
    """Return whether a line is too long for a cell, and reaches beyond the first column of a row."""
    return len(line.text) > _CELL_CHARS and not (len(row.cells) > 1 and line.x1 < row.cells[1][2])


def _row(line: Line) -> PdfRow:
    cells: list[PdfCell] = []
    for start, end, x0, x1 in line.cells or ((0, len(line.text), line.x0, line.x1),):
        text = line.text[start:end].replace(BREAK, "-").strip()
        if cells and (sign := _SIGN_AT_END.search(cells[-1].text)):
            # A currency sign belongs to the amount after it, at any distance.
            cells[-1].text = cells[-1].text[: sign.start()].strip()
            text = f"{sign[1]} {text}"
            if not cells[-1].text:
                cells.pop()
        cells.append(PdfCell(text, x0, x1))
    return PdfRow([line], cells)


def _columns(rows: Sequence[PdfRow]) -> list[Span]:
    """Return the extents of the columns, none when the cells of the fullest rows do not stand above each other."""
    most = max(len(row.cells) for row in rows)
    spans = sorted((cell.x0, cell.x1) for row in rows if len(row.cells) == most for cell in row.cells)
    columns: list[Span] = []
    for x0, x1 in spans:
        if columns and x0 < columns[-1][1]:
            columns[-1] = columns[-1][0], max(columns[-1][1], x1)
        else:
            columns.append((x0, x1))
    return columns if len(columns) == most else []


def _place(rows: Sequence[PdfRow], columns: Sequence[Span]) -> None:
    """Give each cell its columns: those that it overlaps, else the nearest."""
    for row in rows:
        for cell in row.cells:
            over = [at for at, (x0, x1) in enumerate(columns) if cell.x0 < x1 and cell.x1 > x0]
            if not over and len(row.cells) == 1:
                over = [0]
            elif not over:
                over = [min(range(len(columns)), key=lambda at: abs(sum(columns[at]) - cell.x0 - cell.x1))]
            cell.first, cell.last = over[0], over[-1]


def _table(above: list[PdfRow], rows: list[PdfRow], columns: list[Span]) -> Table:
    _place(rows, columns)
    _split(rows, columns)
    header = _header(rows, len(columns), named=bool(above))
    named = _by_height(above + rows[:header])
    _spread([row for row in named if not row.is_unit], columns)
    names = _names(named, len(columns)) if named else None
    return Table(named + _unwrapped(rows[header:], len(columns)), len(named), columns, names)


def _header(rows: Sequence[PdfRow], width: int, *, named: bool) -> int:
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


def _by_height(rows: Sequence[PdfRow]) -> list[PdfRow]:
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


def _spread(rows: Sequence[PdfRow], columns: Sequence[Span]) -> None:
    """Spread a name that stands between columns over the columns at its sides: it names them together."""
    middles = [(x0 + x1) / 2 for x0, x1 in columns]
    # The lowest row of names stands over its columns more exactly than their values do.
    for cell in rows[-1].cells if rows else ():
        if cell.first == cell.last:
            middles[cell.first] = (cell.x0 + cell.x1) / 2
    for row in rows[:-1]:
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


def _nearest(centres: Sequence[float], left: float, right: float, centre: float) -> bool:
    return all(abs(centre - middle) <= min(abs(other - middle) for other in centres) for middle in (left, right))


def _names(rows: Sequence[PdfRow], width: int) -> list[str] | None:
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


def _label_above(before: list[Group], row: PdfRow, columns: Sequence[Span]) -> PdfRow | None:
    """Take the short line in the first column above a table: the title of its first part."""
    if not before or len(before[-1].lines) > 1:
        return None
    [line] = before[-1].lines
    down = row.lines[0].y0 - line.y0
    if len(line.text) > _CELL_CHARS or line.x1 > columns[1][0] or not 0 < down < _ABOVE * line.size:
        return None
    return _row(before.pop().lines[0])


def _names_above(
    before: list[Group], row: PdfRow, columns: Sequence[Span], is_heading: Callable[[Group], bool]
) -> list[PdfRow]:
    """Take lines above a table that stand over its columns but not over the first, and return them as rows."""
    kept = len(before)
    top = row.lines[0].y0
    found: list[PdfRow] = []
    while kept and len(found) < _HEADER_LINES and not is_heading(before[kept - 1]):
        rows = [_row(line) for line in before[kept - 1].lines]
        _place(rows, columns)
        size = rows[-1].lines[0].size
        if not 0 < top - rows[-1].lines[0].y0 < _HEADER_ROWS * _ABOVE * size or not all(
            each.may_name and _stands_over(cell, columns) for each in rows for cell in each.cells
        ):
            break
        found[:0] = rows
        kept -= 1
    heights = [each.lines[0].y0 for each in _by_height(found)] + [top]
    if any(below - above > _ABOVE * row.lines[0].size for above, below in pairwise(heights)):
        return []
    del before[kept:]
    return found


def _stands_over(cell: PdfCell, columns: Sequence[Span]) -> bool:
    left, right = columns[cell.first][0], columns[cell.last][1]
    centred = abs((cell.x0 + cell.x1) - (left + right)) / 2 < _CENTRED * (right - left)
    return cell.first > 0 and len(cell.text) <= _CELL_CHARS and (centred or cell.first == cell.last)


def _unwrapped(rows: Sequence[PdfRow], width: int) -> list[PdfRow]:
    """Return the rows, with the lines of one cell joined."""
    joined: list[PdfRow] = []
    pitch = _pitch(rows)
    for row in rows:
        above = joined[-1] if joined else None
        down = (row.lines[0].y0 - above.lines[-1].y0) / max(1.0, row.lines[0].size) if above else 0.0
        if above is not None and down <= _WRAPPED and _is_wrapped(above, row, width, down < 0.9 * pitch):
            _append(above, row)
        elif above is not None and down <= _WRAPPED and not above.beside and row.label[:1].islower():
            # A label of several lines, the values beside its last one.
            row.cells[0].text = f"{above.cells[-1].text} {row.cells[0].text}"
            row.lines = above.lines + row.lines
            joined[-1] = row
        else:
            joined.append(row)
    return joined


def _pitch(rows: Sequence[PdfRow]) -> float:
    """Return the usual distance of full rows, in heights of a line."""
    full = [
        (after.lines[0].y0 - before.lines[0].y0) / max(1.0, before.lines[0].size)
        for before, after in pairwise(rows)
        if len(before.cells) > 1 and len(after.cells) > 1
    ]
    return median(full) if full else _WRAPPED


def _is_wrapped(above: PdfRow, row: PdfRow, width: int, close: bool) -> bool:
    """Return whether a line goes on with cells of the row above: words alone, in columns that the row has.

    close: it is closer to the row than rows are; else only a sentence that goes on shows it.
    """
    if len(row.cells) >= width or any(VALUE.match(cell.text) or cell.text in _NOTHING for cell in row.cells):
        return False
    own, filled = {cell.first for cell in row.cells}, {cell.first for cell in above.cells}
    if len(filled) < 2 or not own <= filled:
        return False
    return all(cell.text[:1].islower() for cell in row.cells) or (close and 0 not in own)


def _append(above: PdfRow, row: PdfRow) -> None:
    by_column = {cell.first: cell for cell in above.cells}
    for cell in row.cells:
        upper = by_column[cell.first]
        upper.text = f"{upper.text[:-1]}{cell.text}" if upper.text.endswith("-") else f"{upper.text} {cell.text}"
    above.lines += row.lines


def _split(rows: Sequence[PdfRow], columns: Sequence[Span]) -> None:
    """Split cells over several columns at gaps that lie between columns."""
    between = [(left[1], right[0]) for left, right in pairwise(columns)]
    for row in rows:
        [line] = row.lines
        cells: list[PdfCell] = []
        for cell in row.cells:
            inside = [gap for gap in line.gaps if cell.x0 < gap[1] and gap[2] < cell.x1]
            cuts = [gap for gap in inside if any(gap[1] < right and gap[2] > left for left, right in between)]
            if cell.first == cell.last or not cuts or line.text.count(cell.text) != 1:
                cells.append(cell)
                continue
            at, x0, base = 0, cell.x0, line.text.index(cell.text)
            for offset, before, after in cuts:
                cells.append(PdfCell(cell.text[at : offset - base].strip(), x0, before))
                at, x0 = offset - base, after
            cells.append(PdfCell(cell.text[at:].strip(), x0, cell.x1))
        row.cells = [cell for cell in cells if cell.text]
    _place(rows, columns)


def _amounts(cell: PdfCell) -> list[PdfCell]:
    """Return a cell over several columns as its amounts, when it is one for each."""
    count = cell.last - cell.first + 1
    parts = _AMOUNT.findall(cell.text) if count > 1 else []
    if len(parts) != count or "".join(parts).replace(" ", "") != cell.text.replace(" ", ""):
        return [cell]
    places = range(cell.first, cell.last + 1)
    return [PdfCell(text.strip(), cell.x0, cell.x1, at, at) for text, at in zip(parts, places, strict=True)]


def _are_alike(before: Sequence[Span], columns: Sequence[Span]) -> bool:
    """Return whether two tables have their columns at the same places."""
    return len(before) == len(columns) and all(
        min(one[1], other[1]) - max(one[0], other[0]) > _COLUMNS_ALIKE * min(one[1] - one[0], other[1] - other[0])
        for one, other in zip(before, columns, strict=True)
    )
