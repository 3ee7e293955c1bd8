"""Tables of HTML as rows with the names of their columns."""

from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from app.library.parsers.encoding import one_line
from app.library.parsers.rows import row_texts

# Beyond these a span is a mistake or an attack, not a table.
_MAX_SPAN = 200
_MAX_COLUMNS = 1000


def is_data_table(table: LexborNode) -> bool:
    """Return whether it is a data table: a layout table has headings, lists, further tables, or a single column."""
    if (table.attributes.get("role") or "") in ("presentation", "none"):
        return False
    if table.css_first("table table, h1, h2, h3, h4, form, pre") is not None:
        return False
    return any(len(row.css("td, th")) > 1 for row in table.css("tr"))


def table_rows(table: LexborNode) -> Iterator[str]:
    caption = table.css_first("caption")
    if caption is not None:
        yield one_line(caption.text(separator=" "))
    grid = list(_grid(table))
    headers = 0
    while headers < len(grid) and headers < 3 and grid[headers][0]:
        headers += 1
    if headers == len(grid):
        headers = 0
    names = _names([cells for _, cells in grid[:headers]])
    for _, cells in grid[headers:]:
        yield from row_texts(names, cells)


def _names(rows: list[list[str]]) -> list[str] | None:
    """Return the names of the columns; a heading over several columns is prepended to each of theirs."""
    if not rows:
        return None
    names: list[str] = []
    for column in range(max(map(len, rows))):
        parts = [row[column] for row in rows if column < len(row) and row[column]]
        names.append(" ".join(dict.fromkeys(parts)))
    return names


def _grid(table: LexborNode) -> Iterator[tuple[bool, list[str]]]:
    """Yield (whether it names columns, cells) per row.

    A cell over several columns fills them only in a row of names; a cell over several rows is repeated, so that each
    row can be read alone.
    """
    down: dict[int, tuple[int, str]] = {}
    for row in table.css("tr"):
        elements = list(row.css("td, th"))
        in_head = row.parent is not None and row.parent.tag == "thead"
        naming = bool(elements) and (in_head or all(cell.tag == "th" for cell in elements))
        cells: list[str] = []
        for cell in elements:
            _fill_down(cells, down)
            text = one_line(cell.text(separator=" "))
            across, rows = _span(cell, "colspan"), _span(cell, "rowspan")
            for extra in range(across):
                if len(cells) >= _MAX_COLUMNS:
                    break
                if rows > 1:
                    down[len(cells)] = (rows - 1, text if not extra or naming else "")
                cells.append(text if not extra or naming else "")
        _fill_down(cells, down)
        yield naming, cells


def _fill_down(cells: list[str], down: dict[int, tuple[int, str]]) -> None:
    while len(cells) in down:
        column = len(cells)
        remaining, text = down.pop(column)
        if remaining > 1:
            down[column] = (remaining - 1, text)
            cells.append(text)
            continue
        cells.append(text)


def _span(cell: LexborNode, name: str) -> int:
    value = (cell.attributes.get(name) or "").strip()
    return min(_MAX_SPAN, int(value)) if value.isdecimal() and int(value) > 0 else 1
