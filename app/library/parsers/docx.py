"""Parser of DOCX: headings and lists with the numbers that Word makes, tables, notes beside the text that names them.

The file is read as a stream, one paragraph or table at a time. Deleted, struck-out and hidden text is left out.
"""

import posixpath
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.docx_numbers import Numbers
from app.library.parsers.docx_parts import Parts
from app.library.parsers.docx_styles import PLAIN, Style, W, heading_level, list_depth, list_id, styles_read
from app.library.parsers.docx_tables import CONTAINERS, table_of
from app.library.parsers.docx_text import ParagraphText, TextReader
from app.library.parsers.encoding import clean, one_line
from app.library.parsers.limits import Limits
from app.library.parsers.media import DOCX
from app.library.parsers.ooxml import Package, open_package
from app.library.parsers.outline import Outline
from app.library.parsers.tables import table_lines


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: broken_file, encrypted_file, no_text, file_too_complex."""
    outline = Outline(limits)
    with open_package(path, limits) as package:
        main = _main_part(package)
        folder = posixpath.dirname(main)
        parts = Parts(package, main)
        for line in parts.page_lines():
            outline.add("paragraph", line)
        styles = styles_read(package.tree(f"{folder}/styles.xml"))
        walk = _Walk(outline, styles, Numbers(package.tree(f"{folder}/numbering.xml")), parts)
        for element in _body(package, main, limits):
            walk.block(element)
    if not outline.blocks:
        raise ParseError("no_text", "a document without text")
    return Parsed(tuple(outline.blocks), DOCX, title=walk.title)


def _main_part(package: Package) -> str:
    for relation in package.relations("").values():
        if relation.kind == "officeDocument" and relation.target in package:
            return relation.target
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
    def __init__(self, outline: Outline, styles: dict[str, Style], numbers: Numbers, parts: Parts) -> None:
        self.outline = outline
        self.styles = styles
        self.numbers = numbers
        self.parts = parts
        self.reader = TextReader(parts.links)
        self.title: str | None = None
        self.begun = False

    def block(self, element: etree._Element) -> None:
        if element.tag == f"{W}p":
            self.paragraph(element)
        elif element.tag == f"{W}tbl":
            self.table(element)
        elif element.tag in CONTAINERS:
            for child in element:
                self.block(child)

    def paragraph(self, element: etree._Element) -> None:
        read = self.reader.read(element)
        style = self.style(element)
        text = one_line(read.text)
        if text and style.list_id:
            number = self.numbers.next(style.list_id, max(0, style.item - 1))
            text = f"{number} {text}" if number else text
        if style.title and self.title is None and not self.begun:
            self.title = text
            self.outline.heading(1, text)
        elif style.level:
            # One level below the title, when there is one.
            self.outline.heading(min(style.level + (self.title is not None), 6), text)
        elif style.item:
            self.outline.add("list_item", text, level=style.item)
        elif style.code:
            self.outline.add("code", clean(read.text).rstrip())
        else:
            self.outline.add("paragraph", text)
        self.begun = self.begun or bool(text)
        self.referred(read)

    def referred(self, read: ParagraphText) -> None:
        """Add what a paragraph refers to behind it: text boxes, pictures, notes, comments, charts."""
        for box in read.boxes:
            for child in box:
                self.block(child)
        for words in filter(None, read.pictures):
            self.outline.add("paragraph", f"Picture: {words}")
        for note in read.notes:
            self.outline.add("paragraph", self.parts.note(*note))
        for comment in read.comments:
            self.outline.add("paragraph", self.parts.comment(comment))
        for chart in read.charts:
            for kind, text in self.parts.chart(chart):
                self.outline.add(kind, text)

    def style(self, paragraph: etree._Element) -> Style:
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            return PLAIN
        reference = properties.find(f"{W}pStyle")
        style = self.styles.get(reference.get(f"{W}val", ""), PLAIN) if reference is not None else PLAIN
        level, item, own_list = heading_level(properties), list_depth(properties), list_id(properties)
        return Style(
            level or style.level,
            style.item if item is None else item,
            style.title,
            style.code,
            "" if own_list == "0" or item == 0 else own_list or style.list_id,
        )

    def table(self, table: etree._Element) -> None:
        read = table_of(table, self.cell_text)
        if read is None:
            for cell in table.iter(f"{W}tc"):
                if _table_around(cell) is table:
                    for child in cell:
                        self.block(child)
            return
        rows, texts = read
        for line in table_lines(rows):
            self.outline.add("table_row", line.text)
        for paragraph in texts:
            self.referred(paragraph)

    def cell_text(self, paragraph: etree._Element) -> tuple[str, ParagraphText]:
        """Return the text of a paragraph in a cell, with the number that Word gives it, and what it refers to."""
        read = self.reader.read(paragraph)
        style = self.style(paragraph)
        text = one_line(read.text)
        number = self.numbers.next(style.list_id, max(0, style.item - 1)) if text and style.list_id else ""
        return (f"{number} {text}" if number else text), read


def _table_around(cell: etree._Element) -> etree._Element | None:
    parent = cell.getparent()
    while parent is not None and parent.tag != f"{W}tbl":
        parent = parent.getparent()
    return parent
