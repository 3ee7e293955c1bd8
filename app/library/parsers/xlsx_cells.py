"""Cells of an Excel workbook as their sheet shows them: shared texts, number formats, values of formulas."""

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from app.library.parsers.blocks import ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.inline import Inline, linked
from app.library.parsers.limits import Limits
from app.library.parsers.number_formats import BUILTIN, Formatter, formatter, general
from app.library.parsers.ooxml import Package
from app.library.parsers.xlsx_parts import column_of

_HYPERLINK = re.compile(r'HYPERLINK\(\s*"([^"]+)"', re.I)
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
# Shared texts may be used by many cells, or by none; more than this times the text of a file is not kept.
_SHARED_SHARE = 5
_FORMULA_CHARS = 200


class CellReader:
    """Reader of cells.

    sheet: name of the sheet that is read. without_value: cells with a formula whose value the file does not have.
    """

    def __init__(self, package: Package, parts: Mapping[str, str], limits: Limits, *, from_1904: bool) -> None:
        self.sheet = ""
        self.without_value: list[str] = []
        self._shared = list(_shared_texts(package, parts.get("sharedStrings", ""), limits))
        self._formats: list[tuple[Formatter, bool]] = []
        self._styles(package.tree(parts.get("styles", "")), from_1904=from_1904)
        self._columns: dict[str, int] = {}
        self._names: tuple[str, str, str] = ("", "", "")
        self._namespace = ""

    def _styles(self, root: etree._Element | None, *, from_1904: bool) -> None:
        if root is None:
            return
        codes: dict[int, str] = dict(BUILTIN)
        for entry in root.iterfind("{*}numFmts/{*}numFmt"):
            codes[_index(entry.get("numFmtId"))] = entry.get("formatCode", "")
        bold = [_is_bold(font) for font in root.iterfind("{*}fonts/{*}font")]
        for entry in root.iterfind("{*}cellXfs/{*}xf"):
            code = codes.get(_index(entry.get("numFmtId")), "General")
            font = _index(entry.get("fontId"))
            self._formats.append((formatter(code, from_1904=from_1904), 0 <= font < len(bold) and bold[font]))

    def texts(self, row: etree._Element) -> tuple[list[str], bool]:
        """Return the texts of a row's cells from the first column, and whether they are bold words, as names are."""
        if not row.tag.startswith(self._namespace) or not self._namespace:
            self._namespace = row.tag[: -len("row")]
            self._names = (f"{self._namespace}v", f"{self._namespace}f", f"{self._namespace}is")
        texts: list[str] = []
        bold = 0
        for cell in row:
            reference = cell.get("r")
            if reference:
                letters = reference.rstrip("0123456789")
                column = self._columns.get(letters)
                if column is None:
                    column = self._columns[letters] = column_of(letters)
                missing = column - len(texts)
                if missing > 0:
                    texts += [""] * missing
                elif missing < 0:
                    continue
            text, is_name = self._text(cell)
            texts.append(text)
            bold += is_name
        return texts, bold > 1 and bold == sum(map(bool, texts))

    def _text(self, cell: etree._Element) -> tuple[str, bool]:
        """Return the text of a cell, and whether it is bold words."""
        value = formula = inline = None
        value_tag, formula_tag, inline_tag = self._names
        for child in cell:
            tag = child.tag
            if tag == value_tag:
                value = child.text
            elif tag == formula_tag:
                formula = child
            elif tag == inline_tag:
                inline = child
        kind = cell.get("t", "n")
        if inline is not None:
            text = _rich_text(inline)
        elif kind == "s":
            at = _index(value)
            text = self._shared[at] if 0 <= at < len(self._shared) else ""
        elif value is None:
            return (self._formula(cell, formula) if formula is not None and kind != "str" else ""), False
        elif kind == "n":
            return self._number(value, cell.get("s")), False
        elif kind == "b":
            return ("TRUE" if value in ("1", "true") else "FALSE"), False
        elif kind == "d":
            return value.removesuffix("T00:00:00").replace("T", " "), False
        else:
            text = _plain(value)
        if formula is not None and (link := _HYPERLINK.match(formula.text or "")):
            text = linked(text, link[1])
        style = _index(cell.get("s") or "0")
        return text, bool(text) and 0 <= style < len(self._formats) and self._formats[style][1]

    def _number(self, value: str, style: str | None) -> str:
        try:
            number = float(value)
        except ValueError:
            return one_line(value)
        at = _index(style or "0")
        write = self._formats[at][0] if 0 <= at < len(self._formats) else general
        return write(number)

    def _formula(self, cell: etree._Element, formula: etree._Element) -> str:
        """Return a formula as it is written, in place of the value that no program has computed yet."""
        self.without_value.append(f"{self.sheet}!{cell.get('r', '')}")
        text = one_line(formula.text or "")
        return f"={text}" if 0 < len(text) <= _FORMULA_CHARS else ""


def _index(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else -1


def _is_bold(font: etree._Element) -> bool:
    bold = font.find("{*}b")
    return bold is not None and bold.get("val", "1") not in ("0", "false")


def _shared_texts(package: Package, part: str, limits: Limits) -> Iterator[str]:
    if part not in package:
        return
    size = 0
    with package.stream(part) as file:
        for item in package.streamed(file, "{*}si"):
            text = _rich_text(item)
            size += len(text)
            if size > limits.text_chars * _SHARED_SHARE:
                raise ParseError("file_too_complex", f"more than {limits.text_chars * _SHARED_SHARE:,} characters")
            yield text


def _rich_text(item: etree._Element) -> str:
    """Return a text that may consist of runs; the readings beside Japanese words are left out."""
    if len(item) == 1 and len(item[0]) == 0:
        return _plain(item[0].text or "")
    inline = Inline()
    for child in item:
        tag = etree.QName(child).localname
        if tag == "t":
            inline.text(child.text or "")
        elif tag == "r":
            raised = child.find("{*}rPr/{*}vertAlign")
            kind = {"superscript": "sup", "subscript": "sub"}.get(raised.get("val", "") if raised is not None else "")
            if kind:
                inline.begin(kind)
            inline.text(child.findtext("{*}t") or "")
            if kind:
                inline.end(kind)
    return _plain(inline.take())


def _plain(text: str) -> str:
    if "_x" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return one_line(text)
