"""Sheets of spreadsheets and CSV files: tables are found in a stream of rows, whose lines can be read alone.

A blank row ends a table. What stands below it goes on with the columns above, or is a table of its own.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from app.library.parsers.outline import Outline, Where
from app.library.parsers.rows import VALUE, YEAR
from app.library.parsers.sheet_tables import SAMPLE_ROWS, SheetTable, filled, parts_of, with_note
from app.library.parsers.tables import MAX_SPAN, Row

# Columns of the largest sheet: each cell of a sheet has a number of its own.
_COLUMNS = 16_384
_TITLE_CHARS = 120
_TITLE_CELLS = 3
# So few rows of words may name the columns of what stands below a blank row.
_NAMING_ROWS = 3


class SheetFull(Exception):
    """Raised when a row does not fit into the limits. place: the first row that was left out."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


class Merge(NamedTuple):
    """Merged cells; rows from 1, columns from 0, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int


class SheetWriter:
    """Writer of the rows of a sheet to an outline.

    name: of the sheet, None for a file that has no sheets. level: of the heading of a table with a title above it.
    hidden_columns: columns that the spreadsheet does not show, from 0.
    """

    def __init__(
        self,
        outline: Outline,
        name: str | None = None,
        *,
        level: int = 1,
        merges: Iterable[Merge] = (),
        hidden_columns: frozenset[int] = frozenset(),
    ) -> None:
        self._outline = outline
        self._name = name
        self._level = level
        self._hidden_columns = hidden_columns
        self._merges = sorted(merges, reverse=True)
        self._spread: list[tuple[Merge, str, int]] = []
        self._sample: list[Row] = []
        self._tables: list[SheetTable] = []
        self._is_streaming = False
        # A line, or rows of words, between blank rows: what follows shows whose they are.
        self._caption: Row | None = None
        self._held: list[Row] = []
        self._last = 0

    def row(
        self,
        number: int,
        texts: list[str],
        *,
        naming: bool = False,
        hidden: bool = False,
        notes: dict[int, str] | None = None,
    ) -> None:
        """Add the next row that has text. texts: of its cells, from the first column. Errors: SheetFull."""
        if number > self._last + 1:
            self._end_region()
        self._last = number
        row = Row(texts, [], naming, number, hidden, notes)
        if self._merges or self._spread:
            self._with_merges(row)
        if self._is_streaming:
            for table in self._tables:
                self._write(table, row)
            return
        row.origins = row.origins or _origins(row)
        self._sample.append(row)
        if len(self._sample) >= SAMPLE_ROWS:
            rows = self._begin_region(self._taken())
            self._is_streaming = True
            for buffered in rows:
                for table in self._tables:
                    self._write(table, buffered)

    def merge(self, merge: Merge) -> None:
        """Name merged cells whose first row is the next one."""
        self._merges.append(merge)

    def close(self) -> None:
        """Write what is still kept back. Errors: SheetFull."""
        self._end_region()
        self._release()
        self._caption_as_text()
        self._finish()

    def _taken(self) -> list[Row]:
        rows, self._sample = self._sample, []
        return rows

    def _with_merges(self, row: Row) -> None:
        """Let merged cells stand in every row and column that they cover."""
        self._spread = [entry for entry in self._spread if entry[0].bottom >= row.number]
        while self._merges and self._merges[-1].top <= row.number:
            merge = self._merges.pop()
            if merge.top == row.number and merge.left < len(row.texts) and row.texts[merge.left]:
                self._spread.append((merge, row.texts[merge.left], -1 - len(self._merges)))
        if not self._spread:
            return
        row.origins = _origins(row)
        for merge, text, origin in self._spread:
            end = min(merge.right + 1, merge.left + MAX_SPAN)
            row.texts += [""] * (end - len(row.texts))
            row.origins += _origins(row, len(row.origins))
            row.texts[merge.left : end] = [text] * (end - merge.left)
            row.origins[merge.left : end] = [origin] * (end - merge.left)

    def _end_region(self) -> None:
        """End the rows that follow each other without a blank row between."""
        self._is_streaming = False
        rows = self._taken()
        if not rows:
            return
        if len(rows) == 1 and filled(rows[0]) == 1 and not _has_values(rows):
            self._release()
            self._caption_as_text()
            self._caption = rows[0]
        elif len(rows) <= _NAMING_ROWS and not _has_values(rows):
            self._release()
            self._held = rows
        else:
            self._region(rows)

    def _release(self) -> None:
        """Write rows of words that turned out to name no columns of what follows."""
        rows, self._held = self._held, []
        if rows:
            self._region(rows)

    def _region(self, rows: list[Row]) -> None:
        rows = self._begin_region(rows)
        # Tables beside each other are read one after the other.
        for table in self._tables:
            for row in rows:
                self._write(table, row)

    def _begin_region(self, rows: list[Row]) -> list[Row]:
        """Decide what rows are: more of the table above, or one or several tables. Return the rows to write."""
        if self._held:
            joined = [*self._held, *rows]
            tables = [] if parts_of(rows, self._hidden_columns)[0].has_names else parts_of(joined, self._hidden_columns)
            if len(tables) == 1 and tables[0].header and tables[0].header[-1] <= self._held[-1].number:
                self._held = []
                self._begin_tables(tables)
                return joined
            self._release()
        before = self._tables[0] if len(self._tables) == 1 else None
        if before is not None and before.goes_on(rows):
            self._go_on(before)
            return rows
        tables = parts_of(rows, self._hidden_columns)
        if before is not None and len(tables) == 1 and not tables[0].has_names and before.takes(rows):
            self._go_on(before)
            return rows
        self._begin_tables(tables)
        return rows

    def _begin_tables(self, tables: list[SheetTable]) -> None:
        self._finish()
        self._tables = tables
        caption, self._caption = self._caption, None
        if caption is not None:
            self._title(caption, tables[0])

    def _go_on(self, table: SheetTable) -> None:
        """Let a table go on below a blank row, where a line of its own titles the rows."""
        for line, number in table.rest():
            self._add(line, number)
        table.group = next(filter(None, self._caption.texts)) if self._caption else ""
        self._caption_as_text()

    def _finish(self) -> None:
        """End the tables: the names of their columns get the number of the rows."""
        for table in self._tables:
            for line, number in table.rest():
                self._add(line, number)
            if table.named_at >= 0 and table.count > 1:
                block = self._outline.blocks[table.named_at]
                self._outline.blocks[table.named_at] = replace(block, text=f"{block.text} ({table.count:,} rows)")
        self._tables = []

    def _write(self, table: SheetTable, row: Row) -> None:
        header = table.header
        if header and row.number <= header[-1]:
            if row.number < header[0]:
                self._title(table.cut(row), table)
            elif row.number == header[-1]:
                table.named_at = len(self._outline.blocks)
                self._add(table.shown, row.number, first=header[0])
            for note in (table.cut(row).notes or {}).values():
                self._add(note, row.number)
            return
        for line, number in table.lines(row):
            self._add(line, number)

    def _title(self, row: Row, table: SheetTable | None) -> None:
        """Write a line outside the rows of a table; the first one above a table is its title."""
        notes = row.notes or {}
        words = [
            with_note(text, notes.get(at))
            for at, text in enumerate(row.texts)
            if text and (not at or text != row.texts[at - 1])
        ]
        if not words:
            return
        title = " | ".join(words)
        is_title = len(words) <= _TITLE_CELLS and len(title) <= _TITLE_CHARS and not any(map(VALUE.match, words))
        if is_title and table is not None and table.has_names and not table.is_titled:
            table.is_titled = True
            self._outline.heading(self._level, title, Where(rows=(row.number, row.number), sheet=self._name))
        else:
            self._add(title, row.number)

    def _caption_as_text(self) -> None:
        caption, self._caption = self._caption, None
        if caption is not None:
            self._title(caption, None)

    def _add(self, text: str, number: int, *, first: int | None = None) -> None:
        if not self._outline.has_room(len(text)):
            raise SheetFull(f"{self._name}, row {number}" if self._name else f"row {number}")
        self._outline.add("table_row", text, Where(rows=(first or number, number), sheet=self._name))


def _has_values(rows: Iterable[Row]) -> bool:
    return any(VALUE.match(text) and not YEAR.fullmatch(text) for row in rows for text in row.texts if text)


def _origins(row: Row, first: int = 0) -> list[int]:
    start = row.number * _COLUMNS
    return list(range(start + first, start + len(row.texts)))
