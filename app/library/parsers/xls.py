"""Parser of old Excel workbooks (XLS), sheet after sheet, by xlrd; macros are not opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import xlrd
from xlrd.book import Book
from xlrd.sheet import Sheet

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.inline import Inline, comment_line, linked
from app.library.parsers.limits import Limits
from app.library.parsers.media import XLS
from app.library.parsers.number_formats import formatter
from app.library.parsers.outline import Outline, Where
from app.library.parsers.sheets import Merge, SheetFull, SheetWriter

_BOLD = 700
_RAISED = {1: "sup", 2: "sub"}


class _Silent:
    """A log that is not kept."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return


@contextmanager
def _damage_reported() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except xlrd.XLRDError as error:
        if "encrypted" in str(error).lower():
            raise ParseError("encrypted_file", "an Excel workbook with a password") from error
        raise ParseError("broken_file", "a workbook that cannot be opened") from error
    except Exception as error:  # the library checks little: damage shows as any error
        raise ParseError("broken_file", f"a damaged workbook ({type(error).__name__})") from error


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file, as far as the limits go. Errors: broken_file, encrypted_file, empty_file."""
    with _damage_reported():
        book = xlrd.open_workbook(str(path), formatting_info=True, on_demand=True, logfile=_Silent())
    outline = Outline(limits)
    warnings: tuple[str, ...] = ()
    try:
        for number in range(book.nsheets):
            with _damage_reported():
                sheet = book.sheet_by_index(number)
            _write(book, sheet, outline)
            book.unload_sheet(number)
    except SheetFull as full:
        warnings = (f"rows_not_read:{full.place}",)
    if not outline.blocks:
        raise ParseError("empty_file", "no cell with text")
    return Parsed(tuple(outline.blocks), XLS, warnings=warnings)


def _write(book: Book, sheet: Sheet, outline: Outline) -> None:
    name = one_line(sheet.name) or "Sheet"
    before = len(outline.blocks)
    outline.heading(1, f"{name} (hidden sheet)" if sheet.visibility else name, Where(sheet=name))
    hidden = frozenset(column for column, info in sheet.colinfo_map.items() if info.hidden)
    merges = [Merge(top + 1, left, bottom, right - 1) for top, bottom, left, right in sheet.merged_cells]
    writer = SheetWriter(outline, name, level=2, merges=merges, hidden_columns=hidden)
    notes: dict[int, dict[int, str]] = {}
    for (row, column), note in sheet.cell_note_map.items():
        author = one_line(note.author or "")
        text = one_line(note.text or "").removeprefix(f"{author}:").strip()
        if text:
            notes.setdefault(row, {})[column] = comment_line(text, author, "")
    cells = _Cells(book, sheet)
    for row in range(sheet.nrows):
        with _damage_reported():
            texts, naming = cells.texts(row)
        beside = notes.get(row)
        if beside:
            texts += [""] * (max(beside) + 1 - len(texts))
        if beside or any(texts):
            info = sheet.rowinfo_map.get(row)
            is_hidden = info is not None and bool(info.hidden)
            writer.row(row + 1, texts, naming=naming, hidden=is_hidden, notes=beside)
    writer.close()
    if len(outline.blocks) == before + 1:
        # A sheet of nothing is no section.
        outline.blocks.pop()


class _Cells:
    """Reader of the cells of a sheet, as it shows them."""

    def __init__(self, book: Book, sheet: Sheet) -> None:
        self._book = book
        self._sheet = sheet
        self._links = sheet.hyperlink_map
        self._runs = sheet.rich_text_runlist_map

    def texts(self, row: int) -> tuple[list[str], bool]:
        """Return the texts of a row's cells, and whether they are bold words, as names are."""
        kinds = self._sheet.row_types(row)
        values = self._sheet.row_values(row)
        texts = [
            self._text(kind, value, row, column)
            for column, (kind, value) in enumerate(zip(kinds, values, strict=False))
        ]
        while texts and not texts[-1]:
            texts.pop()
        words = [column for column, text in enumerate(texts) if text]
        bold = len(words) > 1 and all(
            kinds[column] == xlrd.XL_CELL_TEXT and self._is_bold(row, column) for column in words
        )
        return texts, bold

    def _is_bold(self, row: int, column: int) -> bool:
        entry = self._book.xf_list[self._sheet.cell_xf_index(row, column)]
        return bool(self._book.font_list[entry.font_index].weight >= _BOLD)

    def _text(self, kind: int, value: object, row: int, column: int) -> str:
        if kind in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
            return ""
        if kind == xlrd.XL_CELL_TEXT:
            text = self._words(str(value), row, column)
        elif kind == xlrd.XL_CELL_BOOLEAN:
            text = "TRUE" if value else "FALSE"
        elif kind == xlrd.XL_CELL_ERROR:
            text = str(xlrd.error_text_from_code.get(value, "#ERROR"))
        else:
            entry = self._book.xf_list[self._sheet.cell_xf_index(row, column)]
            code = self._book.format_map[entry.format_key].format_str
            text = formatter(code, from_1904=bool(self._book.datemode))(float(str(value)))
        link = self._links.get((row, column))
        if link is not None and link.type == "url":
            address = link.url_or_path
            text = linked(text, address.decode("utf-8", "replace") if isinstance(address, bytes) else address)
        return text

    def _words(self, text: str, row: int, column: int) -> str:
        runs = self._runs.get((row, column))
        if not runs:
            return one_line(text)
        inline = Inline()
        starts = [*runs, (len(text), 0)]
        inline.text(text[: starts[0][0]])
        for (start, font), (end, _) in pairwise(starts):
            kind = _RAISED.get(self._book.font_list[font].escapement if font < len(self._book.font_list) else 0)
            if kind:
                inline.begin(kind)
            inline.text(text[start:end])
            if kind:
                inline.end(kind)
        return one_line(inline.take())
