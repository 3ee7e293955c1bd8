"""Parser of CSV and its relatives, read as a stream: rows numbered as in a spreadsheet, see `sheets.py`."""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from io import StringIO, TextIOWrapper
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, encoding_of
from app.library.parsers.limits import Limits
from app.library.parsers.media import CSV
from app.library.parsers.outline import Outline
from app.library.parsers.sheets import SheetFull, SheetWriter

_DELIMITERS = (",", ";", "\t", "|", "^", ":")
_SAMPLE_CHARS = 100_000
_SAMPLE_ROWS = 100
_SWALLOWED_LINES = 10


class _Swallowed(Exception):
    """Raised when an unclosed quotation mark turned rows into one cell."""


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file, as far as the limits go. Errors: file_too_complex; broken_file; empty_file."""
    # The csv module's default limit of 128 kB a cell would refuse a valid long text.
    csv.field_size_limit(limits.text_chars)
    with path.open("rb") as file:
        encoding, errors, mark = encoding_of(file)
        file.seek(mark)
        with TextIOWrapper(file, encoding=encoding, errors=errors, newline="") as text:
            delimiter = _delimiter(clean(text.read(_SAMPLE_CHARS)))
    for quoted in (True, False):
        with path.open("rb") as file:
            file.seek(mark)
            with TextIOWrapper(file, encoding=encoding, errors=errors, newline="") as text:
                try:
                    return _parsed(_lines(text, limits), delimiter, limits, quoted=quoted)
                except _Swallowed:
                    continue
    raise AssertionError("nothing is swallowed without quotation marks")


def _parsed(lines: Iterator[str], delimiter: str, limits: Limits, *, quoted: bool) -> Parsed:
    outline = Outline(limits)
    writer = SheetWriter(outline)
    warnings: tuple[str, ...] = ()
    try:
        for number, texts in _rows(lines, delimiter, quoted):
            writer.row(number, texts)
        writer.close()
    except SheetFull as full:
        warnings = (f"rows_not_read:{full.place}",)
    if not outline.blocks:
        raise ParseError("empty_file", "no cell with text")
    return Parsed(tuple(outline.blocks), CSV, warnings=warnings)


def _lines(text: TextIOWrapper, limits: Limits) -> Iterator[str]:
    while line := text.readline(limits.text_chars):
        if len(line) >= limits.text_chars:
            raise ParseError("file_too_complex", f"a line of more than {limits.text_chars:,} characters")
        yield clean(line)


def _rows(lines: Iterator[str], delimiter: str, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield (row, texts) of rows that are not blank. Errors: _Swallowed."""
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        skipinitialspace=True,
    )
    last = 0
    try:
        for number, cells in enumerate(reader, 1):
            long = quoted and reader.line_num - last > _SWALLOWED_LINES
            if long and any(_holds_rows(cell, delimiter) for cell in cells if "\n" in cell):
                raise _Swallowed
            last = reader.line_num
            texts = [" ".join(cell.split()) for cell in cells]
            if any(texts):
                yield number, texts
    except csv.Error as error:
        if quoted and "field limit" in str(error):
            raise _Swallowed from error
        raise ParseError("broken_file", f"row {reader.line_num}: {error}") from error


def _delimiter(sample: str) -> str:
    """Return the delimiter by the beginning of a file."""
    if len(sample) >= _SAMPLE_CHARS:
        sample = sample[: sample.rfind("\n") + 1] or sample
    scores = {delimiter: _score(sample, delimiter) for delimiter in _DELIMITERS}
    delimiter = max(_DELIMITERS, key=scores.__getitem__)
    return delimiter if scores[delimiter] > 0 else ","


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


def _holds_rows(cell: str, delimiter: str) -> bool:
    lines = cell.split("\n")
    counts = Counter(line.count(delimiter) for line in lines)
    alike = sum(rows for marks, rows in counts.items() if marks)
    return len(lines) > _SWALLOWED_LINES and counts.most_common(1)[0][0] > 0 and alike > 0.9 * len(lines)
