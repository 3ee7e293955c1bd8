"""Tables of OpenDocument as rows of a grid."""

from collections.abc import Callable, Iterator

from lxml import etree

from app.library.parsers.odf_styles import TABLE, TEXT
from app.library.parsers.tables import Cell, Row, grid

_ROWS = frozenset(f"{TABLE}{name}" for name in ("table-rows", "table-row-group", "table-header-rows"))
# A table inside a cell up to this size is part of the cell's text; a larger one makes the outer table a layout.
_INNER_ROWS = 8
_INNER_CHARS = 400
# Repeated cells and rows beyond these are blank space.
_MAX_REPEATED = 200

CellText = Callable[[etree._Element], str]


def table_of(table: etree._Element, text_of: CellText) -> list[Row] | None:
    """Return the rows of a table; None for a table that only arranges a page. text_of: the text of a cell."""
    rows = list(_rows(table, marked=False))
    cells = [[cell for cell in row if cell.tag == f"{TABLE}table-cell"] for row, _ in rows]
    inner = [each for row in cells for cell in row for each in cell.iter(f"{TABLE}table")]
    width = max((sum(_number(cell, "number-columns-spanned") for cell in row) for row in cells), default=0)
    if width < 2 or (inner and len(rows) < 2) or not all(map(_is_small, inner)):
        return None
    named = table.get(f"{TABLE}use-first-row-styles") == "true"
    laid: list[list[Cell]] = []
    marked: list[bool] = []
    for (row, is_header), row_cells in zip(rows, cells, strict=True):
        found: list[Cell] = []
        for cell in row_cells:
            text = text_of(cell)
            across, down = _number(cell, "number-columns-spanned"), _number(cell, "number-rows-spanned")
            found += [Cell(text, across, down)] * _number(cell, "number-columns-repeated")
        repeated = _number(row, "number-rows-repeated") if any(cell.text for cell in found) else 1
        laid += [found] * repeated
        marked += [is_header or (named and not marked)] * repeated
    return grid(laid, marked)


def _rows(element: etree._Element, *, marked: bool) -> Iterator[tuple[etree._Element, bool]]:
    """Yield the rows of a table, and whether they are marked as its header."""
    for child in element:
        if child.tag == f"{TABLE}table-row":
            yield child, marked
        elif child.tag in _ROWS:
            yield from _rows(child, marked=marked or child.tag == f"{TABLE}table-header-rows")


def inner_rows(table: etree._Element, text_of: CellText) -> str:
    """Return a small table in a cell as text, its rows with commas between."""
    rows = [
        " ".join(filter(None, (text_of(cell) for cell in row if cell.tag == f"{TABLE}table-cell")))
        for row, _ in _rows(table, marked=False)
    ]
    return ", ".join(filter(None, rows))


def _is_small(table: etree._Element) -> bool:
    text = sum(len(text) for each in table.iter(f"{TEXT}p") for text in each.itertext())
    return sum(1 for _ in table.iter(f"{TABLE}table-row")) <= _INNER_ROWS and text <= _INNER_CHARS


def _number(element: etree._Element, name: str) -> int:
    value = element.get(f"{TABLE}{name}", "1")
    return min(max(1, int(value)), _MAX_REPEATED) if value.isdecimal() and len(value) < 9 else 1
