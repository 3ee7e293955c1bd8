"""Parser of OpenDocument spreadsheets (ODS), row after row; cells have the text that they show."""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.inline import Inline, comment_line
from app.library.parsers.limits import Limits
from app.library.parsers.media import ODS
from app.library.parsers.ooxml import Package, damage_reported, forget, open_package
from app.library.parsers.outline import Outline, Where
from app.library.parsers.sheets import Merge, SheetFull, SheetWriter
from app.library.parsers.tables import Cell, grid, table_lines

_NAMESPACE = "{{urn:oasis:names:tc:opendocument:xmlns:{}:1.0}}"
TABLE, TEXT, OFFICE, STYLE, DRAW, CHART = map(
    _NAMESPACE.format, ("table", "text", "office", "style", "drawing", "chart")
)
_FO = _NAMESPACE.format("xsl-fo-compatible")
_DC = "{http://purl.org/dc/elements/1.1/}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_COLUMNS = 16_384
_ROWS = 1_048_576
# More cells alike beside each other are a filling, not values.
_REPEATED = 1000
_SHOWN_CELLS = 5


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file, as far as the limits go. Errors: broken_file, encrypted_file, file_too_complex, empty_file."""
    with open_package(path, limits) as package, damage_reported():
        if "content.xml" not in package:
            raise ParseError("broken_file", "a spreadsheet without content")
        return _Spreadsheet(package, limits).read()


class _Spreadsheet:
    def __init__(self, package: Package, limits: Limits) -> None:
        self.package = package
        self.outline = Outline(limits)
        self.bold: set[str] = set()
        self.raised: dict[str, str] = {}
        self.hidden_tables: set[str] = set()
        self.without_value: list[str] = []
        self.warnings: list[str] = []

    def read(self) -> Parsed:
        try:
            with self.package.stream("content.xml") as file:
                tags = ("table", "table-column", "table-row", "shapes")
                self._tables(self.package.events(file, f"{STYLE}style", *(f"{TABLE}{tag}" for tag in tags)))
        except SheetFull as full:
            self.warnings.append(f"rows_not_read:{full.place}")
        if not self.outline.blocks:
            raise ParseError("empty_file", "no cell with text")
        if self.without_value:
            shown = ", ".join(self.without_value[:_SHOWN_CELLS])
            more = len(self.without_value) - _SHOWN_CELLS
            self.warnings.append(f"formulas_without_value:{shown}" + (f" and {more} more" if more > 0 else ""))
        return Parsed(tuple(self.outline.blocks), ODS, warnings=tuple(self.warnings))

    def _tables(self, events: Iterator[tuple[str, etree._Element]]) -> None:
        depth = 0
        sheet: _SheetReader | None = None
        for event, element in events:
            tag = element.tag
            if tag == f"{TABLE}table":
                depth += 1 if event == "start" else -1
                if event == "start" and depth == 1:
                    sheet = _SheetReader(self, element)
                elif event == "end" and depth == 0 and sheet is not None:
                    sheet.close()
                    forget(element)
            elif event == "start" or depth > 1:
                continue
            elif tag == f"{STYLE}style":
                self._style(element)
            elif sheet is not None and tag == f"{TABLE}table-column":
                sheet.column(element)
            elif sheet is not None and tag == f"{TABLE}table-row":
                sheet.row(element)
                forget(element)
            elif sheet is not None:
                sheet.drawings += [*self.shapes(element)]

    def _style(self, element: etree._Element) -> None:
        name = element.get(f"{STYLE}name", "")
        for properties in element:
            if properties.get(f"{TABLE}display") == "false":
                self.hidden_tables.add(name)
            if properties.get(f"{_FO}font-weight") == "bold":
                self.bold.add(name)
            position = properties.get(f"{STYLE}text-position", "").split(" ")[0]
            if position == "super" or (position.removesuffix("%").isdecimal() and position != "0%"):
                self.raised[name] = "sup"
            elif position == "sub" or position.startswith("-"):
                self.raised[name] = "sub"

    def words(self, paragraph: etree._Element) -> str:
        """Return the text of a paragraph, with raised digits as such and addresses behind links."""
        inline = Inline()
        self._walk(paragraph, inline, 0)
        return one_line(inline.take())

    def _walk(self, element: etree._Element, inline: Inline, depth: int) -> None:
        inline.text(element.text or "")
        for child in element:
            tag = child.tag
            if depth > 20 or tag in (f"{OFFICE}annotation", f"{TEXT}ruby-text"):
                pass
            elif tag in (f"{TEXT}s", f"{TEXT}tab", f"{TEXT}line-break"):
                inline.text(" ")
            elif tag == f"{TEXT}a":
                inline.begin("a", child.get(f"{_XLINK}href"))
                self._walk(child, inline, depth + 1)
                inline.end("a")
            elif kind := self.raised.get(child.get(f"{TEXT}style-name", "")):
                inline.begin(kind)
                self._walk(child, inline, depth + 1)
                inline.end(kind)
            else:
                self._walk(child, inline, depth + 1)
            inline.text(child.tail or "")

    def shapes(self, element: etree._Element) -> Iterator[str]:
        """Yield the texts of shapes, and the titles and data of charts."""
        for shape in element.iter(f"{TEXT}p", f"{DRAW}object"):
            if shape.tag == f"{TEXT}p":
                yield self.words(shape)
                continue
            part = shape.get(f"{_XLINK}href", "").removeprefix("./")
            root = self.package.tree(f"{part}/content.xml") if part else None
            if root is not None:
                yield from self._chart(root)

    def _chart(self, root: etree._Element) -> Iterator[str]:
        titles = [self.words(each) for title in root.iter(f"{CHART}title") for each in title.iter(f"{TEXT}p")]
        yield f"Chart: {'; '.join(titles)}" if titles else "Chart"
        rows = [
            [Cell(" ".join(map(self.words, cell.iterfind(f"{TEXT}p")))) for cell in row.iterfind(f"{TABLE}table-cell")]
            for row in root.iter(f"{TABLE}table-row")
        ]
        for line in table_lines(grid(rows)):
            yield line.text


class _SheetReader:
    """Reader of one sheet of a spreadsheet."""

    def __init__(self, book: _Spreadsheet, element: etree._Element) -> None:
        self._book = book
        self._name = one_line(element.get(f"{TABLE}name", "")) or "Sheet"
        self.drawings: list[str] = []
        self._hidden_columns: set[int] = set()
        self._columns = self._rows = 0
        self._writer: SheetWriter | None = None
        hidden = element.get(f"{TABLE}style-name", "") in book.hidden_tables
        self._before = len(book.outline.blocks)
        title = f"{self._name} (hidden sheet)" if hidden else self._name
        book.outline.heading(1, title, Where(sheet=self._name))

    def column(self, element: etree._Element) -> None:
        count = min(_count(element, "number-columns-repeated"), _COLUMNS - self._columns)
        if element.get(f"{TABLE}visibility") in ("collapse", "filter"):
            self._hidden_columns.update(range(self._columns, self._columns + count))
        self._columns += max(0, count)

    def row(self, element: etree._Element) -> None:
        writer = self._writer = self._writer or SheetWriter(
            self._book.outline, self._name, level=2, hidden_columns=frozenset(self._hidden_columns)
        )
        repeated = _count(element, "number-rows-repeated")
        texts, notes, merges, naming = self._cells(element)
        hidden = element.get(f"{TABLE}visibility") in ("collapse", "filter")
        if not any(texts) and not notes:
            self._rows += repeated
            return
        for _ in range(min(repeated, _ROWS - self._rows)):
            self._rows += 1
            for column, across, down in merges:
                writer.merge(Merge(self._rows, column, self._rows + down - 1, column + across - 1))
            writer.row(self._rows, list(texts), naming=naming, hidden=hidden, notes=notes or None)

    def _cells(self, row: etree._Element) -> tuple[list[str], dict[int, str], list[tuple[int, int, int]], bool]:
        """Return the texts, notes and merged cells (column, columns, rows) of a row, and whether its words are bold."""
        texts: list[str] = []
        notes: dict[int, str] = {}
        merges: list[tuple[int, int, int]] = []
        bold = column = 0
        for cell in row.iterchildren(f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
            repeated = min(_count(cell, "number-columns-repeated"), _COLUMNS - column)
            text = self._text(cell, column) if cell.tag == f"{TABLE}table-cell" else ""
            note = self._note(cell) if len(cell) else ""
            if text or note:
                texts += [""] * (column - len(texts)) + [text] * min(repeated, _REPEATED)
                bold += cell.get(f"{TABLE}style-name", "") in self._book.bold
            if note:
                notes[column] = note
            across, down = _count(cell, "number-columns-spanned"), _count(cell, "number-rows-spanned")
            if text and (across > 1 or down > 1):
                merges.append((column, min(across, _COLUMNS), min(down, _ROWS)))
            column += repeated
        return texts, notes, merges, bold > 1 and bold == sum(map(bool, texts))

    def _text(self, cell: etree._Element, column: int) -> str:
        """Return the text of a cell as it is shown, else its value."""
        parts = [self._book.words(each) for each in cell.iterchildren(f"{TEXT}p", f"{TEXT}h")]
        for shape in cell.iterchildren(f"{DRAW}frame", f"{DRAW}custom-shape"):
            self.drawings += [*self._book.shapes(shape)]
        text = " ".join(filter(None, parts))
        if text:
            return text
        for name in ("string-value", "date-value", "time-value", "boolean-value", "value"):
            value = cell.get(f"{OFFICE}{name}")
            if value:
                return one_line(value)
        formula = cell.get(f"{TABLE}formula")
        if formula and not cell.get(f"{OFFICE}value-type"):
            self._book.without_value.append(f"{self._name}!{_letters(column)}{self._rows + 1}")
            return one_line("=" + formula.partition("=")[2])
        return ""

    def _note(self, cell: etree._Element) -> str:
        note = cell.find(f"{OFFICE}annotation")
        if note is None:
            return ""
        text = " ".join(self._book.words(each) for each in note.iterfind(f"{TEXT}p"))
        author = one_line(note.findtext(f"{_DC}creator") or "")
        return comment_line(text, author, note.findtext(f"{_DC}date") or "") if text.strip() else ""

    def close(self) -> None:
        outline = self._book.outline
        if self._writer is not None:
            self._writer.close()
        for text in self.drawings:
            outline.add("paragraph", text, Where(sheet=self._name))
        if len(outline.blocks) == self._before + 1:
            # A sheet of nothing is no section.
            outline.blocks.pop()


def _count(element: etree._Element, name: str) -> int:
    text = element.get(f"{TABLE}{name}", "")
    return max(1, int(text)) if text.isdecimal() and len(text) < 12 else 1


def _letters(column: int) -> str:
    text = ""
    while column >= 0:
        text = chr(65 + column % 26) + text
        column = column // 26 - 1
    return text
