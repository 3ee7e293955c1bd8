"""Rows and cells of a table in a PDF, and the columns that they stand in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.library.parsers.pdf_lines import BREAK, Line
from app.library.parsers.rows import VALUE

# Longer lines are text between tables, unless they fit into the first column.
CELL_CHARS = 60
NOTHING = frozenset({"—", "–", "-", "n/a", *"☐☒☑✓✔✗✘"})
_SIGN_AT_END = re.compile(r"([$€£¥])\s*\Z")
_YEAR_OR_DATE = re.compile(r"(?:19|20)\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d")
_AMOUNT = re.compile(r"[$€£¥]?\s*(?:\([\d.,]+\)|-?[\d.,]+)\s*%?|[—–-]")

Span = tuple[float, float]


@dataclass(slots=True)
class PdfCell:
    """A cell; first, last: the columns that it stands in, once they are known."""

    text: str
    x0: float
    x1: float
    first: int = 0
    last: int = 0


@dataclass(slots=True)
class PdfRow:
    """A row with the lines that it was made of; `cells` from left to right."""

    lines: list[Line]
    cells: list[PdfCell]

    @property
    def label(self) -> str:
        """Return the text in the first column, "" for none."""
        return self.cells[0].text if self.cells[0].first == 0 else ""

    @property
    def beside(self) -> list[PdfCell]:
        return [cell for cell in self.cells if cell.first > 0]

    @property
    def may_name(self) -> bool:
        """Return whether the cells beside the first column may be names: there are some, and no values but dates."""
        texts = [cell.text for cell in self.beside]
        return bool(texts) and not any(
            text in NOTHING or (VALUE.match(text) and not _YEAR_OR_DATE.fullmatch(text)) for text in texts
        )

    @property
    def is_unit(self) -> bool:
        """Return whether the row is a unit in brackets, which holds for all columns."""
        return len(self.cells) == 1 and self.cells[0].text.startswith("(")

    @property
    def bold(self) -> bool:
        return all(line.bold for line in self.lines)


def row_of(line: Line) -> PdfRow:
    spans = line.cells or ((0, len(line.text), line.x0, line.x1),)
    cells = [PdfCell(line.text[start:end].replace(BREAK, "-").strip(), x0, x1) for start, end, x0, x1 in spans]
    return PdfRow([line], _with_signs(cells))


def _with_signs(cells: Sequence[PdfCell]) -> list[PdfCell]:
    """Return cells with each currency sign at the amount after it, at any distance."""
    joined: list[PdfCell] = []
    for cell in cells:
        if joined and (sign := _SIGN_AT_END.search(joined[-1].text)):
            joined[-1].text = joined[-1].text[: sign.start()].strip()
            cell.text = f"{sign[1]} {cell.text}"
            if not joined[-1].text:
                joined.pop()
        joined.append(cell)
    return joined


def columns_of(rows: Sequence[PdfRow]) -> list[Span]:
    """Return the extents of the columns, none when the cells of the fullest rows do not stand above each other."""
    most = max(len(row.cells) for row in rows)
    spans = sorted((cell.x0, cell.x1) for row in rows if len(row.cells) == most for cell in row.cells)
    columns: list[Span] = []
    for x0, x1 in spans:
        if columns and x0 < columns[-1][1]:
            columns[-1] = columns[-1][0], max(columns[-1][1], x1)
        else:
            columns.append((x0, x1))
    return columns if len(columns) == most else []


def place(rows: Sequence[PdfRow], columns: Sequence[Span]) -> None:
    """Give each cell its columns: those that it overlaps, else the nearest."""
    for row in rows:
        for cell in row.cells:
            over = [at for at, (x0, x1) in enumerate(columns) if cell.x0 < x1 and cell.x1 > x0]
            if not over and len(row.cells) == 1:
                over = [0]
            elif not over:
                over = [min(range(len(columns)), key=lambda at: abs(sum(columns[at]) - cell.x0 - cell.x1))]
            cell.first, cell.last = over[0], over[-1]


def split(rows: Sequence[PdfRow], columns: Sequence[Span]) -> None:
    """Split cells over several columns at gaps that lie between columns."""
    between = [(left[1], right[0]) for left, right in pairwise(columns)]
    for row in rows:
        [line] = row.lines
        cells: list[PdfCell] = []
        for cell in row.cells:
            inside = [gap for gap in line.gaps if cell.x0 < gap[1] and gap[2] < cell.x1]
            cuts = [gap for gap in inside if any(gap[1] < right and gap[2] > left for left, right in between)]
            if cell.first == cell.last or not cuts or line.text.count(cell.text) != 1:
                cells.append(cell)
                continue
            at, x0, base = 0, cell.x0, line.text.index(cell.text)
            for offset, before, after in cuts:
                cells.append(PdfCell(cell.text[at : offset - base].strip(), x0, before))
                at, x0 = offset - base, after
            cells.append(PdfCell(cell.text[at:].strip(), x0, cell.x1))
        row.cells = _with_signs([cell for cell in cells if cell.text])
    place(rows, columns)


def amounts(cell: PdfCell) -> list[PdfCell]:
    """Return a cell over several columns as its amounts, when it is one for each."""
    count = cell.last - cell.first + 1
    parts = _AMOUNT.findall(cell.text) if count > 1 else []
    if len(parts) != count or "".join(parts).replace(" ", "") != cell.text.replace(" ", ""):
        return [cell]
    places = range(cell.first, cell.last + 1)
    return [PdfCell(text.strip(), cell.x0, cell.x1, at, at) for text, at in zip(parts, places, strict=True)]
