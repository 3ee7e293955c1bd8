"""Text of OpenDocument's paragraphs: spans, links, and the notes, comments and drawings they hold."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lxml import etree

from app.library.parsers.encoding import one_line
from app.library.parsers.inline import Inline, comment_line, described
from app.library.parsers.odf_styles import DRAW, OFFICE, SVG, TABLE, TEXT, XLINK, Styles

_DC = "{http://purl.org/dc/elements/1.1/}"
_MATH = "{http://www.w3.org/1998/Math/MathML}"
# Deleted and hidden text, what a program counts, and what stands elsewhere too.
_SKIPPED = frozenset(
    f"{TEXT}{name}"
    for name in (
        "tracked-changes",
        "hidden-text",
        "hidden-paragraph",
        "page-number",
        "ruby-text",
        "bookmark",
        "note-ref",
    )
) | {f"{OFFICE}forms", f"{OFFICE}event-listeners", f"{OFFICE}annotation-end"}
# Slides have it in a namespace of LibreOffice's own.
ANNOTATIONS = (f"{OFFICE}annotation", "{http://openoffice.org/2009/office}annotation")
_MAX_SPACES = 200

# Returns the root of an object inside the document by its address.
ObjectOf = Callable[[str], etree._Element | None]


@dataclass(slots=True)
class ParagraphText:
    """The shown text of a paragraph and what stands in it: notes, comments, drawings, in their order."""

    text: str = ""
    notes: list[etree._Element] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    drawings: list[etree._Element] = field(default_factory=list)


class TextReader:
    def __init__(self, styles: Styles, object_of: ObjectOf) -> None:
        self._styles = styles
        self._object_of = object_of

    def read(self, paragraph: etree._Element) -> ParagraphText:
        result = ParagraphText()
        style = self._styles.style("paragraph", paragraph.get(f"{TEXT}style-name", ""))
        if style.hidden or style.struck:
            return result
        inline = Inline()
        self._collect(paragraph, inline, result)
        result.text = inline.take()
        return result

    def _collect(self, element: etree._Element, inline: Inline, result: ParagraphText) -> None:
        inline.text(element.text or "")
        for child in element:
            self._add(child, inline, result)
            inline.text(child.tail or "")

    def _add(self, child: etree._Element, inline: Inline, result: ParagraphText) -> None:
        tag = child.tag
        if tag == f"{TEXT}span":
            self._span(child, inline, result)
        elif tag == f"{TEXT}s":
            count = child.get(f"{TEXT}c", "1")
            inline.text(" " * min(int(count) if count.isdecimal() else 1, _MAX_SPACES))
        elif tag == f"{TEXT}tab":
            inline.text("\t")
        elif tag == f"{TEXT}line-break":
            inline.text("\n")
        elif tag in (f"{TEXT}a", f"{DRAW}a"):
            inline.begin("a", child.get(f"{XLINK}href"))
            self._collect(child, inline, result)
            inline.end("a")
        elif tag == f"{TEXT}note":
            body = child.find(f"{TEXT}note-body")
            if body is not None:
                result.notes.append(body)
        elif tag in ANNOTATIONS:
            result.comments.append(comment_of(child))
        elif tag.startswith(DRAW):
            words = self._formula(child)
            if words:
                inline.text(f" {words} ")
            else:
                result.drawings.append(child)
        elif tag not in _SKIPPED:
            self._collect(child, inline, result)

    def _span(self, span: etree._Element, inline: Inline, result: ParagraphText) -> None:
        style = self._styles.style("text", span.get(f"{TEXT}style-name", ""))
        if style.hidden or style.struck:
            return
        if style.raised:
            inline.begin(style.raised)
        self._collect(span, inline, result)
        if style.raised:
            inline.end(style.raised)

    def _formula(self, frame: etree._Element) -> str:
        """Return the formula in a frame as it was typed, or ""."""
        inner = frame.find(f"{DRAW}object")
        if inner is None:
            return ""
        root = next(iter(inner), None)
        if root is None:
            root = self._object_of(inner.get(f"{XLINK}href", ""))
        if root is None or not isinstance(root.tag, str) or not root.tag.startswith(_MATH):
            return ""
        typed = root.find(f".//{_MATH}annotation")
        return one_line((typed.text or "") if typed is not None else " ".join(root.itertext()))


def comment_of(annotation: etree._Element) -> str:
    text = one_line(" ".join("".join(each.itertext()) for each in annotation.iter(f"{TEXT}p")))
    by, date = annotation.findtext(f"{_DC}creator") or "", annotation.findtext(f"{_DC}date") or ""
    return comment_line(text, one_line(by), date) if text else ""


def alternative_text(drawing: etree._Element) -> str:
    """Return the words that describe a picture or drawing, or ""."""
    return described(drawing.findtext(f"{SVG}desc") or "") or described(drawing.findtext(f"{SVG}title") or "")


def is_table(element: etree._Element) -> bool:
    return bool(element.tag == f"{TABLE}table")
