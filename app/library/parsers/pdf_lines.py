"""Lines of text of a PDF page with their boxes, by PDFium.

PDFium finds characters, words and lines itself and returns the text of a page in one call; one call per line for
boxes and font costs a tenth of one call per character.
"""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pypdfium2.raw as pdfium

from app.library.parsers.inline import superscript
from app.library.parsers.pdf_arabic import ligatures

# PDFium's mark for a hyphen at a line's end, which it treats as a word break.
BREAK = "\ufffe"
_LINE = re.compile(r"[^\r\n\ufffe]+\ufffe?|\ufffe")
# Gaps wider than this many line heights separate columns of a table or of the page.
_WIDE_GAP = 1.4
# A space is about a quarter of the line's height.
_GAP = 0.5
_FONT_NAME_BYTES = 128
# Words for bold in font names, those of TeX included.
_BOLD = re.compile(rb"bold|black|heavy|-bd|-medi|demi|cmbx|sfbx|ptmb|phvb")
# Lines of which each character takes more than this share of the line's height on average may have such gaps: words
# in proportional type take 0.35 to 0.5.
_LOOSE = 0.4
_DIGITS = re.compile(r"\d+")
# Raised type: its box is lower than this share of its neighbour's, and its foot this share of it higher.
_SMALLER, _HIGHER = 0.85, 0.12
_SPACE = re.compile(r"(?<=\S)\s+(?=\S)")

_CURRENCIES = frozenset("$€£¥")

Box = tuple[float, float, float, float]
Cell = tuple[int, int, float, float]
Gap = tuple[int, float, float]


@dataclass(slots=True)
class Line:
    """A line, in points of the shown page from its top left. size: height of its font's box.
    cells: (start, end, x0, x1) of the parts of `text` between wide gaps, when there are any.
    gaps: (offset of the space, x before it, x after it) of narrower gaps that are wider than a space.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    bold: bool
    cells: tuple[Cell, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def write(self, start: int, end: int, text: str) -> None:
        """Replace characters of the text; cells behind them move along."""
        moved = len(text) - (end - start)
        self.text = self.text[:start] + text + self.text[end:]
        self.gaps = tuple((at + moved * (at >= end), x0, x1) for at, x0, x1 in self.gaps)
        self.cells = tuple(
            (first + moved * (first >= end and first > 0), last + moved * (last >= end), x0, x1)
            for first, last, x0, x1 in self.cells
        )


@dataclass(slots=True)
class Page:
    """A page, whose text stands upright. shown: the size of the page as it is shown where that is another one.

    turn: degrees clockwise by which the shown page is turned, of a scan.
    """

    number: int
    width: float
    height: float
    lines: list[Line]
    turn: float = 0.0
    shown: tuple[float, float] | None = None


class PageMarks(Protocol):
    """Adds links, fields and notes of a page to its lines."""

    def add(self, raw_page: Any, text_page: Any, frame: "Frame", page: Page) -> None: ...


class LineReader:
    """A reader of one document's pages, with the buffers that all calls share."""

    def __init__(self, marks: "PageMarks | None" = None) -> None:
        """Make a reader. marks: adds what lies over a page."""
        self._marks = marks
        self._text = ctypes.create_string_buffer(2 * 20_000)
        self._name = ctypes.create_string_buffer(_FONT_NAME_BYTES)
        self._flags = ctypes.c_int()
        self._box = pdfium.FS_RECTF()

    def read(self, page: Any, number: int) -> Page:
        """Read a page. page: PDFium's raw handle. number: from 1."""
        frame = Frame(page, self._box)
        text_page = pdfium.FPDFText_LoadPage(page)
        if not text_page:
            return Page(number, frame.width, frame.height, [])
        try:
            result = Page(number, frame.width, frame.height, list(self._lines(text_page, frame)))
            if self._marks is not None:
                self._marks.add(page, text_page, frame, result)
            return result
        finally:
            pdfium.FPDFText_ClosePage(text_page)

    def _lines(self, text_page: Any, frame: "Frame") -> Iterator[Line]:
        text, direct = self._page_text(text_page)
        for match in _LINE.finditer(text):
            content = match.group().strip()
            if not content:
                continue
            start = match.start() + match.group().index(content[0])
            end = start + len(content)
            if not direct:
                start = _char_index(text_page, text, start)
                end = _char_index(text_page, text, end - 1) + 1
            line = self._line(text_page, frame, content, start, end - start)
            if line is not None:
                yield line

    def _page_text(self, text_page: Any) -> tuple[str, bool]:
        """Return the text, and whether its positions are PDFium's own."""
        count = pdfium.FPDFText_CountChars(text_page)
        if count <= 0:
            return "", True
        # Characters beyond the first plane take two units.
        needed = 4 * (count + 1)
        if len(self._text) < needed:
            self._text = ctypes.create_string_buffer(needed)
        units = pdfium.FPDFText_GetText(text_page, 0, count, ctypes.cast(self._text, ctypes.POINTER(ctypes.c_ushort)))
        text = ctypes.string_at(self._text, 2 * max(0, units - 1)).decode("utf-16-le", "replace")
        return text, units - 1 == count == len(text)

    def _line(self, text_page: Any, frame: "Frame", text: str, start: int, count: int) -> Line | None:
        """Return a line with the boxes of its first and last character: PDFium's rectangles are often one a word."""
        first = self._char(text_page, frame, start)
        last = self._char(text_page, frame, start + count - 1)
        if first is None or last is None:
            return None
        x0, y0 = min(first[0], last[0]), min(first[1], last[1])
        x1, y1 = max(first[2], last[2]), max(first[3], last[3])
        # Text outside the page is not shown.
        if x1 <= 0 or y1 <= 0 or x0 >= frame.width or y0 >= frame.height or x1 - x0 <= 0:
            return None
        middle = start + count // 2
        size, bold = self._font(text_page, frame, middle + (text[count // 2 : count // 2 + 1] == " "))
        size = size or min(first[3] - first[1], last[3] - last[1])
        loose = x1 - x0 > _LOOSE * size * count
        cells, gaps = self._cells(text_page, frame, text, start, size, x0, x1) if loose else ((), ())
        line = Line(text, x0, y0, x1, y1, size, bold, cells, gaps)
        if len(text) == count:
            self._raised(text_page, frame, line, start)
            if not text.isascii() and line.text == text:
                for first_letter, end, letters in ligatures(text, lambda at: self._char(text_page, frame, start + at)):
                    line.write(first_letter, end, letters)
        return line

    def _raised(self, text_page: Any, frame: "Frame", line: Line, start: int) -> None:
        """Write raised digits as powers, and leave out those that are marks of notes: glued on they change a number."""
        for run in reversed(list(_DIGITS.finditer(line.text))):
            first, last = run.span()
            glued = first > 0 and not line.text[first - 1].isspace()
            if not glued and last - first < 2:
                continue
            base = self._char(text_page, frame, start + (first - 1 if glued else first))
            end = self._char(text_page, frame, start + last - 1)
            if base is None or end is None or not _is_raised(end, base):
                continue
            at = last - 1
            while at > first and (box := self._char(text_page, frame, start + at - 1)) and _is_raised(box, base):
                at -= 1
            line.write(at, last, superscript(line.text[:at], line.text[at:last]))

    def _char(self, text_page: Any, frame: "Frame", index: int) -> Box | None:
        box = self._box
        if not pdfium.FPDFText_GetLooseCharBox(text_page, index, box):
            return None
        return frame.shown(box.left, box.bottom, box.right, box.top)

    def _font(self, text_page: Any, frame: "Frame", index: int) -> tuple[float, bool]:
        box = self._char(text_page, frame, index)
        length = pdfium.FPDFText_GetFontInfo(text_page, index, self._name, _FONT_NAME_BYTES, self._flags)
        name = self._name.value.lower() if 0 < length <= _FONT_NAME_BYTES else b""
        return (box[3] - box[1] if box else 0.0), _BOLD.search(name) is not None

    def _cells(
        self, text_page: Any, frame: "Frame", text: str, start: int, size: float, x0: float, x1: float
    ) -> tuple[tuple[Cell, ...], tuple[Gap, ...]]:
        cells: list[Cell] = []
        gaps: list[Gap] = []
        at = 0
        for space in _SPACE.finditer(text):
            before = self._char(text_page, frame, start + space.start() - 1)
            after = self._char(text_page, frame, start + space.end())
            # In many tables a currency sign is set apart from its amount.
            if before is None or after is None or text[at : space.start()] in _CURRENCIES:
                continue
            if after[0] - before[2] > size * _WIDE_GAP:
                cells.append((at, space.start(), x0, before[2]))
                at, x0 = space.end(), after[0]
            elif after[0] - before[2] > size * _GAP:
                gaps.append((space.start(), before[2], after[0]))
        return (*cells, (at, len(text), x0, x1)) if cells else (), tuple(gaps)


class Frame:
    """The transformation from the page's own coordinates to the shown page: cropped, turned, from the top left."""

    def __init__(self, page: Any, box: Any) -> None:
        if not pdfium.FPDF_GetPageBoundingBox(page, box):
            box.left, box.bottom, box.right, box.top = 0.0, 0.0, 612.0, 792.0
        self._left, self._bottom, self._right, self._top = box.left, box.bottom, box.right, box.top
        across = max(1.0, abs(box.right - box.left))
        up = max(1.0, abs(box.top - box.bottom))
        self._turns = pdfium.FPDFPage_GetRotation(page) % 4
        self.width, self.height = (up, across) if self._turns % 2 else (across, up)

    def shown(self, x0: float, y0: float, x1: float, y1: float) -> Box:
        """Return (left, top, right, bottom) of a box given by its lower left and upper right."""
        if self._turns == 0:
            return x0 - self._left, self._top - y1, x1 - self._left, self._top - y0
        if self._turns == 1:
            return y0 - self._bottom, x0 - self._left, y1 - self._bottom, x1 - self._left
        if self._turns == 2:
            return self._right - x1, y0 - self._bottom, self._right - x0, y1 - self._bottom
        return self._top - y1, self._right - x1, self._top - y0, self._right - x0


def _is_raised(box: Box, base: Box) -> bool:
    """Return whether a character is smaller than another and stands higher."""
    height = base[3] - base[1]
    return box[3] - box[1] < _SMALLER * height and base[3] - box[3] > _HIGHER * height


def _char_index(text_page: Any, text: str, position: int) -> int:
    units = position + sum(1 for char in text[:position] if char > "\uffff")
    return int(max(0, pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, units)))
