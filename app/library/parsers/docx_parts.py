"""Parts of a Word document beside its body: links, notes, comments, headers and footers, charts."""

import posixpath
from collections.abc import Iterator
from itertools import zip_longest

from lxml import etree

from app.library.parsers.blocks import BlockKind
from app.library.parsers.docx_styles import W
from app.library.parsers.docx_text import TextReader
from app.library.parsers.encoding import one_line
from app.library.parsers.ooxml import Package
from app.library.parsers.rows import row_texts

_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
# A chart of more points is a drawing of measurements, not a table that somebody reads.
_CHART_POINTS = 500


class Parts:
    """The parts that a document's body refers to. links: addresses outside the file by the ids of their relations."""

    def __init__(self, package: Package, main: str) -> None:
        self._package = package
        self._folder, name = posixpath.split(main)
        self.links: dict[str, str] = {}
        self._targets: dict[str, str] = {}
        self._pages: list[str] = []
        root = package.tree(f"{self._folder}/_rels/{name}.rels")
        for relation in root.iterfind(_RELATIONS) if root is not None else ():
            target = relation.get("Target", "")
            if relation.get("TargetMode") == "External":
                self.links[relation.get("Id", "")] = target
                continue
            part = posixpath.normpath(posixpath.join(self._folder, target)) if target[:1] != "/" else target[1:]
            self._targets[relation.get("Id", "")] = part
            if relation.get("Type", "").endswith(("/header", "/footer")):
                self._pages.append(part)
        self._reader = TextReader({})
        self._notes = {kind: self._texts(f"{kind}s", kind) for kind in ("footnote", "endnote")}
        self._comments = self._texts("comments", "comment")

    def _texts(self, part: str, tag: str) -> dict[str, str]:
        root = self._package.tree(f"{self._folder}/{part}.xml")
        texts: dict[str, str] = {}
        for element in root.iterfind(f"{W}{tag}") if root is not None else ():
            if element.get(f"{W}type") is None:
                text = self._text(element)
                author = element.get(f"{W}author", "")
                texts[element.get(f"{W}id", "")] = f"Comment by {author}: {text}" if author else text
        return texts

    def _text(self, element: etree._Element) -> str:
        return one_line(" ".join(self._reader.read(paragraph).text for paragraph in element.iter(f"{W}p")))

    def note(self, kind: str, note_id: str) -> str:
        """Return the text of a note, or "". kind: `footnote` or `endnote`."""
        return self._notes.get(kind, {}).get(note_id, "")

    def comment(self, comment_id: str) -> str:
        return self._comments.get(comment_id, "")

    def page_lines(self) -> Iterator[str]:
        """Yield each different line of the headers and footers once; page numbers alone are left out."""
        seen: set[str] = set()
        for part in sorted(self._pages):
            root = self._package.tree(part)
            for paragraph in root.iter(f"{W}p") if root is not None else ():
                line = one_line(self._reader.read(paragraph).text)
                if line not in seen and sum(map(str.isalpha, line)) > len("Page of"):
                    seen.add(line)
                    yield line

    def chart(self, relation: str) -> Iterator[tuple[BlockKind, str]]:
        """Yield the title of a chart and its data, a row for each category."""
        root = self._package.tree(self._targets.get(relation, ""))
        if root is None:
            return
        title = root.find(f".//{_C}chart/{_C}title")
        words = one_line("".join(each.text or "" for each in title.iter(f"{_A}t"))) if title is not None else ""
        yield "paragraph", f"Chart: {words}" if words else ""
        names: list[str] = [""]
        columns: list[list[str]] = []
        for series in root.iter(f"{_C}ser"):
            names.append(" ".join(_points(series.find(f"{_C}tx"))))
            categories = _points(series.find(f"{_C}cat")) or _points(series.find(f"{_C}xVal"))
            columns = columns or [categories]
            columns.append(_points(series.find(f"{_C}val")) or _points(series.find(f"{_C}yVal")))
        for row in zip_longest(*columns[:50], fillvalue=""):
            for line in row_texts(names, row):
                yield "table_row", line


def _points(element: etree._Element | None) -> list[str]:
    """Return the values of a series as they are shown; numbers without the noise of binary fractions."""
    if element is None:
        return []
    values = [point.text or "" for point in element.iter(f"{_C}v")]
    return [_short(value) for value in values[:_CHART_POINTS]]


def _short(value: str) -> str:
    try:
        return f"{float(value):.12g}"
    except ValueError:
        return value
