"""Parser of plain text: paragraphs at blank lines, wrapped lines joined, plain headings and lists detected."""

import re
from collections.abc import Iterator
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode
from app.library.parsers.limits import Limits
from app.library.parsers.media import TEXT
from app.library.parsers.outline import Outline

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_ITEM = re.compile(r"\s*(?:[-*+•‣◦–]|\(?\d{1,3}[.)]|[a-z][.)])\s+\S")
_HEADING = re.compile(
    r"(?:(?:chapter|section|part|article|book|appendix|kapitel|teil|§)\s+[\dIVXLC]+\b|\d+(?:\.\d+)*\.?\s+[A-ZÄÖÜ])",
    re.I,
)
_HEADING_CHARS = 80
_UNDERLINE = re.compile(r"[=\-~*#^]{3,}\s*\Z")
# Lines of a wrapped paragraph have about the same length; shorter ones are verses, addresses, listings.
_WRAPPED_FROM, _WRAPPED_TO = 45, 130


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: empty_file, file_too_complex."""
    text = clean(decode(path.read_bytes()))
    outline = Outline(limits)
    for paragraph in _paragraphs(text):
        lines = [line for line in paragraph.split("\n") if line and not line.isspace()]
        if lines:
            _add(outline, lines)
    if not outline.blocks:
        raise ParseError("empty_file", "white space only")
    return Parsed(tuple(outline.blocks), TEXT)


def _paragraphs(text: str) -> Iterator[str]:
    at = 0
    for gap in _PARAGRAPH.finditer(text):
        yield text[at : gap.start()]
        at = gap.end()
    yield text[at:]


def _add(outline: Outline, lines: list[str]) -> None:
    if len(lines) == 2 and _UNDERLINE.match(lines[1]) and len(lines[0]) <= _HEADING_CHARS:
        outline.heading(1 if lines[1][0] in "=*#" else 2, _joined(lines[:1]))
    elif len(lines) == 1 and _is_heading(lines[0].strip()):
        outline.heading(1, _joined(lines))
    elif any(_ITEM.match(line) for line in lines):
        for kind, group in _items(lines):
            outline.add("list_item" if kind else "paragraph", _joined(group))
    elif _is_wrapped(lines):
        outline.add("paragraph", _joined(lines))
    else:
        outline.add("paragraph", "\n".join(" ".join(line.split()) for line in lines))


def _is_heading(line: str) -> bool:
    if len(line) > _HEADING_CHARS or line[-1] in ".,;:!?)":
        return False
    letters = sum(1 for char in line if char.isalpha())
    return letters >= 3 and ((line.isupper() and letters * 2 > len(line)) or bool(_HEADING.match(line)))


def _items(lines: list[str]) -> Iterator[tuple[bool, list[str]]]:
    """Yield (is an item, its lines): lines after an item's first belong to it."""
    item = False
    group: list[str] = []
    for line in lines:
        if _ITEM.match(line):
            if group:
                yield item, group
            item, group = True, [line]
        else:
            group.append(line)
    yield item, group


def _is_wrapped(lines: list[str]) -> bool:
    lengths = [len(line.rstrip()) for line in lines[:-1]]
    return not lengths or (min(lengths) >= _WRAPPED_FROM and max(lengths) <= _WRAPPED_TO)


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())
