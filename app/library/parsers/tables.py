"""Tables as grids: spans laid out, header rows and groups found, and each row as a line that can be read alone.

Every format gives its rows as cells; what they mean is decided here, so that a table reads the same from each.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.library.parsers.rows import VALUE, YEAR, are_names, row_texts

# Beyond these a span is a mistake or an attack, not a table.
MAX_SPAN = 200
MAX_COLUMNS = 1000
# Rows of names above each other: more are a table without values.
_MAX_HEADER = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as a format gives it. across, down: columns and rows that it covers. naming: marked as a heading."""

    text: str
    across: int = 1
    down: int = 1
    naming: bool = False


@dataclass(slots=True)
class Row:
    """A row of the grid, one entry a column. origins: the number of the cell that covers the column, -1 for none.

    number: in the file, from 1. naming: all its cells are headings, or the format marks the row as one. hidden: a
    spreadsheet does not show it. notes: beside its cells, by column.
    """

    texts: list[str]
    origins: list[int]
    naming: bool
    number: int
    hidden: bool = False
    notes: dict[int, str] | None = None

    @property
    def filled(self) -> int:
        return len({origin for text, origin in zip(self.texts, self.origins, strict=True) if text})

    def is_across(self, width: int) -> bool:
        """Return whether one cell covers the whole width: the title of the rows below it."""
        return width > 1 and len(self.texts) >= width and len(set(self.origins)) == 1 and bool(self.texts[0])


@dataclass(frozen=True, slots=True)
class TableLine:
    """A line of a table. rows: first and last row of the file that it was made from."""

    text: str
    rows: tuple[int, int]


def grid(rows: Sequence[Sequence[Cell]], marked: Sequence[bool] = ()) -> list[Row]:
    """Lay cells out by their spans: a cell stands in every column and row that it covers.

    marked: for each row, whether the format says that it names columns.
    """
    laid: list[Row] = []
    below: dict[int, tuple[int, str, int]] = {}
    origin = 0
    for number, cells in enumerate(rows, 1):
        row = Row([], [], bool(cells) and all(cell.naming for cell in cells), number)
        row.naming = row.naming or (number <= len(marked) and marked[number - 1])
        for cell in cells:
            _continue_down(row, below)
            for _ in range(min(max(1, cell.across), MAX_SPAN)):
                if len(row.texts) >= MAX_COLUMNS:
                    break
                if cell.down > 1:
                    below[len(row.texts)] = (min(cell.down, MAX_SPAN) - 1, cell.text, origin)
                row.texts.append(cell.text)
                row.origins.append(origin)
            origin += 1
        _continue_down(row, below)
        laid.append(row)
    return laid


def _continue_down(row: Row, below: dict[int, tuple[int, str, int]]) -> None:
    while len(row.texts) in below:
        column = len(row.texts)
        remaining, text, origin = below.pop(column)
        if remaining > 1:
            below[column] = (remaining - 1, text, origin)
        row.texts.append(text)
        row.origins.append(origin)


def table_lines(rows: Sequence[Row]) -> Iterator[TableLine]:
    """Yield the header once as itself with the number of rows, then each row with the names of its columns.

    A cell over several columns is given with all their names. A row of one cell over the whole width is the title of
    the rows below it, and stands before each of them.
    """
    rows = [row for row in rows if any(row.texts)]
    header = header_rows(rows)
    names = column_names(rows[:header])
    body = rows[header:]
    width = max((len(row.texts) for row in rows), default=0)
    titles = _titles(body, width)
    if header and names:
        shown = " | ".join(dict.fromkeys(name for name in names if name))
        count = sum(1 for row in body if id(row) not in titles)
        yield TableLine(f"{shown} ({count} rows)" if count > 1 else shown, (rows[0].number, rows[header - 1].number))
    title = ""
    for row in body:
        if id(row) in titles:
            title = row.texts[0]
            continue
        for line in row_texts(*named_cells(row, names)):
            yield TableLine(f"{title}; {line}" if title else line, (row.number, row.number))


def _titles(body: Sequence[Row], width: int) -> set[int]:
    """Return the rows that are titles of those below; one at the very end is a remark and read as a row."""
    last = max((at for at, row in enumerate(body) if not row.is_across(width)), default=-1)
    return {id(row) for at, row in enumerate(body) if at < last and row.is_across(width)}


def named_cells(row: Row, names: Sequence[str] | None) -> tuple[list[str] | None, list[str]]:
    """Return names and texts of a row, a cell over several columns once with their names together."""
    if len(set(row.origins)) == len(row.origins):
        return list(names) if names else None, row.texts
    own: list[str] = []
    texts: list[str] = []
    for column, (text, origin) in enumerate(zip(row.texts, row.origins, strict=True)):
        name = names[column] if names and column < len(names) else ""
        if column and origin == row.origins[column - 1]:
            own[-1] = ", ".join(dict.fromkeys(filter(None, (own[-1], name))))
            continue
        own.append(name)
        texts.append(text)
    return (own if names else None), texts


def header_rows(rows: Sequence[Row]) -> int:
    """Return how many rows at the top name the columns: those that are marked, or look like names."""
    width = max((len(row.texts) for row in rows), default=0)
    if len(rows) < 2 or width < 2:
        return 0
    marked = 0
    while marked < min(len(rows), _MAX_HEADER) and rows[marked].naming and not rows[marked].is_across(width):
        marked += 1
    if marked == len(rows):
        return 0
    if not marked and not names_columns(rows[0], rows[1:]):
        return 0
    header = max(marked, 1)
    while header < min(len(rows) - 1, _MAX_HEADER) and _has_second_level(
        rows[header - 1], rows[header], rows[header + 1 :]
    ):
        header += 1
    return header


def names_columns(row: Row, below: Sequence[Row]) -> bool:
    """Return whether a row has names of columns and no values, judged with the rows below it."""
    return are_names(once(row), [other.texts for other in below]) and not _is_alike(row, below)


def _is_alike(row: Row, below: Sequence[Row]) -> bool:
    """Return whether a row is one of those below it: it has a value where they have values, or a word that recurs."""
    below = [other for other in below if other.texts != row.texts]
    if len(below) < 2:
        return False
    for column, text in enumerate(row.texts):
        if not text:
            continue
        others = [
            other.texts[column]
            for other in below
            if column < len(other.texts) and other.texts[column] and other.origins[column] != row.origins[column]
        ]
        if len(others) * 2 > len(below) and others.count(text) * 3 > len(others):
            return True
        if VALUE.match(text) and not YEAR.fullmatch(text) and others and all(map(VALUE.match, others)):
            return True
    return False


def once(row: Row) -> list[str]:
    """Return the texts of a row's cells, each once whatever it covers."""
    return [text for at, text in enumerate(row.texts) if not at or row.origins[at] != row.origins[at - 1]]


def _has_second_level(above: Row, row: Row, below: Sequence[Row]) -> bool:
    """Return whether a row divides the columns that the row above names together, by cells over them or by blanks."""
    spans = [at for at in range(1, len(above.texts)) if above.origins[at] == above.origins[at - 1] and above.texts[at]]
    blanks = [at for at in range(1, len(above.texts)) if not above.texts[at] and above.texts[at - 1]]
    divided = spans or blanks
    if not divided or not all(at < len(row.texts) and row.texts[at] for at in divided):
        return False
    alone = [at for at in range(len(above.texts)) if at not in divided and at + 1 not in divided]
    if any(at < len(row.texts) and row.texts[at] not in ("", above.texts[at]) for at in alone):
        return False
    own = [text for at, text in enumerate(row.texts) if text and row.origins[at] not in above.origins]
    values_below = Counter(text for other in below for text in other.texts)
    return (
        bool(own)
        and are_names(list(dict.fromkeys(own)), [other.texts for other in below])
        and not any(values_below[text] for text in own)
    )


def column_names(header: Sequence[Row]) -> list[str] | None:
    """Return the names of the columns, outer ones first; a blank takes the name at its left, twins get numbers."""
    if not header:
        return None
    width = max(len(row.texts) for row in header)
    parts: list[list[str]] = [[] for _ in range(width)]
    for level, row in enumerate(header):
        before = ""
        for column in range(width):
            text = row.texts[column] if column < len(row.texts) else ""
            below = any(column < len(other.texts) and other.texts[column] for other in header[level + 1 :])
            text = text or (before if below else "")
            before = text
            if text and text not in parts[column]:
                parts[column].append(text)
    return _numbered([" ".join(each) for each in parts])


def _numbered(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    numbered: list[str] = []
    for name in names:
        seen[name] += 1
        numbered.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    return numbered


def leading_blanks(rows: Sequence[Row]) -> int:
    """Return how many columns at the left leave out a value that repeats, written once for the rows that share it.

    Only words are left out so: a blank number is a missing number.
    """
    width = max((len(row.texts) for row in rows), default=0)
    if not rows:
        return 0
    for column in range(min(2, width - 1)):
        values = [row.texts[column] if column < len(row.texts) else "" for row in rows]
        beside = [row.texts[column + 1] if column + 1 < len(row.texts) else "" for row in rows]
        words = not any(value.replace(".", "").replace(",", "").isdecimal() for value in values)
        complete = sum(map(bool, beside)) >= 0.9 * len(rows)
        if not (values[0] and not all(values) and words and complete):
            return column
    return max(0, min(2, width - 1))


def filled_down(rows: Sequence[Row]) -> None:
    """Fill the blanks of leading columns with the value above. A row with few other cells is a total and left alone."""
    width = max((len(row.texts) for row in rows), default=0)
    for column in range(leading_blanks(rows)):
        above = ""
        for row in rows:
            if row.texts[column : column + 1] == [""] and row.filled * 2 >= width - 1:
                row.texts[column] = above
            above = row.texts[column] if column < len(row.texts) else above
