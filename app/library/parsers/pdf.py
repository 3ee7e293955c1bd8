"""Parser of PDF by PDFium: lines, paragraphs with a box for each line, headings by outline, size and weight.

Lines that are alike at the top or bottom of many pages are dropped. Pictures of text are not read here: the warnings
name the pages of nothing else, and what was recognised on them comes as `scans`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from app.library.parsers.blocks import Block, Parsed, ParseError
from app.library.parsers.encoding import clean, one_line
from app.library.parsers.legibility import is_nonsense
from app.library.parsers.limits import Limits
from app.library.parsers.media import PDF
from app.library.parsers.page_layout import blocks_of
from app.library.parsers.pdf_headings import Headings
from app.library.parsers.pdf_lines import LineReader, Page
from app.library.parsers.pdf_marks import Marks
from app.library.parsers.scan_lines import page_lines
from app.library.parsers.scans import PAGES_WITHOUT_TEXT, TEXT_UNREADABLE, Scans, ranges, recognition_warnings

_LABEL_CHARS = 20


def parse(path: Path, limits: Limits, scans: Scans | None = None) -> Parsed:
    """Parse a file. scans: recognised pages, which take the place of the file's own. Errors: encrypted_file,
    broken_file, no_text, file_too_complex.

    Without them the warnings name the pages that are pictures, and those whose text is nonsense.
    """
    document = _open(path)
    try:
        count = len(document)
        if not count:
            raise ParseError("broken_file", "no pages")
        if count > limits.pages:
            raise ParseError("file_too_complex", f"{count:,} pages")
        pages, pictured, nonsense = _read(document, count, scans or {})
        headings = Headings(_bookmarks(document), pages)
        title = one_line(document.get_metadata_value("Title"))
        labels = _page_labels(document, count)
    finally:
        document.close()
    warnings = recognition_warnings(scans) if scans else ()
    if pictured:
        warnings += (f"{PAGES_WITHOUT_TEXT}:{ranges(pictured)}",)
    if nonsense:
        warnings += (f"{TEXT_UNREADABLE}:{ranges(nonsense)}",)
    blocks: tuple[Block, ...] = ()
    if any(page.lines for page in pages):
        blocks = blocks_of(pages, headings, limits)
    elif not pictured:
        raise ParseError("no_text", "no text on any page")
    return Parsed(blocks, PDF, pages=count, title=title or None, warnings=warnings, page_labels=labels)


def _open(path: Path) -> Any:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD or "assword" in str(error):
            raise ParseError("encrypted_file", "a PDF with a password") from error
        raise ParseError("broken_file", "not a readable PDF") from error


def _read(document: Any, count: int, scans: Scans) -> tuple[list[Page], list[int], list[int]]:
    """Return the pages, and the numbers of those with pictures only and of those whose text is nonsense.

    A page that cannot be read is empty.
    """
    document.init_forms()
    reader = LineReader(Marks(document.raw, document.formenv.raw if document.formenv else None))
    pages: list[Page] = []
    pictured: list[int] = []
    nonsense: list[int] = []
    for number in range(1, count + 1):
        if number in scans:
            pages.append(page_lines(scans[number]))
            continue
        page = pdfium.FPDF_LoadPage(document.raw, number - 1)
        if not page:
            pages.append(Page(number, 1, 1, []))
            continue
        pages.append(reader.read(page, number))
        if not pages[-1].lines:
            if pdfium.FPDFPage_CountObjects(page) > 0:
                pictured.append(number)
        elif is_nonsense(pages[-1].lines):
            nonsense.append(number)
        pdfium.FPDF_ClosePage(page)
    return pages, pictured, nonsense


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
