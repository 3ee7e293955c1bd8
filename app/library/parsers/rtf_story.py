"""Stories of an RTF file: the body, notes, headers, comments, text boxes, each with its paragraphs and tables."""

from dataclasses import dataclass, field

from app.library.parsers.blocks import BlockKind
from app.library.parsers.encoding import one_line
from app.library.parsers.inline import Inline
from app.library.parsers.rtf_tables import CellShape, TableRow, rows_of
from app.library.parsers.tables import table_lines


@dataclass(slots=True)
class Format:
    """The format that holds within a group and the groups in it.

    level: of a heading from 1, 0 for none, -1 for the title. listed: in a list, at a depth from 1. skipped: characters
    that stand for a Unicode character in old programs. nesting: depth in tables.
    """

    hidden: bool = False
    struck: bool = False
    raised: str = ""
    font: int = -1
    skipped: int = 1
    level: int = 0
    listed: bool = False
    depth: int = 1
    in_table: bool = False
    nesting: int = 1

    def copy(self) -> "Format":
        return Format(
            self.hidden, self.struck, self.raised, self.font, self.skipped, self.level, self.listed, self.depth,
            self.in_table, self.nesting,
        )  # fmt: skip

    def reset_characters(self, font: int) -> None:
        self.struck, self.raised, self.font = False, "", font

    def reset_paragraph(self) -> None:
        self.level, self.listed, self.depth, self.in_table, self.nesting = 0, False, 1, False, 1


@dataclass(frozen=True, slots=True)
class Piece:
    """A finished paragraph or row of a table. level: as in `Block`; -1 for a title."""

    kind: BlockKind
    text: str
    level: int = 0


@dataclass(slots=True)
class RowShape:
    """The definition of the rows that follow. merged: of the next cell, joined to that before or above."""

    left: int = 0
    cells: list[CellShape] = field(default_factory=list)
    is_header: bool = False
    merged_left: bool = False
    merged_up: bool = False

    def edge(self, position: int) -> None:
        self.cells.append(CellShape(position, self.merged_left, self.merged_up))
        self.merged_left = self.merged_up = False


class Story:
    """kind: `body`, `note`, `page` (a header or footer), `comment`, `box`, `number` (of a list's item) or `title`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pieces: list[Piece] = []
        self.inline = Inline()
        self.number = ""
        self.after: list[Piece] = []
        self.row = RowShape()
        self._run: list[str] = []
        self._raised = ""
        self._rows: list[TableRow] = []
        self._cells: list[str] = []
        self._cell: list[str] = []
        # A table in a cell: the text of its open cell, its open row, and its finished rows.
        self._inner: list[str] = []
        self._inner_row: list[str] = []
        self._inner_rows: list[str] = []
        self._after_table: list[Piece] = []

    def text(self, text: str, raised: str) -> None:
        if raised != self._raised:
            self.run_end()
            self._raised = raised
        self._run.append(text)

    def run_end(self) -> None:
        if not self._run:
            return
        if self._raised:
            self.inline.begin(self._raised)
        self.inline.text("".join(self._run))
        if self._raised:
            self.inline.end(self._raised)
        self._run.clear()

    def link_begin(self, address: str | None) -> None:
        self.run_end()
        self.inline.begin("a", address)

    def link_end(self) -> None:
        self.run_end()
        self.inline.end("a")

    def _taken(self) -> str:
        self.run_end()
        text = one_line(self.inline.take())
        number, self.number = self.number, ""
        return f"{number} {text}" if number and text else text

    def paragraph_end(self, form: Format) -> None:
        if form.in_table and form.nesting > 1:
            self._inner.append(self._taken())
        elif form.in_table:
            self._cell.append(self._taken())
            self._after_table += self.after
            self.after = []
        else:
            self.table_end()
            self._add(self._taken(), form)
            self.pieces += self.after
            self.after = []

    def _add(self, text: str, form: Format) -> None:
        if form.level:
            self.pieces.append(Piece("heading", text, form.level))
        elif form.listed:
            self.pieces.append(Piece("list_item", text, form.depth))
        else:
            self.pieces.append(Piece("paragraph", text))

    def cell_end(self) -> None:
        self._cell.append(self._taken())
        inner, self._inner_rows = ", ".join(filter(None, self._inner_rows)), []
        self._cells.append(" ".join(filter(None, (*self._cell, inner))))
        self._cell = []
        self._after_table += self.after
        self.after = []

    def inner_cell_end(self) -> None:
        self._inner.append(self._taken())
        self._inner_row.append(" ".join(filter(None, self._inner)))
        self._inner = []

    def inner_row_end(self) -> None:
        self._inner_rows.append(" ".join(filter(None, self._inner_row)))
        self._inner_row = []

    def row_end(self) -> None:
        if self._cells:
            self._rows.append(TableRow(self.row.left, tuple(self.row.cells), tuple(self._cells), self.row.is_header))
        self._cells = []

    def table_end(self) -> None:
        if self._cells:
            self.row_end()
        if self._rows:
            rows, self._rows = self._rows, []
            self.pieces += (Piece("table_row", line.text) for line in table_lines(rows_of(rows)))
        self.pieces += self._after_table
        self._after_table = []

    def end(self, form: Format) -> None:
        self.paragraph_end(form)
        if self._cell:
            self.cell_end()
        self.table_end()

    def whole(self) -> str:
        """Return all text on one line."""
        return " ".join(filter(None, (piece.text for piece in self.pieces)))


class Group:
    """An open group.

    begun: the story that it is, if any. is_link: whether it is the shown text of a link. close: text at its end.
    row: the definition of rows that holds again behind it.
    """

    __slots__ = ("begun", "close", "form", "is_link", "row")

    def __init__(self, form: Format) -> None:
        self.form = form
        self.begun: Story | None = None
        self.is_link = False
        self.close = ""
        self.row: RowShape | None = None
