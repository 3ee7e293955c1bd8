"""Parser of CSV and its relatives: rows numbered as in a spreadsheet, the first one naming the columns."""

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode
from app.library.parsers.limits import Limits
from app.library.parsers.media import CSV
from app.library.parsers.outline import Outline, Where
from app.library.parsers.rows import VALUE, are_names, row_texts
from app.library.parsers.tables import Row, column_names, header_rows, leading_blanks

_DELIMITERS = (",", ";", "\t", "|", "^", ":")
_SAMPLE_CHARS = 100_000
_SAMPLE_ROWS = 100
_SWALLOWED_LINES = 10

Rows = Iterator[tuple[int, list[str]]]


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: file_too_complex; empty_file."""
    text = clean(decode(path.read_bytes()))
    # The csv module's default limit of 128 kB a cell would refuse a valid long text.
    csv.field_size_limit(limits.text_chars)
    delimiter, quoted = _dialect(text)
    sheet = _Sheet(list(_rows(text[:_SAMPLE_CHARS], delimiter, quoted))[:_SAMPLE_ROWS])
    outline = Outline(limits)
    count = 0
    for number, cells in _rows(text, delimiter, quoted):
        if number in sheet.header:
            if number == sheet.header[-1]:
                shown = " | ".join(dict.fromkeys(name for name in sheet.names or () if name))
                outline.add("table_row", shown, Where(rows=(sheet.header[0], number)))
                named_at = len(outline.blocks) - 1
            continue
        below = bool(sheet.header) and number > sheet.header[-1]
        count += below
        for line in sheet.lines(cells, below):
            outline.add("table_row", line, Where(rows=(number, number)))
    if not outline.blocks:
        raise ParseError("empty_file", "no cell with text")
    if count > 1:
        header = outline.blocks[named_at]
        outline.blocks[named_at] = replace(header, text=f"{header.text} ({count:,} rows)")
    return Parsed(tuple(outline.blocks), CSV)


class _Sheet:
    """What the first rows say of a sheet: which of them name the columns, and how its rows are to be read.

    header: the numbers of the rows that name the columns. filled: leading columns whose blanks repeat the value above.
    """

    def __init__(self, sample: Sequence[tuple[int, list[str]]]) -> None:
        self.header: list[int] = []
        self.names: list[str] | None = None
        self.filled = 0
        self.pairs = _are_pairs(sample)
        place = None if self.pairs else _header_place(sample)
        rows = _laid(sample[place or 0 :])
        if place is not None:
            self.header = [row.number for row in rows[: max(1, header_rows(rows))]]
            self.names = column_names(rows[: len(self.header)])
            self.filled = leading_blanks(rows[len(self.header) :])
        self._above: list[str] = []

    def lines(self, cells: list[str], below: bool) -> Iterator[str]:
        """Yield the lines of a row. below: it is below the header."""
        if below and self.filled:
            cells = self._with_blanks_filled(cells)
        if self.pairs and len(cells) == 2 and all(cells):
            yield f"{cells[0].rstrip(' :')}: {cells[1]}"
            return
        yield from row_texts(self.names if below else None, cells)

    def _with_blanks_filled(self, cells: list[str]) -> list[str]:
        filled = list(cells)
        # A row with little else is a total or a remark.
        if _width(cells) * 2 >= len(self.names or ()) - 1:
            for column in range(min(self.filled, len(cells))):
                if not filled[column] and column < len(self._above):
                    filled[column] = self._above[column]
        self._above = filled
        return filled


def _laid(rows: Sequence[tuple[int, list[str]]]) -> list[Row]:
    """Return rows of the grid: in a sheet of text every cell stands for itself."""
    return [
        Row(cells, list(range(at * 1000, at * 1000 + len(cells))), False, number)
        for at, (number, cells) in enumerate(rows)
    ]


def _rows(text: str, delimiter: str, quoted: bool) -> Rows:
    """Yield (row, cells) of rows that are not blank."""
    reader = csv.reader(
        StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        skipinitialspace=True,
    )
    try:
        for number, cells in enumerate(reader, 1):
            texts = [" ".join(cell.split()) for cell in cells]
            if any(texts):
                yield number, texts
    except csv.Error as error:
        raise ParseError("broken_file", f"row {reader.line_num}: {error}") from error


def _dialect(text: str) -> tuple[str, bool]:
    """Return the delimiter, and whether quotation marks quote."""
    sample = text[:_SAMPLE_CHARS]
    if len(text) > _SAMPLE_CHARS:
        sample = sample[: sample.rfind("\n") + 1] or sample
    scores = {delimiter: _score(sample, delimiter) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=scores.__getitem__)
    if scores[delimiter] <= 0:
        delimiter = ","
    return delimiter, not _is_swallowed(text, delimiter)


def _score(sample: str, delimiter: str) -> float:
    """Return a score: the columns of most rows, times the share of rows that have just these."""
    reader = csv.reader(StringIO(sample, newline=""), delimiter=delimiter, skipinitialspace=True)
    widths = Counter(len(cells) for cells, _ in zip((row for row in reader if row), range(_SAMPLE_ROWS), strict=False))
    if not widths:
        return 0.0
    width, rows = max(widths.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
    if width < 2:
        return 0.0
    # Ordinary text has commas and colons too: the equal number in every row decides, not the number itself.
    agreement = rows / widths.total()
    return agreement * agreement * math.sqrt(min(width, 10)) * (0.5 if delimiter in ":^" else 1.0)


def _is_swallowed(text: str, delimiter: str) -> bool:
    """Return whether an unclosed quotation mark turned rows into one cell."""
    if '"' not in text:
        return False
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return any(_holds_rows(cell, delimiter) for cells in reader for cell in cells if "\n" in cell)


def _holds_rows(cell: str, delimiter: str) -> bool:
    lines = cell.split("\n")
    counts = Counter(line.count(delimiter) for line in lines)
    alike = sum(rows for marks, rows in counts.items() if marks)
    return len(lines) > _SWALLOWED_LINES and counts.most_common(1)[0][0] > 0 and alike > 0.9 * len(lines)


def _are_pairs(rows: Sequence[tuple[int, list[str]]]) -> bool:
    """Return whether a sheet is names with their values beside them: the values are of several kinds."""
    cells = [cells for _, cells in rows if _width(cells) > 1]
    keys = [row[0] for row in cells]
    if len(cells) < 2 or len(rows) >= _SAMPLE_ROWS or any(len(row) != 2 for row in cells) or len(set(keys)) < len(keys):
        return False
    numbers = sum(1 for row in cells[1:] if VALUE.match(row[1]))
    return not any(map(VALUE.match, keys)) and 0 < numbers < len(cells) - 1


def _header_place(rows: Sequence[tuple[int, list[str]]]) -> int | None:
    """Return where the names of the columns begin: at the first row as wide as most, when it contains no values."""
    if not rows:
        return None
    width = Counter(_width(cells) for _, cells in rows).most_common(1)[0][0]
    for place, (_, cells) in enumerate(rows[:10]):
        if _width(cells) >= max(2, width * 0.6) or width < 2:
            return place if are_names(cells, [row for _, row in rows[place + 1 :]]) else None
    return None


def _width(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell)
