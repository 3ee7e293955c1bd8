"""What lies over a PDF's page: addresses of links, values of form fields, and notes that readers see."""

import ctypes
from collections.abc import Iterator
from typing import Any

import pypdfium2.raw as pdfium

from app.library.parsers.encoding import one_line
from app.library.parsers.inline import linked
from app.library.parsers.pdf_lines import Frame, Line, Page

_TICK, _BOX = "\u2611", "\u2610"
_TEXTS = {pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX}
_TICKS = {pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON}
_NOTES = {pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_HIGHLIGHT, pdfium.FPDF_ANNOT_UNDERLINE, pdfium.FPDF_ANNOT_STRIKEOUT}
# Of a page with more, the rest are drawings of a program.
_MOST = 2_000
_ADDRESS_BYTES = 2_000


class Marks:
    """Adds the marks of pages to their lines. form: PDFium's handle of the document's form, or None."""

    def __init__(self, document: Any, form: Any) -> None:
        self._document = document
        self._form = form

    def add(self, raw_page: Any, text_page: Any, frame: Frame, page: Page) -> None:
        for anchor, address in self._links(raw_page, text_page):
            _link(page, anchor, address)
        for box, text, before in self._annotations(raw_page, frame):
            _place(page, box, text, before)

    def _links(self, raw_page: Any, text_page: Any) -> Iterator[tuple[str, str]]:
        """Yield (text under the link, its address)."""
        position = ctypes.c_int(0)
        link = pdfium.FPDF_LINK()
        rectangle = pdfium.FS_RECTF()
        for _ in range(_MOST):
            if not pdfium.FPDFLink_Enumerate(raw_page, position, link):
                return
            action = pdfium.FPDFLink_GetAction(link)
            if not action or pdfium.FPDFAction_GetType(action) != pdfium.PDFACTION_URI:
                continue
            length = pdfium.FPDFAction_GetURIPath(self._document, action, None, 0)
            if not 1 < length <= _ADDRESS_BYTES or not pdfium.FPDFLink_GetAnnotRect(link, rectangle):
                continue
            buffer = ctypes.create_string_buffer(length)
            pdfium.FPDFAction_GetURIPath(self._document, action, buffer, length)
            sides = (rectangle.left, rectangle.top, rectangle.right, rectangle.bottom)
            count = pdfium.FPDFText_GetBoundedText(text_page, *sides, None, 0)
            text = ctypes.create_string_buffer(2 * (count + 1))
            pdfium.FPDFText_GetBoundedText(text_page, *sides, ctypes.cast(text, ctypes.POINTER(ctypes.c_ushort)), count)
            anchor = text.raw[: 2 * count].decode("utf-16-le", "replace").replace("\0", "")
            lines = [line.strip() for line in anchor.splitlines() if line.strip()]
            if lines:
                yield lines[-1], buffer.value.decode("utf-8", "replace")

    def _annotations(
        self, raw_page: Any, frame: Frame
    ) -> Iterator[tuple[tuple[float, float, float, float], str, bool]]:
        """Yield (box, text, whether it stands before its label) of filled fields and visible notes."""
        for number in range(min(_MOST, pdfium.FPDFPage_GetAnnotCount(raw_page))):
            annotation = pdfium.FPDFPage_GetAnnot(raw_page, number)
            if not annotation:
                continue
            try:
                text, before = self._annotation(annotation)
                rectangle = pdfium.FS_RECTF()
                if text and pdfium.FPDFAnnot_GetRect(annotation, rectangle):
                    sides = (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
                    yield frame.shown(*sides), text, before
            finally:
                pdfium.FPDFPage_CloseAnnot(annotation)

    def _annotation(self, annotation: Any) -> tuple[str, bool]:
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if pdfium.FPDFAnnot_GetFlags(annotation) & (pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW):
            return "", False
        if kind == pdfium.FPDF_ANNOT_FREETEXT:
            return one_line(_string(annotation, b"Contents")), False
        if kind in _NOTES:
            words = one_line(_string(annotation, b"Contents"))
            return (f"Comment: {words}" if words else ""), False
        if kind != pdfium.FPDF_ANNOT_WIDGET or self._form is None:
            return "", False
        field = pdfium.FPDFAnnot_GetFormFieldType(self._form, annotation)
        if field in _TICKS:
            state = _string(annotation, b"AS")
            return (_BOX if state in ("", "Off") else _TICK), True
        if field not in _TEXTS:
            return "", False
        length = pdfium.FPDFAnnot_GetFormFieldValue(self._form, annotation, None, 0)
        return one_line(
            _utf16(lambda buffer: pdfium.FPDFAnnot_GetFormFieldValue(self._form, annotation, buffer, length), length)
        ), False


def _string(annotation: Any, key: bytes) -> str:
    length = pdfium.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    return _utf16(lambda buffer: pdfium.FPDFAnnot_GetStringValue(annotation, key, buffer, length), length)


def _utf16(fill: Any, length: int) -> str:
    if not 2 < length < 1_000_000:
        return ""
    buffer = ctypes.create_string_buffer(length)
    fill(ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)))
    return buffer.raw[: length - 2].decode("utf-16-le", "replace")


def _link(page: Page, anchor: str, address: str) -> None:
    """Write an address behind the text of its link, in the line that has it."""
    for line in page.lines:
        at = line.text.find(anchor)
        if at < 0:
            continue
        shown = linked(anchor, address)
        if shown != anchor and shown not in line.text:
            line.write(at + len(anchor), at + len(anchor), shown[len(anchor) :])
        return


def _place(page: Page, box: tuple[float, float, float, float], text: str, before: bool) -> None:
    """Put a text that lies over the page behind the line at its left, or in front of the one at its right."""
    x0, y0, x1, y1 = box
    middle = (y0 + y1) / 2
    beside = [line for line in page.lines if line.y0 - 2 <= middle <= line.y1 + 2]
    right = min((line for line in beside if line.x0 >= x1 - 2), key=lambda line: line.x0, default=None)
    left = max((line for line in beside if line.x1 <= x0 + 2), key=lambda line: line.x1, default=None)
    if before and right is not None and (left is None or right.x0 - x1 < x0 - left.x1):
        right.write(0, 0, f"{text} ")
        right.x0 = x0
    elif left is not None:
        # Behind its label a box is the answer to it.
        text = {_TICK: "yes", _BOX: "no"}.get(text, text)
        left.write(len(left.text), len(left.text), f" {text}")
        left.x1 = max(left.x1, x1)
    else:
        size = min(y1 - y0, 12.0)
        place = next((at for at, line in enumerate(page.lines) if line.y0 > y0), len(page.lines))
        page.lines.insert(place, Line(text, x0, y0, x1, y1, size, False))
