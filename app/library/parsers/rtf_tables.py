"""Tables of RTF as rows of a grid: cells are told apart by the positions of their edges."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.library.parsers.tables import Cell, Row, grid

# Edges nearer than this, in twentieths of a point, are one.
_SAME_EDGE = 40


@dataclass(frozen=True, slots=True)
class CellShape:
    """What a row's definition says of a cell. right: its edge. merged: joined to the cell before, or to that above."""

    right: int
    merged_left: bool = False
    merged_up: bool = False


@dataclass(slots=True)
class TableRow:
    left: int
    shapes: Sequence[CellShape]
    texts: Sequence[str]
    is_header: bool = False


@dataclass(slots=True)
class _Table:
    edges: list[int]
    laid: list[list[Cell]] = field(default_factory=list)
    # The row and place of the cell that covers a column from above.
    above: dict[int, tuple[int, int]] = field(default_factory=dict)

    def column(self, edge: int) -> int:
        return bisect_left(self.edges, edge - _SAME_EDGE)

    def add(self, row: TableRow) -> None:
        left = self.column(row.left)
        cells = [Cell("") for _ in range(left)]
        self.laid.append(cells)
        column = left
        for number, text in enumerate(row.texts):
            shape = row.shapes[number] if number < len(row.shapes) else None
            end = max(column + 1, self.column(shape.right)) if shape is not None else column + 1
            across = end - column
            last = cells[-1] if cells and number else None
            if shape is not None and shape.merged_left and last is not None:
                cells[-1] = Cell(" ".join(filter(None, (last.text, text))), last.across + across, last.down)
            elif shape is not None and shape.merged_up and column in self.above:
                at, place = self.above[column]
                upper = self.laid[at][place]
                joined = " ".join(filter(None, (upper.text, text)))
                self.laid[at][place] = Cell(joined, upper.across, upper.down + 1)
            else:
                self.above[column] = (len(self.laid) - 1, len(cells))
                cells.append(Cell(text, across))
            column = end


def rows_of(rows: Sequence[TableRow]) -> list[Row]:
    """Return the rows of a table, laid out by the edges of all its cells."""
    positions = sorted({row.left for row in rows} | {shape.right for row in rows for shape in row.shapes})
    edges: list[int] = []
    for position in positions:
        if not edges or position - edges[-1] > _SAME_EDGE:
            edges.append(position)
    table = _Table(edges)
    for row in rows:
        table.add(row)
    return grid(table.laid, [row.is_header for row in rows])
