"""Parser of EPUB books: chapters in the order of the book, each under its heading or its title in the contents.

A chapter is read as a web page is. The book's own page of contents is left out.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lxml import etree

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.html import page_source, parse_fragment
from app.library.parsers.limits import Limits
from app.library.parsers.media import EPUB
from app.library.parsers.ooxml import Package, damage_reported, open_package
from app.library.parsers.outline import Outline

_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*>")
_PARSER: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "recover": True,
}
_OPF = "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_NCX = "{http://www.daisy.org/z3986/2005/ncx/}"
_XHTML = "{http://www.w3.org/1999/xhtml}"
_OPS = "{http://www.idpf.org/2007/ops}"
_CONTAINER = "META-INF/container.xml"
_ENCRYPTED = "META-INF/encryption.xml"
_PAGES = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document"})
# XML may close any tag at once; HTML would take all that follows for the tag's content, unless it never has any.
_CLOSED_AT_ONCE = re.compile(r"<([A-Za-z][A-Za-z0-9]*)((?:\s[^<>]*)?)/>")
_NEVER_FILLED = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: broken_file, encrypted_file, no_text, file_too_complex."""
    outline = Outline(limits)
    with open_package(path, limits) as package:
        book = _Book(package)
        for part in book.chapters():
            _chapter(book, part, outline)
    if not outline.blocks:
        raise ParseError("no_text", "a book without text")
    return Parsed(tuple(outline.blocks), EPUB, title=book.title)


def _chapter(book: "_Book", part: str, outline: Outline) -> None:
    data = book.package.data(part)
    if data is None:
        return
    source = page_source(data)
    if "/>" in source:
        source = _CLOSED_AT_ONCE.sub(_opened_and_closed, source)
    before = outline.mark()
    parse_fragment(source, outline)
    title, own = book.titles.get(part, ""), outline.blocks[before.blocks :]
    if not title or not own or own[0].kind == "heading":
        return
    # The contents name a place in the file whose heading stands there, or the whole file, which then needs a heading.
    if title.casefold() not in [block.text.casefold() for block in own if block.kind == "heading"]:
        outline.rewind(before)
        outline.end_sections()
        outline.heading(1, title)
        parse_fragment(source, outline)


def _opened_and_closed(tag: re.Match[str]) -> str:
    return tag[0] if tag[1].lower() in _NEVER_FILLED else f"<{tag[1]}{tag[2]}></{tag[1]}>"


class _Book:
    def __init__(self, package: Package) -> None:
        self.package = package
        container = _tree(package, _CONTAINER)
        root = (
            next((each for each in container.iter() if each.get("full-path")), None) if container is not None else None
        )
        self.main = posixpath.normpath(unquote(root.get("full-path", ""))) if root is not None else ""
        main = _tree(package, self.main)
        if main is None:
            raise ParseError("broken_file", "no list of chapters")
        self.folder = posixpath.dirname(self.main)
        self.root = main
        self.title = one_line(next((each.text or "" for each in main.iter(f"{_DC}title")), "")) or None
        self.items = {each.get("id", ""): each for each in main.iter(f"{_OPF}item")}
        self.contents = {self.part(each) for each in self.items.values() if "nav" in each.get("properties", "").split()}
        self.titles = dict(self._titles())
        # Older books name their page of contents in the guide.
        self.contents |= {
            self.part(each) for each in main.iter(f"{_OPF}reference") if each.get("type", "").lower() == "toc"
        }

    def part(self, item: etree._Element) -> str:
        return self.named(self.folder, item.get("href", ""))

    @staticmethod
    def named(folder: str, address: str) -> str:
        return posixpath.normpath(posixpath.join(folder, unquote(address.partition("#")[0])))

    def chapters(self) -> Iterator[str]:
        """Yield the names of the chapters' files in the order of the book."""
        locked = self._locked()
        seen: set[str] = set()
        for entry in self.root.iter(f"{_OPF}itemref"):
            item = self.items.get(entry.get("idref", ""))
            if item is None or item.get("media-type", "application/xhtml+xml") not in _PAGES:
                continue
            part = self.part(item)
            if part in seen or part in self.contents:
                continue
            if part in locked:
                raise ParseError("encrypted_file", "a book with copy protection")
            seen.add(part)
            yield part

    def _locked(self) -> set[str]:
        """Return the files that are encrypted; fonts often are, which hides no text."""
        root = _tree(self.package, _ENCRYPTED)
        if root is None:
            return set()
        return {posixpath.normpath(unquote(each.get("URI", ""))) for each in root.iter() if each.get("URI")}

    def _titles(self) -> Iterator[tuple[str, str]]:
        """Yield files and their titles in the contents, the newer form of these last so that it wins.

        An entry that names a place within a file says nothing of the file's beginning.
        """
        for item in self.items.values():
            if item.get("media-type") == "application/x-dtbncx+xml":
                yield from self._old_titles(self.part(item))
        for part in self.contents:
            root = _tree(self.package, part)
            folder = posixpath.dirname(part)
            seen: set[str] = set()
            for nav in root.iter(f"{_XHTML}nav") if root is not None else ():
                if nav.get(f"{_OPS}type", "toc") != "toc":
                    continue
                for link in nav.iter(f"{_XHTML}a"):
                    name, place = self.named(folder, link.get("href", "")), "#" in link.get("href", "")
                    if name not in seen and not place:
                        seen.add(name)
                        yield name, one_line(" ".join(link.itertext()))

    def _old_titles(self, part: str) -> Iterator[tuple[str, str]]:
        root = _tree(self.package, part)
        seen: set[str] = set()
        for point in root.iter(f"{_NCX}navPoint") if root is not None else ():
            content, label = point.find(f"{_NCX}content"), point.findtext(f"{_NCX}navLabel/{_NCX}text")
            address = content.get("src", "") if content is not None else ""
            name = self.named(posixpath.dirname(part), address)
            if address and "#" not in address and label and name not in seen:
                seen.add(name)
                yield name, one_line(label)


def _tree(package: Package, name: str) -> etree._Element | None:
    """Return the root of a part that may name a document type, which is not read; None without such a part."""
    data = package.data(name)
    if data is None:
        return None
    data = _DOCTYPE.sub(b"", data, count=1)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ParseError("file_too_complex", "a document type with entities")
    with damage_reported():
        return etree.fromstring(data, etree.XMLParser(**_PARSER))
