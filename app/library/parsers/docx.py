"""Parser of DOCX: headings by style, lists, tables as rows with the names of their columns, footnotes at the end.

The file is read as a stream, one paragraph or table at a time. Headers, footers, comments, deleted and hidden
text are left out.
"""

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

from lxml import etree

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.docx_styles import PLAIN, Style, W, heading_level, list_depth, styles_read
from app.library.parsers.encoding import clean, one_line
from app.library.parsers.limits import Limits
from app.library.parsers.media import DOCX
from app.library.parsers.ooxml import Package, open_package
from app.library.parsers.outline import Outline
from app.library.parsers.rows import are_names, row_texts

_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_TEXT_TAGS = {f"{W}t", f"{_MATH}t"}
_SPACES = {f"{W}tab", f"{W}br", f"{W}cr", f"{W}ptab"}
_SKIPPED = {
    *(f"{W}{name}" for name in ("pPr", "rPr", "tblPr", "tcPr", "del", "moveFrom", "instrText", "delText", "sectPr")),
    f"{_MC}Fallback",
}
_BLOCK_LEVEL = {f"{W}p", f"{W}tbl"}
_CONTAINERS = {f"{W}sdt", f"{W}sdtContent", f"{W}customXml", f"{W}ins", f"{W}moveTo", f"{_MC}AlternateContent"}
_CONTAINERS |= {f"{_MC}Choice", f"{W}txbxContent"}


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: broken_file, encrypted_file, no_text, file_too_complex."""
    outline = Outline(limits)
    with open_package(path, limits) as package:
        main = _main_part(package)
        folder = posixpath.dirname(main)
        walk = _Walk(outline, styles_read(package.tree(f"{folder}/styles.xml")))
        for element in _body(package, main, limits):
            walk.block(element)
        notes = package.tree(f"{folder}/footnotes.xml")
        if notes is not None:
            walk.footnotes(notes)
    if not outline.blocks:
        raise ParseError("no_text", "a document without text")
    return Parsed(tuple(outline.blocks), DOCX, title=walk.title)


def _main_part(package: Package) -> str:
    relations = package.tree("_rels/.rels")
    for relation in relations.iterfind(_RELATIONS) if relations is not None else ():
        if relation.get("Type", "").endswith("/officeDocument"):
            name: str = posixpath.normpath(relation.get("Target", "").lstrip("/"))
            if name in package:
                return name
    if "word/document.xml" in package:
        return "word/document.xml"
    raise ParseError("broken_file", "no main part")


def _body(package: Package, name: str, limits: Limits) -> Iterator[etree._Element]:
    """Yield the elements directly in the body, each removed from memory after its use."""
    depth = 0
    for event, element in package.elements(name):
        if event == "start":
            depth += 1
            if depth > limits.depth:
                raise ParseError("file_too_complex", "XML nested too far")
            continue
        depth -= 1
        if depth == 2:
            yield element
            element.clear()
            # An emptied element still uses memory: a million of them take 100 MB.
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]


class _Walk:
    def __init__(self, outline: Outline, styles: dict[str, Style]) -> None:
        self.outline = outline
        self.styles = styles
        self.title: str | None = None

    def block(self, element: etree._Element) -> None:
        if element.tag == f"{W}p":
            self.paragraph(element)
        elif element.tag == f"{W}tbl":
            self.table(element)
        elif element.tag in _CONTAINERS:
            for child in element:
                self.block(child)

    def paragraph(self, element: etree._Element) -> None:
        boxes: list[etree._Element] = []
        raw = _text(element, boxes)
        style = self.style(element)
        text = one_line(raw)
        if style.title and self.title is None and not self.outline.blocks:
            self.title = text
            self.outline.heading(1, text)
        elif style.level:
            # One level below the title, when there is one.
            self.outline.heading(min(style.level + (self.title is not None), 6), text)
        elif style.item:
            self.outline.add("list_item", text, level=style.item)
        elif style.code:
            self.outline.add("code", clean(raw).rstrip())
        else:
            self.outline.add("paragraph", text)
        for box in boxes:
            for child in box:
                self.block(child)

    def style(self, paragraph: etree._Element) -> Style:
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            return PLAIN
        reference = properties.find(f"{W}pStyle")
        style = self.styles.get(reference.get(f"{W}val", ""), PLAIN) if reference is not None else PLAIN
        level, item = heading_level(properties), list_depth(properties)
        return Style(level or style.level, style.item if item is None else item, style.title, style.code)

    def table(self, table: etree._Element) -> None:
        rows = list(_within(table, f"{W}tr"))
        cells = [_cells(row) for row in rows]
        if max(map(len, cells), default=0) < 2 or any(_holds_blocks(cell) for row in cells for _, cell in row):
            for row in cells:
                for _, cell in row:
                    for child in cell:
                        self.block(child)
            return
        texts = [[_cell_text(cell, new) for new, cell in row] for row in cells]
        header = _header_rows(rows, texts)
        names = _names(texts[:header]) if header else None
        for row_text in texts[header:]:
            for line in row_texts(names, row_text):
                self.outline.add("table_row", line)

    def footnotes(self, notes: etree._Element) -> None:
        for note in notes.iterfind(f"{W}footnote"):
            if note.get(f"{W}type") is None:
                self.outline.add("paragraph", one_line(" ".join(_text(part, []) for part in note.iter(f"{W}p"))))


def _text(element: etree._Element, boxes: list[etree._Element]) -> str:
    """Return the shown text of a paragraph. boxes: collects its text boxes, for later."""
    parts: list[str] = []
    _collect(element, parts, boxes)
    return "".join(parts)


def _collect(element: etree._Element, parts: list[str], boxes: list[etree._Element]) -> None:
    for child in element:
        tag = child.tag
        if tag in _TEXT_TAGS:
            parts.append(child.text or "")
        elif tag in _SPACES:
            parts.append("\n" if tag != f"{W}tab" else " ")
        elif tag == f"{W}noBreakHyphen":
            parts.append("-")
        elif tag == f"{W}txbxContent":
            boxes.append(child)
        elif tag not in _SKIPPED and not (tag == f"{W}r" and _is_hidden(child)):
            _collect(child, parts, boxes)


def _is_hidden(run: etree._Element) -> bool:
    properties = run.find(f"{W}rPr")
    vanish = properties.find(f"{W}vanish") if properties is not None else None
    return vanish is not None and vanish.get(f"{W}val", "1") not in ("0", "false", "off")


def _within(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    """Yield rows of a table or cells of a row, also inside content controls."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in _CONTAINERS:
            yield from _within(child, tag)


def _cells(row: etree._Element) -> list[tuple[bool, etree._Element]]:
    """Return (whether the cell begins here, cell): the continuation of a cell above or beside is not read again."""
    cells: list[tuple[bool, etree._Element]] = []
    for cell in _within(row, f"{W}tc"):
        properties = cell.find(f"{W}tcPr")
        merged = properties.find(f"{W}vMerge") if properties is not None else None
        span = properties.find(f"{W}gridSpan") if properties is not None else None
        new = merged is None or merged.get(f"{W}val") == "restart"
        cells.append((new, cell))
        across = span.get(f"{W}val", "1") if span is not None else "1"
        cells.extend([(False, cell)] * (min(int(across), 100) - 1 if across.isdecimal() else 0))
    return cells


def _holds_blocks(cell: etree._Element) -> bool:
    return cell.find(f"{W}tbl") is not None


def _cell_text(cell: etree._Element, new: bool) -> str:
    if not new:
        return ""
    return one_line(" ".join(_text(paragraph, []) for paragraph in cell.iter(f"{W}p")))


def _header_rows(rows: Sequence[etree._Element], texts: Sequence[Sequence[str]]) -> int:
    marked = 0
    while marked < min(len(rows) - 1, 3) and rows[marked].find(f"{W}trPr/{W}tblHeader") is not None:
        marked += 1
    if marked or len(texts) < 2:
        return marked
    return 1 if are_names(texts[0], texts[1:]) else 0


def _names(rows: Sequence[Sequence[str]]) -> list[str]:
    width = max(map(len, rows))
    return [" ".join(row[column] for row in rows if column < len(row) and row[column]) for column in range(width)]
