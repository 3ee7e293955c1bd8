"""Tables of a PDF's page: lines with wide gaps laid out in columns, so that each row has the names of its columns.

A PDF has no tables, only text at places. Columns are where the cells of the fullest rows stand above each other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from app.library.parsers.pdf_cells import CELL_CHARS, NOTHING, PdfRow, Span, amounts, columns_of, place, row_of, split
from app.library.parsers.pdf_lines import Line
from app.library.parsers.pdf_names import by_height, header_rows_of, label_above, names_above, names_of, spread
from app.library.parsers.pdf_paragraphs import Group
from app.library.parsers.rows import VALUE, row_texts

# Distances in heights of the line: rows of one table, and lines of one cell.
_ROWS_APART = 3.0
_WRAPPED = 1.35
_COLUMNS_ALIKE = 0.6


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
        cells = [part for cell in row.cells for part in amounts(cell)]
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
        rows = [row_of(line) for group in groups[at:end] for line in group.lines]
        columns = columns_of(rows) if len(rows) > 1 else []
        if len(columns) > 1:
            label = label_above(waiting, rows[0], columns)
            above = names_above(waiting, label or rows[0], columns, is_heading)
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
        if len(group.lines) > 1 or len(row.text) > CELL_CHARS:
            return False
        last = row
    return False


def _is_text(line: Line, row: Line) -> bool:
    """Return whether a line is too long for a cell, and reaches beyond the first column of a row."""
    return len(line.text) > CELL_CHARS and not (len(row.cells) > 1 and line.x1 < row.cells[1][2])


def _table(above: list[PdfRow], rows: list[PdfRow], columns: list[Span]) -> Table:
    place(rows, columns)
    split(rows, columns)
    header = header_rows_of(rows, len(columns), named=bool(above))
    named = by_height(above + rows[:header])
    spread([row for row in named if not row.is_unit], columns)
    names = names_of(named, len(columns)) if named else None
    return Table(named + _unwrapped(rows[header:], len(columns)), len(named), columns, names)


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
    if len(row.cells) >= width or any(VALUE.match(cell.text) or cell.text in NOTHING for cell in row.cells):
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


def _are_alike(before: Sequence[Span], columns: Sequence[Span]) -> bool:
    """Return whether two tables have their columns at the same places."""
    return len(before) == len(columns) and all(
        min(one[1], other[1]) - max(one[0], other[0]) > _COLUMNS_ALIKE * min(one[1] - one[0], other[1] - other[0])
        for one, other in zip(before, columns, strict=True)
    )
