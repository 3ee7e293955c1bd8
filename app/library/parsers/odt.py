"""Parser of OpenDocument texts: headings and lists with their numbers, tables, notes beside the text that names them.

The file is read as a stream. Deleted, struck-out and hidden text and tables of contents are left out.
"""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.limits import Limits
from app.library.parsers.media import ODT
from app.library.parsers.odf_styles import OFFICE, STYLE, TEXT, Styles
from app.library.parsers.odf_walk import Walk, streamed
from app.library.parsers.ooxml import open_package
from app.library.parsers.outline import Outline


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: broken_file, encrypted_file, no_text, file_too_complex."""
    outline = Outline(limits)
    styles = Styles()
    with open_package(path, limits) as package:
        root = package.tree("styles.xml")
        for part in ("styles", "automatic-styles"):
            styles.read(root.find(f"{OFFICE}{part}") if root is not None else None)
        walk = Walk(outline, styles, package)
        for line in _page_lines(root, walk):
            outline.add("paragraph", line)
        for element in streamed(package, f"{OFFICE}text", limits, styles):
            walk.block(element)
    if not outline.blocks:
        raise ParseError("no_text", "a document without text")
    return Parsed(tuple(outline.blocks), ODT, title=walk.title)


def _page_lines(root: etree._Element | None, walk: Walk) -> Iterator[str]:
    """Yield each different line of the headers and footers once; page numbers alone are left out."""
    seen: set[str] = set()
    masters = root.find(f"{OFFICE}master-styles") if root is not None else None
    for page in masters if masters is not None else ():
        for part in page:
            if part.tag.removeprefix(STYLE).split("-")[0] not in ("header", "footer"):
                continue
            for paragraph in part.iter(f"{TEXT}p", f"{TEXT}h"):
                line = one_line(walk.reader.read(paragraph).text)
                if line not in seen and sum(map(str.isalpha, line)) > len("Page of"):
                    seen.add(line)
                    yield line
