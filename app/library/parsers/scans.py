"""Pages that are pictures: what a parser says of them, and their text once it was recognised.

A parser only names them by a warning. The recognition takes longer and more memory than a parser has, so it is done
afterwards in the slow lane (`app/library/pipeline/scans.py`), and the file is parsed again with what was found.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import orjson

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.limits import Limits
from app.library.parsers.page_layout import blocks_of
from app.library.parsers.pdf_headings import Headings
from app.library.parsers.scan_lines import RecognisedPage, page_lines

# Codes of `Parsed.warnings`, each with its pages after a colon.
PAGES_WITHOUT_TEXT = "pages_without_text"
TEXT_UNREADABLE = "text_layer_unreadable"
RECOGNISED = "pages_recognised"
UNCERTAIN = "pages_uncertain"
# Pages with a lower mean are shown as uncertain: blurred ones have 0.85, handwriting 0.6.
CONFIDENT = 0.8

Scans = dict[int, RecognisedPage]


def scans_load(path: Path) -> Scans:
    """Read recognised pages, a line of JSON each, by their numbers."""
    pages = [RecognisedPage.from_message(orjson.loads(line)) for line in path.read_bytes().splitlines()]
    return {page.number: page for page in pages}


def picture_parse(scans: Scans, media_type: str, limits: Limits) -> Parsed:
    """Return the blocks of a recognised picture. Errors: no_text, file_too_complex."""
    pages = [page_lines(scan) for _, scan in sorted(scans.items())]
    if not any(page.lines for page in pages):
        raise ParseError("no_text", "no text in the picture")
    blocks = blocks_of(pages, Headings((), pages), limits)
    return Parsed(blocks, media_type, pages=len(pages), warnings=recognition_warnings(scans))


def recognition_warnings(scans: Scans) -> tuple[str, ...]:
    """Return warnings of pages that were recognised, and of those where it is uncertain or found nothing."""
    means = {number: scan.confidence for number, scan in sorted(scans.items())}
    groups = (
        (PAGES_WITHOUT_TEXT, [number for number, mean in means.items() if mean is None]),
        (RECOGNISED, [number for number, mean in means.items() if mean is not None]),
        (UNCERTAIN, [number for number, mean in means.items() if mean is not None and mean < CONFIDENT]),
    )
    return tuple(f"{code}:{ranges(numbers)}" for code, numbers in groups if numbers)


def ranges(numbers: Sequence[int]) -> str:
    """Return numbers as `3,5-9`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def pages_wanted(warnings: Iterable[str]) -> list[int]:
    """Return the numbers of the pages whose text has to be recognised."""
    return sorted({page for warning in warnings for page in _pages(warning)})


def _pages(warning: str) -> Iterator[int]:
    code, _, numbers = warning.partition(":")
    if code in (PAGES_WITHOUT_TEXT, TEXT_UNREADABLE):
        for part in numbers.split(","):
            first, _, last = part.partition("-")
            yield from range(int(first), int(last or first) + 1)
