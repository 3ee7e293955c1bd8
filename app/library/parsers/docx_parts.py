"""Parts of a Word document beside its body: links, notes, comments, headers and footers, charts."""

import posixpath
from collections.abc import Iterator

from lxml import etree

from app.library.parsers.blocks import BlockKind
from app.library.parsers.charts import chart_blocks
from app.library.parsers.docx_styles import W
from app.library.parsers.docx_text import TextReader
from app.library.parsers.encoding import one_line
from app.library.parsers.inline import comment_line
from app.library.parsers.ooxml import Package


class Parts:
    """The parts that a document's body refers to. links: addresses outside the file by the ids of their relations."""

    def __init__(self, package: Package, main: str) -> None:
        self._package = package
        self._folder = posixpath.dirname(main)
        self.links: dict[str, str] = {}
        self._targets: dict[str, str] = {}
        self._pages: list[str] = []
        for key, relation in package.relations(main).items():
            if relation.outside:
                self.links[key] = relation.target
                continue
            self._targets[key] = relation.target
            if relation.kind in ("header", "footer"):
                self._pages.append(relation.target)
        self._reader = TextReader({})
        self._notes = {kind: self._texts(f"{kind}s", kind) for kind in ("footnote", "endnote")}
        self._comments = self._texts("comments", "comment")

    def _texts(self, part: str, tag: str) -> dict[str, str]:
        root = self._package.tree(f"{self._folder}/{part}.xml")
        texts: dict[str, str] = {}
        for element in root.iterfind(f"{W}{tag}") if root is not None else ():
            if element.get(f"{W}type") is None:
                text = self._text(element)
                if tag == "comment" and text:
                    text = comment_line(text, element.get(f"{W}author", ""), element.get(f"{W}date", ""))
                texts[element.get(f"{W}id", "")] = text
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
        if root is not None:
            yield from chart_blocks(root)
