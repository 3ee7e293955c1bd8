"""Tables of Word as rows of a grid."""

from collections.abc import Callable, Iterator

from lxml import etree

from app.library.parsers.docx_styles import W
from app.library.parsers.docx_text import MC, ParagraphText
from app.library.parsers.tables import Cell, Row, grid

CONTAINERS = frozenset(
    {
        *(f"{W}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo", "txbxContent")),
        *(f"{MC}{name}" for name in ("AlternateContent", "Choice")),
    }
)
# A table inside a cell up to this size is part of the cell's text; a larger one makes the outer table a layout.
_INNER_ROWS = 8
_INNER_CHARS = 400

CellText = Callable[[etree._Element], tuple[str, ParagraphText]]


def table_of(table: etree._Element, text_of: CellText) -> tuple[list[Row], list[ParagraphText]] | None:
    """Return the rows of a table and what its paragraphs refer to; None for a table that only arranges a page.

    text_of: the text of a paragraph.
    """
    rows = list(_within(table, f"{W}tr"))
    cells = [list(_within(row, f"{W}tc")) for row in rows]
    inner = [each for row in cells for cell in row for each in cell.iter(f"{W}tbl")]
    if max(map(len, cells), default=0) < 2 or (inner and len(rows) < 2) or not all(map(_is_small, inner)):
        return None
    referred: list[ParagraphText] = []
    laid: list[list[Cell]] = []
    open_cells: dict[int, tuple[int, int]] = {}
    for number, (row, row_cells) in enumerate(zip(rows, cells, strict=True)):
        laid.append([Cell("") for _ in range(_before(row))])
        column = len(laid[-1])
        for cell in row_cells:
            across = _number(cell, "gridSpan")
            merged = cell.find(f"{W}tcPr/{W}vMerge")
            begun = open_cells.get(column)
            if merged is not None and merged.get(f"{W}val") != "restart" and begun is not None:
                # Continued from above: the cell there covers this row too.
                at, place = begun
                above = laid[at][place]
                laid[at][place] = Cell(above.text, above.across, above.down + 1, above.naming)
            else:
                open_cells[column] = (number, len(laid[-1]))
                laid[-1].append(Cell(_cell_text(cell, text_of, referred), across))
            column += across
    marked = [row.find(f"{W}trPr/{W}tblHeader") is not None for row in rows]
    return grid(laid, marked), referred


def _within(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    """Yield rows of a table or cells of a row, also inside content controls."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in CONTAINERS:
            yield from _within(child, tag)


def _is_small(table: etree._Element) -> bool:
    text = "".join(each.text or "" for each in table.iter(f"{W}t"))
    return sum(1 for _ in table.iter(f"{W}tr")) <= _INNER_ROWS and len(text) <= _INNER_CHARS


def _number(cell: etree._Element, name: str) -> int:
    span = cell.find(f"{W}tcPr/{W}{name}")
    value = span.get(f"{W}val", "1") if span is not None else "1"
    return min(max(1, int(value)), 100) if value.isdecimal() and len(value) < 7 else 1


def _before(row: etree._Element) -> int:
    """Return how many columns a row leaves out at its left."""
    skipped = row.find(f"{W}trPr/{W}gridBefore")
    value = skipped.get(f"{W}val", "0") if skipped is not None else "0"
    return min(int(value), 100) if value.isdecimal() and len(value) < 7 else 0


def _cell_text(cell: etree._Element, text_of: CellText, referred: list[ParagraphText]) -> str:
    """Return the text of a cell; of a small table in it, the rows with commas between."""
    parts: list[str] = []
    for child in cell:
        parts.extend(_texts(child, text_of, referred))
    return " ".join(filter(None, parts))


def _texts(element: etree._Element, text_of: CellText, referred: list[ParagraphText]) -> Iterator[str]:
    if element.tag == f"{W}p":
        text, read = text_of(element)
        yield text
        boxes, read.boxes = read.boxes, []
        referred.append(read)
        for box in boxes:
            for child in box:
                yield from _texts(child, text_of, referred)
    elif element.tag == f"{W}tbl":
        rows = [
            " ".join(filter(None, (_cell_text(cell, text_of, referred) for cell in _within(row, f"{W}tc"))))
            for row in _within(element, f"{W}tr")
        ]
        yield ", ".join(filter(None, rows))
    elif element.tag in CONTAINERS:
        for child in element:
            yield from _texts(child, text_of, referred)
