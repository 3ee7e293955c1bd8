"""Rows of tables as lines of text that can be read alone: each cell after the name of its column."""

import re
from collections.abc import Iterator, Sequence

# A row of many columns is split into parts of about this many characters, each beginning with the first cell.
_ROW_CHARS = 700
_FIRST_CELL_CHARS = 80
VALUE = re.compile(r"[-+(]?[$€£]?\s*\d[\d\s.,:/'-]*\s*[%€$£)]?\Z")
YEAR = re.compile(r"(?:19|20)\d\d")
_NAME_CHARS = 100


def row_texts(header: Sequence[str] | None, cells: Sequence[str]) -> Iterator[str]:
    """Yield `Name: value; Name: value` with a header, else `value | value`; empty cells are left out."""
    pieces = [_with_name(header, number, cell) for number, cell in enumerate(cells) if cell]
    mark = "; " if header else " | "
    line = mark.join(pieces)
    if len(line) <= _ROW_CHARS:
        if line:
            yield line
        return
    part: list[str] = []
    size = 0
    for piece in pieces:
        if part and size + len(piece) > _ROW_CHARS:
            yield mark.join(part)
            part = [pieces[0]] if len(pieces[0]) <= _FIRST_CELL_CHARS else []
            size = sum(map(len, part))
        part.append(piece)
        size += len(piece) + len(mark)
    if part:
        yield mark.join(part)


def _with_name(header: Sequence[str] | None, number: int, cell: str) -> str:
    if header and number < len(header) and header[number]:
        return f"{header[number]}: {cell}"
    return cell


def are_names(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether a first row contains names of columns and no values, judged with the rows below it."""
    filled = [cell for cell in cells if cell]
    if any(len(cell) > _NAME_CHARS for cell in filled) or len(set(filled)) < len(filled) * 0.7:
        return False
    years = sum(1 for cell in filled if YEAR.fullmatch(cell))
    values = sum(1 for cell in filled if VALUE.match(cell)) - years
    if values * 4 > len(filled) or (years and years == len(filled)):
        return False
    # One column of words may be a plain list; it has a header only if its name never comes again.
    return len(cells) > 1 or (bool(below) and all(VALUE.match(row[0]) for row in below if row))
