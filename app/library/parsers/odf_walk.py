"""The walk over the content of an OpenDocument text or slide that adds its shown text to an outline."""

import posixpath
from collections.abc import Iterator

from lxml import etree

from app.library.parsers.blocks import BlockKind, ParseError
from app.library.parsers.encoding import clean, one_line
from app.library.parsers.limits import Limits
from app.library.parsers.odf_styles import DRAW, OFFICE, TABLE, TEXT, XLINK, Counter, Level, Styles
from app.library.parsers.odf_tables import inner_rows, table_of
from app.library.parsers.odf_text import ANNOTATIONS, ParagraphText, TextReader, alternative_text, comment_of, is_table
from app.library.parsers.ooxml import Package
from app.library.parsers.outline import NOWHERE, Outline
from app.library.parsers.tables import table_lines

_CHART = "{urn:oasis:names:tc:opendocument:xmlns:chart:1.0}"
_LISTS_OF_PAGES = frozenset(
    f"{TEXT}{name}"
    for name in ("table-of-content", "illustration-index", "table-index", "object-index", "alphabetical-index")
)
_CONTAINERS = frozenset(
    [
        *(f"{TEXT}{name}" for name in ("section", "bibliography", "user-index", "index-body", "numbered-paragraph")),
        *(f"{DRAW}text-box", f"{DRAW}a", f"{OFFICE}text"),
    ]
)
_CODE_STYLE = "Preformatted_20_Text"
_MAX_ITEM_DEPTH = 9
_MAX_CHART_ROWS = 500


def streamed(package: Package, container: str, limits: Limits, styles: Styles) -> Iterator[etree._Element]:
    """Yield the elements directly in a container of `content.xml`, each removed from memory after its use.

    The styles, which stand before them, are read on the way. Errors: broken_file, file_too_complex.
    """
    depth = 0
    if "content.xml" not in package:
        raise ParseError("broken_file", "no content")
    for event, element in package.elements("content.xml"):
        if event == "start":
            depth += 1
            if depth > limits.depth:
                raise ParseError("file_too_complex", "XML nested too far")
            continue
        depth -= 1
        parent = element.getparent()
        if element.tag == f"{OFFICE}automatic-styles":
            styles.read(element)
        elif depth == 3 and parent is not None and parent.tag == container:
            yield element
            element.clear()
            while element.getprevious() is not None:
                del parent[0]


class Walk:
    """where: the place that blocks get; set anew for each slide."""

    def __init__(self, outline: Outline, styles: Styles, package: Package) -> None:
        self.outline = outline
        self.styles = styles
        self.package = package
        self.where = NOWHERE
        self.title: str | None = None
        self.reader = TextReader(styles, self.object_root)
        self.headings = Counter(styles.outline)
        self.counters: dict[str, Counter] = {}
        self.depth = 0

    def block(self, element: etree._Element) -> None:
        tag = element.tag
        if tag == f"{TEXT}p":
            self.paragraph(element)
        elif tag == f"{TEXT}h":
            self.heading(element)
        elif tag == f"{TEXT}list":
            self.whole_list(element)
        elif is_table(element):
            self.table(element)
        elif tag in ANNOTATIONS:
            self.add("paragraph", comment_of(element))
        elif tag in _CONTAINERS:
            if element.get(f"{TEXT}display") != "none":
                for child in element:
                    self.block(child)
        elif isinstance(tag, str) and tag.startswith(DRAW):
            self.drawing(element)
        elif tag not in _LISTS_OF_PAGES and element.find(f"{TEXT}index-body") is not None:
            self.block(element.find(f"{TEXT}index-body"))

    def add(self, kind: BlockKind, text: str, level: int = 0) -> None:
        self.outline.add(kind, text, self.where, level=level)

    def paragraph(self, element: etree._Element) -> None:
        read = self.reader.read(element)
        style = element.get(f"{TEXT}style-name", "")
        text = one_line(read.text)
        if text and self.title is None and not self.outline.blocks and self.styles.is_based_on(style, "Title"):
            self.title = text
            self.outline.heading(1, text, self.where)
        elif self.styles.is_based_on(style, _CODE_STYLE):
            self.add("code", clean(read.text).rstrip())
        else:
            self.add("paragraph", text)
        self.referred(read)

    def heading(self, element: etree._Element, number: str = "") -> None:
        read = self.reader.read(element)
        text = one_line(read.text)
        stated = element.get(f"{TEXT}outline-level", "1")
        level = max(1, min(int(stated) if stated.isdecimal() else 1, 10))
        is_numbered = self.styles.style("paragraph", element.get(f"{TEXT}style-name", "")).list_style != ""
        if text and not number and is_numbered and element.get(f"{TEXT}is-list-header") != "true":
            start = element.get(f"{TEXT}start-value") if element.get(f"{TEXT}restart-numbering") == "true" else None
            number = self.headings.next(level, start)
        self.outline.heading(
            min(level + (self.title is not None), 6), f"{number} {text}" if number and text else text, self.where
        )
        self.referred(read)

    def referred(self, read: ParagraphText) -> None:
        """Add what stands in a paragraph behind it: notes, comments, text boxes and other drawings."""
        for note in read.notes:
            self.add("paragraph", self.content_text(note))
        for comment in read.comments:
            self.add("paragraph", comment)
        for drawing in read.drawings:
            self.drawing(drawing)

    def counter(self, element: etree._Element, style: str) -> Counter:
        """Return the numbers of an outermost list, those of an earlier one where it continues that."""
        continued = element.get(f"{TEXT}continue-list", "")
        if not continued and element.get(f"{TEXT}continue-numbering") == "true":
            continued = f"style {style}"
        counter = self.counters.get(continued) or Counter(self.styles.lists.get(style, {}))
        self.counters[f"style {style}"] = counter
        key = element.get("{http://www.w3.org/XML/1998/namespace}id")
        if key:
            self.counters[key] = counter
        return counter

    def whole_list(self, element: etree._Element) -> None:
        for number, item_level, child, mark in self.items(element, None, 1):
            if child.tag == f"{TEXT}h":
                self.heading(child, number)
            elif child.tag == f"{TEXT}p":
                read = self.reader.read(child)
                text = one_line(read.text)
                kind: BlockKind = "list_item" if mark.bullet or mark.number else "paragraph"
                depth = min(item_level, _MAX_ITEM_DEPTH) if kind == "list_item" else 0
                self.add(kind, f"{number} {text}" if number and text else text, depth)
                self.referred(read)
            else:
                self.block(child)

    def items(
        self, element: etree._Element, counter: Counter | None, level: int
    ) -> Iterator[tuple[str, int, etree._Element, Level]]:
        """Yield the number, level, element and mark of each paragraph in a list and the lists in it."""
        style = element.get(f"{TEXT}style-name", "")
        if counter is None:
            counter = self.counter(element, style)
        elif style and style in self.styles.lists:
            counter.levels = {**counter.levels, level: self.styles.lists[style].get(level, Level())}
        mark = counter.levels.get(min(level, 10), Level(bullet=not counter.levels))
        for item in element:
            if item.tag not in (f"{TEXT}list-item", f"{TEXT}list-header"):
                continue
            begun = item.tag == f"{TEXT}list-header"
            for child in item:
                if child.tag == f"{TEXT}list":
                    yield from self.items(child, counter, level + 1)
                    continue
                number = ""
                if not begun and child.tag in (f"{TEXT}p", f"{TEXT}h") and "".join(child.itertext()).strip():
                    number = counter.next(level, item.get(f"{TEXT}start-value"))
                    begun = True
                yield number, level, child, mark

    def table(self, table: etree._Element) -> None:
        referred: list[ParagraphText] = []
        rows = table_of(table, lambda cell: self.content_text(cell, referred))
        if rows is None:
            for cell in table.iter(f"{TABLE}table-cell"):
                if _table_around(cell) is table:
                    for child in cell:
                        self.block(child)
            return
        for line in table_lines(rows):
            self.add("table_row", line.text)
        for read in referred:
            self.referred(read)

    def content_text(self, element: etree._Element, referred: list[ParagraphText] | None = None) -> str:
        """Return the text of a cell or note on one line. referred: gets what its paragraphs hold."""
        parts: list[str] = []
        for child in element:
            if child.tag in (f"{TEXT}p", f"{TEXT}h"):
                parts.append(self.cell_paragraph(child, referred))
            elif child.tag == f"{TEXT}list":
                for number, _, each, _ in self.items(child, None, 1):
                    text = self.cell_paragraph(each, referred) if each.tag in (f"{TEXT}p", f"{TEXT}h") else ""
                    parts.append(f"{number} {text}" if number and text else text)
            elif is_table(child):
                parts.append(inner_rows(child, lambda cell: self.content_text(cell, referred)))
        return " ".join(filter(None, parts))

    def cell_paragraph(self, paragraph: etree._Element, referred: list[ParagraphText] | None) -> str:
        read = self.reader.read(paragraph)
        boxes = [box for each in read.drawings for box in each.iter(f"{DRAW}text-box")]
        if referred is not None:
            referred.append(ParagraphText("", read.notes, read.comments, [] if boxes else read.drawings))
        return one_line(" ".join([read.text, *(self.content_text(box) for box in boxes)]))

    def drawing(self, element: etree._Element) -> None:
        """Add the text of a frame, shape or group, a chart's data, or the words that describe a picture."""
        if self.depth > 30:
            raise ParseError("file_too_complex", "drawings nested too far")
        self.depth += 1
        before = len(self.outline.blocks)
        for child in element:
            if child.tag == f"{DRAW}object":
                self.object(child)
            else:
                self.block(child)
        words = alternative_text(element)
        if words and len(self.outline.blocks) == before:
            self.add("paragraph", f"Picture: {words}")
        self.depth -= 1

    def object_root(self, address: str) -> etree._Element | None:
        """Return the root of an object that is stored inside the document, or None."""
        name = posixpath.normpath(address)
        if address.startswith("/") or name.startswith("..") or ":" in address:
            return None
        return self.package.tree(f"{name}/content.xml")

    def object(self, element: etree._Element) -> None:
        root = self.object_root(element.get(f"{XLINK}href", ""))
        chart = root.find(f".//{_CHART}chart") if root is not None else None
        if chart is None:
            return
        titles = [one_line(" ".join(each.itertext())) for each in chart.iter(f"{_CHART}title")]
        shown = "; ".join(dict.fromkeys(filter(None, titles)))
        self.add("paragraph", f"Chart: {shown}" if shown else "Chart")
        data = chart.find(f"{TABLE}table")
        rows = table_of(data, lambda cell: self.content_text(cell)) if data is not None else None
        for line in list(table_lines(rows or []))[:_MAX_CHART_ROWS]:
            self.add("table_row", line.text)


def _table_around(cell: etree._Element) -> etree._Element | None:
    parent = cell.getparent()
    while parent is not None and not is_table(parent):
        parent = parent.getparent()
    return parent
