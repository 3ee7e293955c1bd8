"""Running heads and feet of a PDF: lines that repeat at the edges of pages, and the pages' own numbers.

A line is dropped only when it is certain: the same text, or the same but for a number that counts with the pages. What
merely looks alike (headings "Room 201", "Room 202"; rows of a table; a figure alone on its line) is content.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from app.library.parsers.pdf_lines import Line, Page

# The share of pages at whose edges a line stands, and the least number of them.
_SHARE = 0.4
_PAGES = 3
_EDGE_LINES = 3
# Heads and feet stand in this share of the page's height at its top and bottom.
_MARGIN = 0.15
_LONG = 8
# Type larger than this many times the body's is a heading's, which a running head is not.
_LARGER = 1.08
_NUMBER = re.compile(r"\d{1,5}")
_LONE = re.compile(
    r"(?:page\s*|seite\s*|[-–—|]\s*)?(\d{1,4}|[ivxlc]{1,6})(?:\s*(?:of|/|von)\s*\d{1,4})?(?:\s*[-–—|])?\Z", re.I
)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


def drop_running_lines(pages: Sequence[Page]) -> None:
    """Remove running heads and feet and page numbers. The first of each stays: its facts may stand nowhere else."""
    needed = max(_PAGES, _SHARE * sum(1 for page in pages if page.lines))
    body = _body_size(pages)
    same: Counter[str] = Counter()
    counting: dict[str, Counter[int]] = defaultdict(Counter)
    lone: Counter[int] = Counter()
    for page in pages:
        for line in {line.text: line for line in edge_lines(page, len(pages))}.values():
            if line.cells:
                continue
            same[line.text] += 1
            for key, offset in _counted(line, page.number, body):
                counting[key][offset] += 1
        for offset in _lone_offsets(page):
            lone[offset] += 1
    repeated = {text for text, count in same.items() if count >= needed}
    keys = {key: offset for key, counts in counting.items() for offset, n in counts.items() if n >= needed}
    offset, times = lone.most_common(1)[0] if lone else (0, 0)
    numbered = offset if times >= max(2, 0.5 * len(pages)) or times >= needed else None
    kept = _kept(pages, repeated, keys, numbered, body)
    # If all lines of all pages repeat, they are the content.
    if any(kept):
        for page, lines in zip(pages, kept, strict=True):
            page.lines = lines


def _kept(
    pages: Sequence[Page], repeated: set[str], keys: dict[str, int], numbered: int | None, body: float
) -> list[list[Line]]:
    seen: set[str] = set()
    kept: list[list[Line]] = []
    for page in pages:
        edges = edge_lines(page, len(pages))
        dropped: list[int] = []
        for line in edges:
            key = next((key for key, at in _counted(line, page.number, body) if keys.get(key) == at), None)
            name = line.text if line.text in repeated and not line.cells else key
            if name is None:
                continue
            if name in seen:
                dropped.append(id(line))
            seen.add(name)
        if numbered is not None and len(pages) > 1:
            dropped += [id(line) for line in _ends(page) if _lone_value(line) == page.number + numbered]
        kept.append([line for line in page.lines if id(line) not in dropped] if dropped else page.lines)
    return kept


def edge_lines(page: Page, pages: int = 0) -> list[Line]:
    """Return the lines in the margins of a page that are set apart from its text, the topmost first.

    pages: of the document. In a long one a line of the margin counts without a gap, since its repetition is proof.
    """
    ordered = sorted(page.lines, key=lambda line: line.y0)
    top = [line for line in ordered[:_EDGE_LINES] if line.y1 < _MARGIN * page.height]
    bottom = [line for line in ordered[-_EDGE_LINES:] if line.y0 > (1 - _MARGIN) * page.height and line not in top]
    if pages >= _LONG:
        return top + bottom
    apart = [at for at in range(len(top)) if at + 1 < len(ordered) and _gap(ordered[at], ordered[at + 1])]
    top = top[: apart[0] + 1] if apart else []
    first = len(ordered) - len(bottom)
    apart = [at for at in range(first, len(ordered)) if at and _gap(ordered[at - 1], ordered[at])]
    return top + (ordered[apart[-1] :] if apart else [])


def _gap(above: Line, below: Line) -> bool:
    return below.y0 - above.y1 > above.size


def _body_size(pages: Sequence[Page]) -> float:
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _counted(line: Line, page: int, body: float) -> Iterator[tuple[str, int]]:
    """Yield (text with one number left out, its distance from the page's) of a line that may be a running head."""
    if line.cells or line.size > body * _LARGER:
        return
    for number in _NUMBER.finditer(line.text):
        yield f"{line.text[: number.start()]}#{line.text[number.end() :]}", int(number.group()) - page


def _lone_offsets(page: Page) -> Iterator[int]:
    for line in _ends(page):
        value = _lone_value(line)
        if value is not None:
            yield value - page.number


def _ends(page: Page) -> list[Line]:
    """Return the first and the last line of a page."""
    ordered = sorted(page.lines, key=lambda line: line.y0)
    return ordered[:1] + ordered[1:][-1:]


def _lone_value(line: Line) -> int | None:
    """Return the number that stands alone on a line, as a page's does, or None."""
    found = _LONE.match(line.text)
    if not found:
        return None
    text = found[1].lower()
    if text.isdecimal():
        return int(text)
    values = [_ROMAN[letter] for letter in text]
    return sum(-value if value < max(values[at:]) else value for at, value in enumerate(values))
