"""Parser of plain text: paragraphs at blank lines, wrapped lines joined, plain headings and lists detected."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode
from app.library.parsers.limits import Limits
from app.library.parsers.media import TEXT
from app.library.parsers.outline import Outline
from app.library.parsers.tables import Cell, grid, table_lines

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_ITEM = re.compile(r"\s*(?:[-*+•‣◦–]|\(?\d{1,3}[.)]|[a-z][.)])\s+\S")
_HEADING = re.compile(
    r"(?:(?:chapter|section|part|article|book|appendix|kapitel|teil|§)\s+[\dIVXLC]+\b|\d+(?:\.\d+)*\.?\s+[A-ZÄÖÜ])",
    re.I,
)
_HEADING_CHARS = 80
_UNDERLINE = re.compile(r"[=\-~*#^]{3,}\s*\Z")
_BROKEN = re.compile(r"[^\W\d_]{2,}-\Z")
_WORD_START = re.compile(r"\s*([a-zà-öø-ÿ][^\W\d_]*[.,;:!?)]*)")
# "Ein- und Ausgang": the hyphen stands for a part of the word.
_JOINING = frozenset({"and", "or", "to", "und", "oder", "bzw.", "et", "ou", "y", "o", "e", "en", "of", "och", "og"})
_RULE = re.compile(r"[-=+|\s]+")
# Fewer lines in columns are an accident of spacing.
_TABLE_LINES = 3
_TABLE_CHARS = 300
# Lines of a wrapped paragraph have about the same length; shorter ones are verses, addresses, listings.
_WRAPPED_FROM, _WRAPPED_TO = 45, 130


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: empty_file, file_too_complex."""
    text = clean(decode(path.read_bytes()))
    outline = Outline(limits)
    text_add(text, outline)
    if not outline.blocks:
        raise ParseError("empty_file", "white space only")
    return Parsed(tuple(outline.blocks), TEXT)


def text_add(text: str, outline: Outline) -> None:
    """Add the paragraphs, lists and tables of a plain text."""
    for paragraph in _paragraphs(text):
        lines = [line for line in paragraph.split("\n") if line and not line.isspace()]
        if lines:
            _add(outline, lines)


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
    elif columns := aligned_columns(lines):
        for row in table_lines(grid([[Cell(text) for text in row] for row in columns])):
            outline.add("table_row", row.text)
    elif _is_wrapped(lines) or _is_hyphenated(lines):
        outline.add("paragraph", _joined(lines))
    else:
        outline.add("paragraph", "\n".join(" ".join(line.split()) for line in unbroken(lines)))


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


def _is_hyphenated(lines: Sequence[str]) -> bool:
    """Return whether words are broken at the ends of several lines: only a wrapped paragraph has those."""
    broken = sum(1 for line, after in pairwise(lines) if _BROKEN.search(line.rstrip()) and _WORD_START.match(after))
    return broken > 1


def aligned_columns(lines: Sequence[str]) -> list[list[str]] | None:
    """Return the cells of lines that stand in columns of fixed width; None for other text.

    A column begins where all lines have at least two spaces in front of it.
    """
    if len(lines) < _TABLE_LINES or any(len(line) > _TABLE_CHARS for line in lines):
        return None
    lines = [line.expandtabs(8).rstrip() for line in lines]
    ruled = [line for line in lines if not _RULE.fullmatch(line)]
    width = max(map(len, ruled), default=0)
    blank = [all(at >= len(line) or line[at] == " " for line in ruled) for at in range(width)]
    starts = [at for at in range(2, width) if not blank[at] and blank[at - 1] and blank[at - 2]]
    first = next((at for at in range(width) if not blank[at]), 0)
    if not starts or len(ruled) < _TABLE_LINES:
        return None
    bounds = [first, *starts, width]
    rows = [[line[start:end].strip() for start, end in pairwise(bounds)] for line in ruled]
    # Two words far apart once are no table: most rows have something in most columns.
    filled = sum(1 for row in rows for cell in row if cell)
    return rows if filled >= 0.7 * len(rows) * len(rows[0]) else None


def _is_wrapped(lines: list[str]) -> bool:
    lengths = [len(line.rstrip()) for line in lines[:-1]]
    return not lengths or (min(lengths) >= _WRAPPED_FROM and max(lengths) <= _WRAPPED_TO)


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(unbroken(lines)).split())


def unbroken(lines: Sequence[str]) -> list[str]:
    """Return the lines with words that were broken at a line's end whole, each on the line where it begins."""
    whole: list[str] = []
    for line in lines:
        last = whole[-1].rstrip() if whole else ""
        start = _WORD_START.match(line)
        if start and _BROKEN.search(last) and start[1] not in _JOINING:
            whole[-1] = last[:-1] + start[1]
            rest = line[start.end() :].strip()
            if rest:
                whole.append(rest)
        else:
            whole.append(line)
    return whole
