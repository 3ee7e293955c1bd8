"""Text of Word's paragraphs: runs, links, symbols, tick boxes, formulas, and the notes and pictures they refer to."""

import re
from dataclasses import dataclass, field

from lxml import etree

from app.library.parsers.charts import CHARTS
from app.library.parsers.docx_styles import W
from app.library.parsers.inline import Inline, described

MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}docPr"
_W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_TEXT_TAGS = {f"{W}t", f"{MATH}t"}
_BREAKS = {f"{W}br", f"{W}cr"}
_TABS = {f"{W}tab", f"{W}ptab"}
_SKIPPED = {
    *(f"{W}{name}" for name in ("pPr", "rPr", "tblPr", "tcPr", "del", "moveFrom", "delText", "sectPr", "sdtPr")),
    f"{MC}Fallback",
}
_RAISED = {"superscript": "sup", "subscript": "sub"}
_END_MARK = "\u2063"
_END = re.compile("\u2063(?=[\\w(])")
_FIELD_LINK = re.compile(r'HYPERLINK\s+"([^"]+)"')
# Shapes of the fonts Wingdings and Symbol that carry a meaning of their own.
_SYMBOLS = {
    "wingdings": {
        0xFC: "\u2713", 0xFB: "\u2717", 0xFE: "\u2611", 0xFD: "\u2612", 0xA8: "\u2610", 0x6F: "\u2610", 0x78: "\u2612",
        0xE0: "\u2192", 0xDF: "\u2190", 0xE1: "\u2191", 0xE2: "\u2193", 0x4A: "\u263a", 0x4C: "\u2639", 0xAB: "\u2605",
        0x28: "\u260e", 0x2A: "\u2709",
    },
    "wingdings 2": {0x50: "\u2713", 0x4F: "\u2717", 0x52: "\u2611", 0x54: "\u2612", 0xA3: "\u2610"},
    "webdings": {0x61: "\u2713", 0x72: "\u2717", 0x63: "\u2610", 0x67: "\u25a0"},
    "symbol": {
        0xB0: "\u00b0", 0xB1: "\u00b1", 0xA3: "\u2264", 0xB3: "\u2265", 0xB4: "\u00d7", 0xB9: "\u2260", 0xBB: "\u2248",
        0x6D: "\u03bc", 0x57: "\u03a9", 0x61: "\u03b1", 0x62: "\u03b2", 0x67: "\u03b3", 0x44: "\u0394", 0xAE: "\u2192",
        0xB7: "\u2022", 0xA5: "\u221e", 0x70: "\u03c0", 0x53: "\u03a3", 0xD6: "\u221a",
    },
}  # fmt: skip


@dataclass(slots=True)
class ParagraphText:
    """The shown text of a paragraph and what it refers to.

    notes: (`footnote` or `endnote`, id). comments: ids. charts: ids of relations. boxes: its text boxes.
    pictures: the words that describe them.
    """

    text: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    charts: list[str] = field(default_factory=list)
    boxes: list[etree._Element] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)


class TextReader:
    """A reader of paragraphs. links: addresses outside the file by the ids of their relations."""

    def __init__(self, links: dict[str, str]) -> None:
        self._links = links

    def read(self, paragraph: etree._Element) -> ParagraphText:
        result = ParagraphText()
        inline = Inline()
        self._collect(paragraph, inline, result)
        result.text = inline.take()
        return result

    def _collect(self, element: etree._Element, inline: Inline, result: ParagraphText) -> None:
        for child in element:
            tag = child.tag
            if tag in _TEXT_TAGS:
                inline.text(child.text or "")
            elif tag == f"{W}r":
                self._run(child, inline, result)
            elif tag == f"{W}hyperlink":
                inline.begin("a", self._links.get(child.get(f"{R}id", "")))
                self._collect(child, inline, result)
                inline.end("a")
            elif tag == f"{MATH}oMath":
                before = child.getprevious()
                inline.text(" " * (before is not None and before.tag == tag) + formula(child))
            elif tag == f"{W}sdt" and (box := child.find(f"{W}sdtPr/{_W14}checkbox")) is not None:
                inline.text(_ticked(box.find(f"{_W14}checked"), f"{_W14}val"))
            elif not self._single(child, tag, inline, result) and tag not in _SKIPPED:
                self._collect(child, inline, result)

    def _single(self, child: etree._Element, tag: str, inline: Inline, result: ParagraphText) -> bool:
        """Add an element that stands for itself; return whether it was one."""
        if tag in _BREAKS:
            inline.text("\n")
        elif tag in _TABS:
            inline.text(" ")
        elif tag == f"{W}noBreakHyphen":
            inline.text("-")
        elif tag == f"{W}sym":
            inline.text(_symbol(child))
        elif tag == f"{W}checkBox":
            state = child.find(f"{W}checked")
            inline.text(_ticked(state if state is not None else child.find(f"{W}default"), f"{W}val"))
        elif tag == f"{W}instrText":
            self._field(child, inline)
        elif tag == f"{W}fldChar":
            if child.get(f"{W}fldCharType") == "end":
                inline.end("a")
            return False
        elif tag in (f"{W}footnoteReference", f"{W}endnoteReference"):
            result.notes.append((tag.removeprefix(W).removesuffix("Reference"), child.get(f"{W}id", "")))
        elif tag == f"{W}commentReference":
            result.comments.append(child.get(f"{W}id", ""))
        elif tag == f"{W}txbxContent":
            result.boxes.append(child)
        elif tag in CHARTS:
            result.charts.append(child.get(f"{R}id", ""))
        elif tag == _DRAWING:
            result.pictures.append(described(child.get("descr", "")))
        else:
            return False
        return True

    def _field(self, instruction: etree._Element, inline: Inline) -> None:
        link = _FIELD_LINK.search(instruction.text or "")
        if link:
            inline.begin("a", link[1])

    def _run(self, run: etree._Element, inline: Inline, result: ParagraphText) -> None:
        properties = run.find(f"{W}rPr")
        if properties is not None and (_is_on(properties, "vanish") or _is_on(properties, "strike")):
            return
        raised = properties.find(f"{W}vertAlign") if properties is not None else None
        kind = _RAISED.get(raised.get(f"{W}val", ""), "") if raised is not None else ""
        if kind:
            inline.begin(kind)
        self._collect(run, inline, result)
        if kind:
            inline.end(kind)


def _is_on(properties: etree._Element, name: str) -> bool:
    element = properties.find(f"{W}{name}")
    return element is not None and element.get(f"{W}val", "1") not in ("0", "false", "off")


def _ticked(state: etree._Element | None, attribute: str) -> str:
    on = state is not None and state.get(attribute, "1") not in ("0", "false", "off")
    return "\u2611" if on else "\u2610"


def _symbol(element: etree._Element) -> str:
    try:
        number = int(element.get(f"{W}char", ""), 16)
    except ValueError:
        return ""
    return symbol_text(element.get(f"{W}font", ""), number)


def symbol_text(font: str, number: int) -> str:
    """Return the sign that a font of symbols shows for a character, or "" where it has no meaning of its own."""
    # Fonts of symbols stand in the private area, at 0xF000 and their own number.
    known = _SYMBOLS.get(font.lower(), {}).get(number & 0xFF if 0xF000 <= number <= 0xF0FF else number)
    return known or ("" if 0xE000 <= number <= 0xF8FF else chr(number) if number < 0x110000 else "")


def formula(element: etree._Element) -> str:
    """Return a formula of Office Math on one line: powers as `x^2`, indices as `x_1`, fractions as `(a)/(b)`."""
    # A power or index ends where the next letter would seem to belong to it.
    return " ".join(_END.sub(" ", _formula(element)).replace(_END_MARK, "").split())


def _formula(element: etree._Element) -> str:
    name = element.tag.removeprefix(MATH) if isinstance(element.tag, str) else ""
    part = {child.tag.removeprefix(MATH): child for child in element if isinstance(child.tag, str)}

    def of(key: str) -> str:
        return _formula(part[key]).strip() if key in part else ""

    if name == "t":
        return element.text or ""
    if name.endswith("Pr"):
        return ""
    if name == "f":
        kind = element.find(f"{MATH}fPr/{MATH}type")
        if kind is not None and kind.get(f"{MATH}val") == "noBar":
            return f"{of('num')} over {of('den')}"
        return f"({of('num')})/({of('den')})"
    if name in ("sSup", "sSub", "sSubSup"):
        return f"{of('e')}{_raised(of('sub'), of('sup'))}{_END_MARK}"
    if name in ("limLow", "limUpp"):
        low, high = ("lim", "") if name == "limLow" else ("", "lim")
        return f"{of('e')}{_raised(of(low), of(high))}{_END_MARK}"
    if name == "func":
        return f" {of('fName')} {of('e')} "
    if name == "rad":
        return f"{of('deg')}\u221a({of('e')})"
    if name == "d":
        return f"({', '.join(_formula(child).strip() for child in element if child.tag == f'{MATH}e')})"
    if name == "nary":
        sign = element.find(f"{MATH}naryPr/{MATH}chr")
        shown = sign.get(f"{MATH}val", "\u222b") if sign is not None else "\u222b"
        return f"{shown}{_raised(of('sub'), of('sup'))} {of('e')}"
    return "".join(map(_formula, element))


def _raised(low: str, high: str) -> str:
    return (f"_{_grouped(low)}" if low else "") + (f"^{_grouped(high)}" if high else "")


def _grouped(text: str) -> str:
    text = text.rstrip(_END_MARK)
    return text if len(text) < 2 or text.lstrip("-").isdecimal() else f"({text})"
