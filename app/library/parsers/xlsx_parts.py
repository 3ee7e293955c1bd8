"""Read the parts of an Excel sheet beside its rows: merged and hidden cells, links, comments, drawings."""

import re
from collections import defaultdict
from collections.abc import Iterator

from lxml import etree

from app.library.parsers.blocks import BlockKind
from app.library.parsers.charts import chart_blocks
from app.library.parsers.encoding import one_line
from app.library.parsers.inline import comment_line
from app.library.parsers.ooxml import Package
from app.library.parsers.sheets import Merge

_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?\Z")
_COLUMNS = 16_384
_DATA = re.compile(rb"<(?:[\w.-]+:)?sheetData(?:\s[^>]*)?(/?)>")
_DATA_END = re.compile(rb"</(?:[\w.-]+:)?sheetData\s*>")
_ROOT = re.compile(rb"<((?:[\w.-]+:)?(?:work|chart|macro|dialog)sheet)\b[^>]*>")
_PART_BYTES = 256 * 1024
_EDGE_BYTES = 16 * 1024 * 1024
_END_TAG_BYTES = 64
# Programs give these names by themselves.
_PICTURE_NAME = re.compile(r"(?:Picture|Image|Grafik|Bild)\s*\d*\Z")
# A link over more cells is one of a whole column.
_LINKED_CELLS = 200
# Excel writes this into the old form of a comment that belongs to a conversation.
_THREADED = "[Threaded comment]"


def column_of(letters: str) -> int:
    """Return the number of a column from 0; 0 for what is no column."""
    number = 0
    for letter in letters.upper()[:3]:
        number = number * 26 + ord(letter) - 64
    return min(max(number, 1), _COLUMNS) - 1


def area_of(reference: str) -> Merge | None:
    """Return the cells of a reference such as `B2:C5`."""
    match = _REFERENCE.match(reference.upper())
    if match is None:
        return None
    left, top, right, bottom = match.groups()
    return Merge(int(top), column_of(left), int(bottom or top), column_of(right or left))


class SheetParts:
    """The parts of a sheet. notes, links: by row and column. drawings: names of parts."""

    def __init__(self, package: Package, part: str) -> None:
        self.merges: list[Merge] = []
        self.hidden_columns: set[int] = set()
        self.notes: dict[int, dict[int, str]] = defaultdict(dict)
        self.links: dict[int, dict[int, str]] = defaultdict(dict)
        relations = package.relations(part)
        self.drawings = [each.target for each in relations.values() if each.kind == "drawing"]
        addresses = {key: each.target for key, each in relations.items() if each.outside}
        for root in _edges(package, part):
            self._edge(root, addresses)
        kinds = {each.kind: each.target for each in relations.values() if not each.outside}
        self._comments(package.tree(kinds.get("comments", "")))
        self._threads(package, kinds.get("threadedComment", ""))

    def _edge(self, root: etree._Element, addresses: dict[str, str]) -> None:
        for column in root.iterfind("{*}cols/{*}col"):
            if column.get("hidden") in ("1", "true"):
                first, last = column.get("min", ""), column.get("max", "")
                if first.isdecimal() and last.isdecimal() and len(first + last) < 12:
                    self.hidden_columns.update(range(max(1, int(first)) - 1, min(int(last), _COLUMNS)))
        for element in root.iterfind("{*}mergeCells/{*}mergeCell"):
            area = area_of(element.get("ref", ""))
            if area is not None and (area.bottom > area.top or area.right > area.left):
                self.merges.append(area)
        for element in root.iterfind("{*}hyperlinks/{*}hyperlink"):
            key = next((value for name, value in element.items() if name.endswith("}id")), "")
            area = area_of(element.get("ref", ""))
            if area is None or not addresses.get(key):
                continue
            rows, columns = range(area.top, area.bottom + 1), range(area.left, area.right + 1)
            if len(rows) * len(columns) <= _LINKED_CELLS:
                for row in rows:
                    self.links[row].update(dict.fromkeys(columns, addresses[key]))

    def _comments(self, root: etree._Element | None) -> None:
        if root is None:
            return
        authors = [one_line(author.text or "") for author in root.iterfind("{*}authors/{*}author")]
        for comment in root.iterfind("{*}commentList/{*}comment"):
            number = comment.get("authorId", "")
            author = authors[int(number)] if number.isdecimal() and int(number[:9]) < len(authors) else ""
            words = "".join(each.text or "" for each in comment.iterfind("{*}text//{*}t"))
            # The name of its author stands at the beginning of a note too.
            text = one_line(words).removeprefix(f"{author}:").strip() if author else one_line(words)
            if not text.startswith(_THREADED):
                self._note(comment.get("ref", ""), text, author, "")

    def _threads(self, package: Package, part: str) -> None:
        root = package.tree(part)
        if root is None:
            return
        people = package.tree("xl/persons/person.xml")
        names = {each.get("id", ""): each.get("displayName", "") for each in people} if people is not None else {}
        for comment in root.iterfind("{*}threadedComment"):
            author = one_line(names.get(comment.get("personId", ""), ""))
            text = one_line(comment.findtext("{*}text") or "")
            self._note(comment.get("ref", ""), text, author, comment.get("dT", ""))

    def _note(self, reference: str, text: str, author: str, time: str) -> None:
        area = area_of(reference)
        if area is not None and text:
            line = comment_line(text, author, time)
            row = self.notes[area.top]
            row[area.left] = f"{row[area.left]}; {line}" if area.left in row else line


def _edges(package: Package, part: str) -> Iterator[etree._Element]:
    """Yield what stands before and after the rows of a sheet, each as a tree: merged cells come behind the rows."""
    head, tail = b"", b""
    with package.stream(part) as file:
        while (data := _DATA.search(head)) is None and len(head) < _EDGE_BYTES and (more := file.read(_PART_BYTES)):
            head += more
        if data is None:
            tail, end = head, None
        elif data[1]:
            tail, end = head[data.end() :], data
        else:
            window, end = head[data.end() :], None
            while (end := _DATA_END.search(window)) is None and (more := file.read(_PART_BYTES)):
                window = window[-_END_TAG_BYTES:] + more
            tail = window[end.end() :] if end else b""
        while end and len(tail) < _EDGE_BYTES and (more := file.read(_PART_BYTES)):
            tail += more
    root = _ROOT.search(head)
    if root is None or data is None:
        return
    closing = b"</" + root[1] + b">"
    for text in (head[: data.start()] + closing, root[0] + tail):
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
        tree = etree.fromstring(text, parser)
        if tree is not None:
            yield tree


def shown_drawing(package: Package, part: str) -> Iterator[tuple[BlockKind, str]]:
    """Yield the charts, the texts and the descriptions of pictures of a drawing."""
    root = package.tree(part)
    if root is None:
        return
    relations = package.relations(part)
    for element in root.iter("{*}chart", "{*}txBody", "{*}pic"):
        tag = etree.QName(element).localname
        if tag == "chart":
            key = next((value for name, value in element.items() if name.endswith("}id")), "")
            chart = package.tree(relations[key].target) if key in relations else None
            if chart is not None:
                yield from chart_blocks(chart)
        elif tag == "txBody":
            for paragraph in element.iterfind("{*}p"):
                yield "paragraph", one_line("".join(each.text or "" for each in paragraph.iter("{*}t")))
        else:
            described = element.find("{*}nvPicPr/{*}cNvPr")
            text = one_line(described.get("descr", "")) if described is not None else ""
            if text and not _PICTURE_NAME.match(text):
                yield "paragraph", text
