"""Tables of HTML: which are data, and their rows as lines."""

from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborNode

from app.library.parsers.rows import row_texts
from app.library.parsers.tables import MAX_SPAN, Cell, grid, table_lines

# A table inside a cell up to this size is part of the cell's text; a larger one makes the outer table a layout.
_INNER_ROWS = 8
_INNER_CHARS = 400

CellText = Callable[[LexborNode], str]


def is_data_table(table: LexborNode) -> bool:
    """Return whether it is a data table: a layout table has headings, forms, large tables in it, or one column."""
    if (table.attributes.get("role") or "") in ("presentation", "none"):
        return False
    # Deeper nesting is a layout. Asked first, since it answers at once for a page of ten thousand nested tables.
    if table.css_first("table table table, h1, h2, h3, h4, form") is not None:
        return False
    if any(len(pre.text()) > _INNER_CHARS for pre in table.css("pre")):
        return False
    rows = own_rows(table)
    if not any(len(_cells(row)) > 1 for row in rows):
        return False
    inner = table.css("table table")
    return all(_is_small(each) for each in inner) and (not inner or len(rows) > 1)


def _is_small(table: LexborNode) -> bool:
    return len(table.css("tr")) <= _INNER_ROWS and len(table.text()) <= _INNER_CHARS


def own_rows(table: LexborNode) -> list[LexborNode]:
    """Return the rows of a table, without those of tables inside it."""
    rows: list[LexborNode] = []
    for child in table.iter():
        rows.extend([child] if child.tag == "tr" else [row for row in child.iter() if row.tag == "tr"])
    return rows


def _cells(row: LexborNode) -> list[LexborNode]:
    return [cell for cell in row.iter() if cell.tag in ("td", "th")]


def table_rows(table: LexborNode, text_of: CellText) -> Iterator[str]:
    """Yield the caption, the header and the rows. text_of: the shown text of a cell, on one line."""
    caption = table.css_first("caption")
    if caption is not None and caption.parent == table:
        yield text_of(caption)
    rows = own_rows(table)
    cells = [
        [
            Cell(
                inner_text(cell, text_of),
                _span(cell, "colspan"),
                _span(cell, "rowspan"),
                cell.tag == "th" or _is_all_bold(cell),
            )
            for cell in _cells(row)
        ]
        for row in rows
    ]
    marked = [row.parent is not None and row.parent.tag == "thead" for row in rows]
    yield from (line.text for line in table_lines(grid(cells, marked)))


def inner_text(cell: LexborNode, text_of: CellText) -> str:
    """Return the text of a cell; of a small table in it, the rows with commas between."""
    inner = cell.css_first("table")
    if inner is None:
        return text_of(cell)
    rows = [" ".join(filter(None, map(text_of, _cells(row)))) for row in inner.css("tr")]
    return ", ".join(filter(None, rows)) or next(row_texts(None, [text_of(cell)]), "")


def _is_all_bold(cell: LexborNode) -> bool:
    """Return whether all of a cell's text is in bold type: a heading that is not marked as one."""
    bold = cell.css_first("b, strong")
    return bold is not None and bold.text(strip=True) != "" and bold.text(strip=True) == cell.text(strip=True)


def _span(cell: LexborNode, name: str) -> int:
    value = (cell.attributes.get(name) or "").strip()
    return min(MAX_SPAN, int(value)) if value.isdecimal() and int(value) > 0 else 1
