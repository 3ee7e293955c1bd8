"""Parser of CSV and its relatives: rows numbered as in a spreadsheet, the first one naming the columns."""

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode
from app.library.parsers.limits import Limits
from app.library.parsers.media import CSV
from app.library.parsers.outline import Outline, Where
from app.library.parsers.rows import are_names, row_texts

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
    outline = Outline(limits)
    header = _header(list(_rows(text[:_SAMPLE_CHARS], delimiter, quoted))[:_SAMPLE_ROWS])
    header_row = header[0] if header else 0
    for number, cells in _rows(text, delimiter, quoted):
        if number == header_row:
            continue
        titles = header[1] if header and number > header_row else None
        for line in row_texts(titles, cells):
            outline.add("table_row", line, Where(rows=(number, number)))
    if header and not outline.blocks:
        outline.add("table_row", " | ".join(cell for cell in header[1] if cell), Where(rows=(header_row, header_row)))
    if not outline.blocks:
        raise ParseError("empty_file", "no cell with text")
    return Parsed(tuple(outline.blocks), CSV)


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


def _header(rows: Sequence[tuple[int, list[str]]]) -> tuple[int, list[str]] | None:
    """Return (row, names of the columns): the first row as wide as most, when it contains names and not values."""
    if len(rows) < 1:
        return None
    width = Counter(_width(cells) for _, cells in rows).most_common(1)[0][0]
    for place, (number, cells) in enumerate(rows[:10]):
        if _width(cells) >= max(2, width * 0.6) or width < 2:
            return (number, cells) if are_names(cells, [row for _, row in rows[place + 1 :]]) else None
    return None


def _width(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell)
