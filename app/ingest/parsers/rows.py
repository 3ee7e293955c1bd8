"""A table's row as a line of text that can be read alone: each cell after the name of its column."""

from collections.abc import Iterator, Sequence

# A row of many columns is told in parts of about this many characters, each beginning with the first cell.
_ROW_CHARS = 700
_FIRST_CELL_CHARS = 80


def row_texts(header: Sequence[str] | None, cells: Sequence[str]) -> Iterator[str]:
    """`Name: value; Name: value` with a header, else `value | value`; empty cells are left out."""
    named = [_named(header, number, cell) for number, cell in enumerate(cells) if cell]
    mark = "; " if header else " | "
    part: list[str] = []
    size = 0
    for piece in named:
        if part and size + len(piece) > _ROW_CHARS:
            yield mark.join(part)
            part = [named[0]] if len(named[0]) <= _FIRST_CELL_CHARS else []
            size = sum(map(len, part))
        part.append(piece)
        size += len(piece) + len(mark)
    if part:
        yield mark.join(part)


def _named(header: Sequence[str] | None, number: int, cell: str) -> str:
    if header and number < len(header) and header[number]:
        return f"{header[number]}: {cell}"
    return cell
