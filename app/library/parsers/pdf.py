"""Parser of PDF by PDFium: lines, paragraphs with a box for each line, headings by outline, size and weight.

Lines that are alike at the top or bottom of many pages are dropped. Pictures of text are not read: a document of
nothing else is refused, and the warnings name pages of nothing else.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from app.library.parsers.blocks import Box, Parsed, ParseError
from app.library.parsers.encoding import clean, one_line
from app.library.parsers.limits import Limits
from app.library.parsers.media import PDF
from app.library.parsers.outline import Outline, Where
from app.library.parsers.pdf_columns import in_reading_order
from app.library.parsers.pdf_headings import Headings
from app.library.parsers.pdf_lines import BREAK, Line, LineReader, Page
from app.library.parsers.pdf_marks import Marks
from app.library.parsers.pdf_paragraphs import Group, groups, joined
from app.library.parsers.pdf_running import drop_running_lines
from app.library.parsers.pdf_tables import Table, with_tables

# Titles of parts within a table are few and short lines.
_LINES_WITHIN, _LINE_WITHIN = 3, 60
_LABEL_CHARS = 20
# A currency sign belongs to the amount after it, at any distance.
_SIGN_LEFT_BEHIND = re.compile(r" ([$€£¥]) \| ")
_WORD = re.compile(r"[^\W\d_]{3,}")


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: encrypted_file, broken_file, no_text, file_too_complex."""
    document = _open(path)
    try:
        count = len(document)
        if not count:
            raise ParseError("broken_file", "no pages")
        if count > limits.pages:
            raise ParseError("file_too_complex", f"{count:,} pages")
        pages, pictured = _read(document, count)
        headings = Headings(_bookmarks(document), pages)
        title = one_line(document.get_metadata_value("Title"))
        labels = _page_labels(document, count)
    finally:
        document.close()
    if not any(page.lines for page in pages):
        raise ParseError("no_text", f"{len(pictured)} pages of pictures" if pictured else "no text on any page")
    outline = Outline(limits)
    drop_running_lines(pages)
    known = _words(pages)
    before = _Before()
    for page in pages:
        found = list(headings.merged(groups(in_reading_order(page))))
        for part in with_tables(found, partial(headings.is_heading, page)):
            if isinstance(part, Table):
                _add_table(outline, page, part, before.table_for(page))
                before = _Before(part, page.number)
            else:
                before.passed(part)
                _add(outline, headings, page, part, known)
    if not outline.blocks:
        raise ParseError("no_text", "nothing but page numbers")
    warnings = (f"pages_without_text:{_ranges(pictured)}",) if pictured else ()
    blocks = tuple(outline.blocks)
    return Parsed(blocks, PDF, pages=count, title=title or None, warnings=warnings, page_labels=labels)


def _open(path: Path) -> Any:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD or "assword" in str(error):
            raise ParseError("encrypted_file", "a PDF with a password") from error
        raise ParseError("broken_file", "not a readable PDF") from error


def _read(document: Any, count: int) -> tuple[list[Page], list[int]]:
    """Return the pages, and the numbers of those with pictures only. A page that cannot be read is empty."""
    document.init_forms()
    reader = LineReader(Marks(document.raw, document.formenv.raw if document.formenv else None))
    pages: list[Page] = []
    pictured: list[int] = []
    for index in range(count):
        page = pdfium.FPDF_LoadPage(document.raw, index)
        if not page:
            pages.append(Page(index + 1, 1, 1, []))
            continue
        pages.append(reader.read(page, index + 1))
        if not pages[-1].lines and pdfium.FPDFPage_CountObjects(page) > 0:
            pictured.append(index + 1)
        pdfium.FPDF_ClosePage(page)
    return pages, pictured


def _page_labels(document: Any, count: int) -> tuple[str, ...]:
    """Return the numbers printed on the pages as the file states them, none when they are 1, 2, 3 and so on."""
    labels = tuple(
        clean(document.get_page_label(index))[:_LABEL_CHARS].strip() or str(index + 1) for index in range(count)
    )
    return labels if any(label != str(number) for number, label in enumerate(labels, 1)) else ()


def _bookmarks(document: Any) -> Iterator[tuple[int, int, str]]:
    """Yield (page from 1, level from 1, title) of the document's own table of contents."""
    for number, bookmark in enumerate(document.get_toc(max_depth=6)):
        if number >= 5_000:
            return
        target = bookmark.get_dest()
        index = target.get_index() if target is not None else None
        if index is not None:
            yield index + 1, bookmark.level + 1, bookmark.get_title()


def _words(pages: Sequence[Page]) -> set[str]:
    """Return the words of the document, when it has words broken at line ends."""
    if not any(BREAK in line.text for page in pages for line in page.lines):
        return set()
    vocabulary: set[str] = set()
    for page in pages:
        broken = False
        for line in page.lines:
            words = _WORD.findall(line.text)
            # The halves of a broken word do not count as words.
            vocabulary.update(word.lower() for word in words[broken : len(words) - line.text.endswith(BREAK)])
            broken = line.text.endswith(BREAK)
    return vocabulary


@dataclass(slots=True)
class _Before:
    """The last table, as long as a table may go on after what has come since. page: the number of its page."""

    table: Table | None = None
    page: int = 0
    lines: int = 0

    def passed(self, group: Group) -> None:
        self.lines += len(group.lines)
        if self.lines > _LINES_WITHIN or any(len(line.text) > _LINE_WITHIN for line in group.lines):
            self.table = None

    def table_for(self, page: Page) -> Table | None:
        return self.table if page.number == self.page or not self.lines else None


def _add_table(outline: Outline, page: Page, table: Table, before: Table | None) -> None:
    for text, lines in table.lines(before):
        boxes = [_box(page, line) for line in lines]
        x0, y0 = min(box[0] for box in boxes), min(box[1] for box in boxes)
        x1, y1 = max(box[2] for box in boxes), max(box[3] for box in boxes)
        outline.add("table_row", _plain(text), Where(page.number, ((x0, y0, x1, y1),), (0,)))


def _add(outline: Outline, headings: Headings, page: Page, group: Group, known: set[str]) -> None:
    text, starts = _row(group.lines[0]) if group.kind == "table_row" else joined(group.lines, known)
    if not text.isprintable() or clean(text) != text:
        starts = tuple(len(_plain(text[:start])) for start in starts)
        text = _plain(text)
    where = Where(page.number, tuple(_box(page, line) for line in group.lines), starts)
    level = headings.level(page, group, text)
    if level:
        outline.heading(level, text, where)
    elif group.kind == "table_row":
        outline.add("table_row", text, where)
    elif group.kind == "list_item":
        outline.add("list_item", text, where, level=1)
    else:
        outline.add("paragraph", text, where)


def _row(line: Line) -> tuple[str, tuple[int, ...]]:
    text = " | ".join(line.text[start:end] for start, end, _, _ in line.cells).replace(BREAK, "-")
    return _SIGN_LEFT_BEHIND.sub(r" | \1 ", text), (0,)


def _plain(text: str) -> str:
    return clean(text).replace("\n", " ").replace("\t", " ")


def _box(page: Page, line: Line) -> Box:
    sides = (line.x0 / page.width, line.y0 / page.height, line.x1 / page.width, line.y1 / page.height)
    x0, y0, x1, y1 = (round(min(1.0, max(0.0, side)), 4) for side in sides)
    return x0, y0, x1, y1


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as `3,5-9`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
