"""Text of PowerPoint's paragraphs: runs, links, raised digits, formulas, and the marks of lists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from app.library.parsers.docx_text import formula
from app.library.parsers.encoding import one_line
from app.library.parsers.inline import Inline, linked
from app.library.parsers.list_numbers import item_number

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
# How PowerPoint writes the numbers of a list: the style of the number, then what stands around it.
_NUMBERS = {"arabic": "1", "alphaLc": "a", "alphaUc": "A", "romanLc": "i", "romanUc": "I"}
_AROUND = {"ParenBoth": "({})", "ParenR": "{})", "Period": "{}.", "Plain": "{}"}
# A field of these counts by itself; its stored text is of another day or slide.
_COUNTING_FIELDS = ("slidenum", "datetime")
_LEVELS = 9


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark before a paragraph: a bullet, or a number of a style. start: of the first number."""

    bullet: bool = False
    number: str = ""
    start: int = 1


NO_MARK = Mark()
Marks = Mapping[int, Mark]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of a shape. level: depth in a list from 1, or 0 for plain text."""

    text: str
    level: int = 0


@dataclass(slots=True)
class _Numbers:
    """Numbers of the lists of one shape, by their depth."""

    counts: dict[int, tuple[str, int]] = field(default_factory=dict)

    def next(self, level: int, mark: Mark) -> str:
        for deeper in [each for each in self.counts if each > level]:
            del self.counts[deeper]
        if not mark.number:
            self.counts.pop(level, None)
            return ""
        style, last = self.counts.get(level, ("", 0))
        number = last + 1 if style == mark.number else mark.start
        self.counts[level] = (mark.number, number)
        for name, pattern in _AROUND.items():
            if mark.number.endswith(name):
                kind = _NUMBERS.get(mark.number.removesuffix(name), "1")
                return pattern.format(item_number(kind, number))
        return item_number("1", number)


def marks_of(styles: etree._Element | None) -> dict[int, Mark]:
    """Return the marks that a list of styles (`lstStyle`, `bodyStyle`) gives to each level from 0."""
    marks: dict[int, Mark] = {}
    if styles is None:
        return marks
    for level in range(_LEVELS):
        properties = styles.find(f"{A}lvl{level + 1}pPr")
        mark = _mark(properties) if properties is not None else None
        if mark is not None:
            marks[level] = mark
    return marks


def _mark(properties: etree._Element) -> Mark | None:
    """Return the mark that properties of a paragraph state, or None when they leave it to others."""
    for child in properties:
        if child.tag == f"{A}buNone":
            return NO_MARK
        if child.tag in (f"{A}buChar", f"{A}buBlip"):
            return Mark(bullet=True)
        if child.tag == f"{A}buAutoNum":
            start = child.get("startAt", "1")
            return Mark(number=child.get("type", "arabicPeriod"), start=int(start) if start.isdecimal() else 1)
    return None


def paragraphs(body: etree._Element, marks: Marks, links: Mapping[str, str]) -> Iterator[Paragraph]:
    """Yield the paragraphs of a body of text. links: addresses outside the file by the ids of their relations."""
    own = {**marks, **marks_of(body.find(f"{A}lstStyle"))}
    numbers = _Numbers()
    for element in body.iterfind(f"{A}p"):
        text = paragraph_text(element, links)
        if not text:
            continue
        properties = element.find(f"{A}pPr")
        level = properties.get("lvl", "0") if properties is not None else "0"
        depth = min(int(level), _LEVELS - 1) if level.isdecimal() else 0
        stated = _mark(properties) if properties is not None else None
        mark = stated or own.get(depth, NO_MARK)
        number = numbers.next(depth, mark)
        is_item = mark.bullet or bool(mark.number)
        yield Paragraph(f"{number} {text}" if number else text, depth + 1 if is_item else 0)


def body_text(body: etree._Element | None, links: Mapping[str, str]) -> str:
    """Return all text of a body on one line, with the numbers of its lists."""
    return " ".join(each.text for each in paragraphs(body, {}, links)) if body is not None else ""


def paragraph_text(element: etree._Element, links: Mapping[str, str]) -> str:
    inline = Inline()
    for child in element:
        _add(child, inline, links)
    return one_line(inline.take())


def _add(child: etree._Element, inline: Inline, links: Mapping[str, str]) -> None:
    tag = child.tag
    if tag == f"{A}r":
        _run(child, inline, links)
    elif tag == f"{A}br":
        inline.text(" ")
    elif tag == f"{A}fld":
        if not child.get("type", "").startswith(_COUNTING_FIELDS):
            _run(child, inline, links)
    elif tag == f"{MC}AlternateContent":
        for choice in child.iterfind(f"{MC}Choice"):
            for each in choice:
                _add(each, inline, links)
    elif (math := next(child.iter(f"{_MATH}oMath"), None)) is not None:
        inline.text(f" {formula(math)} ")


def _run(run: etree._Element, inline: Inline, links: Mapping[str, str]) -> None:
    text = run.findtext(f"{A}t") or ""
    properties = run.find(f"{A}rPr")
    if properties is None:
        inline.text(text)
        return
    if properties.get("strike", "noStrike") != "noStrike":
        return
    link = properties.find(f"{A}hlinkClick")
    if link is not None:
        text = linked(text, links.get(link.get(f"{R}id", "")))
    raised = properties.get("baseline", "0")
    kind = "" if raised in ("0", "0%") else "sub" if raised.startswith("-") else "sup"
    if kind:
        inline.begin(kind)
    inline.text(text)
    if kind:
        inline.end(kind)
