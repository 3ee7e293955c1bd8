"""Parser of OpenDocument presentations: slides with their titles, text in reading order, tables, charts, notes."""

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.limits import Limits
from app.library.parsers.media import ODP
from app.library.parsers.odf_styles import DRAW, OFFICE, PRESENTATION, SVG, Styles
from app.library.parsers.odf_text import ANNOTATIONS
from app.library.parsers.odf_walk import Walk, streamed
from app.library.parsers.ooxml import open_package
from app.library.parsers.outline import Outline, Where
from app.library.parsers.reading_order import Area, reading_order

_CLASS = f"{PRESENTATION}class"
_REPEATED = frozenset({"header", "footer", "date-time", "page-number"})
_LENGTH = re.compile(r"(-?\d+(?:\.\d+)?)(cm|mm|in|pt|pc|px)?\Z")
_UNITS = {"cm": 28.35, "mm": 2.835, "in": 72.0, "pt": 1.0, "pc": 12.0, "px": 0.75}
_MAX_DEPTH = 30


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: broken_file, encrypted_file, no_text, file_too_complex."""
    outline = Outline(limits)
    styles = Styles()
    with open_package(path, limits) as package:
        root = package.tree("styles.xml")
        for part in ("styles", "automatic-styles"):
            styles.read(root.find(f"{OFFICE}{part}") if root is not None else None)
        deck = _Deck(Walk(outline, styles, package))
        for element in streamed(package, f"{OFFICE}presentation", limits, styles):
            deck.read(element)
    if not outline.blocks:
        raise ParseError("no_text", "slides of pictures" if deck.pictured else "a presentation without text")
    warnings = (f"slides_without_text:{', '.join(map(str, deck.pictured))}",) if deck.pictured else ()
    return Parsed(tuple(outline.blocks), ODP, title=deck.title, warnings=warnings)


class _Deck:
    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        # Titles of slides are headings; a paragraph in a title's style is none.
        walk.title = ""
        self.title: str | None = None
        self.number = 0
        # Slides that show pictures and no text.
        self.pictured: list[int] = []
        self.footers: dict[str, str] = {}

    def read(self, element: etree._Element) -> None:
        if element.tag == f"{PRESENTATION}footer-decl":
            self.footers[element.get(f"{PRESENTATION}name", "")] = one_line("".join(element.itertext()))
        elif element.tag == f"{DRAW}page":
            self.number += 1
            self.page(element)

    def page(self, page: etree._Element) -> None:
        walk = self.walk
        walk.where = Where(slide=self.number)
        before = len(walk.outline.blocks)
        shapes = list(_ordered(page, 0))
        titles = [each for each in shapes if each.get(_CLASS) == "title" and not _is_prompt(each)]
        title = " ".join(filter(None, (self.text_of(each) for each in titles)))
        walk.outline.end_sections()
        self.title = self.title or title or None
        if page.get(f"{DRAW}style-name") in walk.styles.hidden_pages:
            title = f"{title} (hidden slide)" if title else "Hidden slide"
        walk.outline.heading(1, title, walk.where)
        for shape in shapes:
            if shape.get(_CLASS, "") not in _REPEATED and shape not in titles and not _is_prompt(shape):
                walk.block(shape)
        walk.add("paragraph", self.footers.pop(page.get(f"{PRESENTATION}use-footer-name", ""), ""))
        for comment in page.iterchildren(*ANNOTATIONS):
            walk.block(comment)
        self.notes(page.find(f"{PRESENTATION}notes"))
        if len(walk.outline.blocks) == before and any(each.find(f"{DRAW}image") is not None for each in shapes):
            self.pictured.append(self.number)

    def text_of(self, frame: etree._Element) -> str:
        return " ".join(filter(None, (self.walk.content_text(box) for box in frame.iter(f"{DRAW}text-box"))))

    def notes(self, notes: etree._Element | None) -> None:
        """Add the speaker's notes under a heading of their own."""
        for frame in notes if notes is not None else ():
            if frame.get(_CLASS, "") in _REPEATED or frame.get(_CLASS) == "page" or _is_prompt(frame):
                continue
            if self.text_of(frame):
                self.walk.outline.heading(2, "Notes", self.walk.where)
                self.walk.block(frame)


def _is_prompt(frame: etree._Element) -> bool:
    """Return whether a frame only asks to be filled."""
    return bool(frame.get(f"{PRESENTATION}placeholder") == "true")


def _ordered(parent: etree._Element, depth: int) -> Iterator[etree._Element]:
    """Yield the shapes of a slide or group in reading order, those in groups at the place of their group."""
    if depth > _MAX_DEPTH:
        raise ParseError("file_too_complex", "groups nested too far")
    shapes = [child for child in parent if isinstance(child.tag, str) and child.tag.startswith(DRAW)]
    for number in reading_order([_area(shape) for shape in shapes]):
        if shapes[number].tag == f"{DRAW}g":
            yield from _ordered(shapes[number], depth + 1)
        else:
            yield shapes[number]


def _area(shape: etree._Element) -> Area | None:
    if shape.tag == f"{DRAW}g":
        areas = [area for child in shape.iter() if child.tag != f"{DRAW}g" and (area := _area(child)) is not None]
        if not areas:
            return None
        return min(a[0] for a in areas), min(a[1] for a in areas), max(a[2] for a in areas), max(a[3] for a in areas)
    left, top, width, height = (_points(shape.get(f"{SVG}{name}")) for name in ("x", "y", "width", "height"))
    if left is None or top is None or width is None or height is None:
        return None
    return left, top, left + width, top + height


def _points(length: str | None) -> float | None:
    match = _LENGTH.match(length or "")
    return float(match[1]) * _UNITS.get(match[2] or "px", 1.0) if match else None
