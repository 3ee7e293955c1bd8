"""Parser of Excel workbooks (XLSX and XLSM), row after row; macros and what is outside the file are not opened."""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.inline import linked
from app.library.parsers.limits import Limits
from app.library.parsers.media import XLSX
from app.library.parsers.ooxml import Package, damage_reported, open_package
from app.library.parsers.outline import Outline, Where
from app.library.parsers.sheets import SheetFull, SheetWriter
from app.library.parsers.xlsx_cells import CellReader
from app.library.parsers.xlsx_parts import SheetParts, shown_drawing

_MAX_ROW = 1_048_576
_SHOWN_CELLS = 5


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file, as far as the limits go. Errors: broken_file, encrypted_file, file_too_complex, empty_file."""
    with open_package(path, limits) as package, damage_reported():
        return _Workbook(package, limits).read()


class _Workbook:
    def __init__(self, package: Package, limits: Limits) -> None:
        self.package = package
        self.outline = Outline(limits)
        main = next((each.target for each in package.relations("").values() if each.kind == "officeDocument"), "")
        root = package.tree(main)
        if root is None:
            raise ParseError("broken_file", "a workbook without its main part")
        self.root = root
        self.relations = package.relations(main)
        parts = {relation.kind: relation.target for relation in self.relations.values()}
        properties = root.find("{*}workbookPr")
        from_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        self.cells = CellReader(package, parts, limits, from_1904=from_1904)

    def read(self) -> Parsed:
        warnings: list[str] = []
        try:
            for element in self.root.iterfind("{*}sheets/{*}sheet"):
                key = next((value for name, value in element.items() if name.endswith("}id")), "")
                relation = self.relations.get(key)
                if relation is not None and relation.target in self.package:
                    self._sheet(element, relation.target, is_chart=relation.kind == "chartsheet")
        except SheetFull as full:
            warnings.append(f"rows_not_read:{full.place}")
        if not self.outline.blocks:
            raise ParseError("empty_file", "no cell with text")
        if self.cells.without_value:
            shown = ", ".join(self.cells.without_value[:_SHOWN_CELLS])
            more = len(self.cells.without_value) - _SHOWN_CELLS
            warnings.append(f"formulas_without_value:{shown}" + (f" and {more} more" if more > 0 else ""))
        return Parsed(tuple(self.outline.blocks), XLSX, warnings=tuple(warnings))

    def _sheet(self, element: etree._Element, part: str, *, is_chart: bool) -> None:
        name = one_line(element.get("name", "")) or "Sheet"
        hidden = element.get("state", "visible") != "visible"
        place = Where(sheet=name)
        before = len(self.outline.blocks)
        self.outline.heading(1, f"{name} (hidden sheet)" if hidden else name, place)
        parts = SheetParts(self.package, part)
        if not is_chart:
            self._rows(name, part, parts)
        for drawing in parts.drawings:
            for kind, text in shown_drawing(self.package, drawing):
                self.outline.add(kind, text, place)
        if len(self.outline.blocks) == before + 1:
            # A sheet of nothing is no section.
            self.outline.blocks.pop()

    def _rows(self, name: str, part: str, parts: SheetParts) -> None:
        writer = SheetWriter(
            self.outline, name, level=2, merges=parts.merges, hidden_columns=frozenset(parts.hidden_columns)
        )
        self.cells.sheet = name
        last = 0
        for row in self._row_elements(part):
            number = _number(row.get("r"), last)
            texts, naming = self.cells.texts(row)
            notes = parts.notes.pop(number, None)
            for column, address in parts.links.get(number, {}).items():
                if column < len(texts):
                    texts[column] = linked(texts[column], address)
            if notes:
                texts += [""] * (max(notes) + 1 - len(texts))
            if notes or any(texts):
                writer.row(number, texts, naming=naming, hidden=row.get("hidden") in ("1", "true"), notes=notes)
            last = number
        writer.close()
        for number, left in sorted(parts.notes.items()):
            for note in left.values():
                self.outline.add("paragraph", note, Where(rows=(number, number), sheet=name))

    def _row_elements(self, part: str) -> Iterator[etree._Element]:
        with self.package.stream(part) as file:
            for element in self.package.streamed(file, "{*}row", "{*}sheetData"):
                if not element.tag.endswith("row"):
                    return
                yield element


def _number(stated: str | None, last: int) -> int:
    """Return the number of a row, which may be left out and never goes back."""
    number = int(stated) if stated and stated.isdecimal() and len(stated) < 9 else 0
    return number if last < number <= _MAX_ROW else last + 1
