"""Headings among the lines of a PDF: those that its bookmarks name, then those in larger or bold type."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from app.library.parsers.pdf_lines import Page
from app.library.parsers.pdf_paragraphs import Group

_LARGER = 1.12
_HEADING_CHARS = 150
_HEADING_LINES = 3
_SIZES = 4
_LETTERS = re.compile(r"[^\W\d_]")
_NOT_WORD = re.compile(r"[\W_]+")
_OPEN_ENDS = tuple(".,;:")
# Bookmarks alone are used when at least this many occur on their pages.
_ENOUGH_BOOKMARKS = 3


class Headings:
    def __init__(self, bookmarks: Iterable[tuple[int, int, str]], pages: Sequence[Page]) -> None:
        self._bookmarks = {(page, _key(title)): level for page, level, title in bookmarks if _key(title)}
        sizes: Counter[float] = Counter()
        bold = plain = 0
        for page in pages:
            for line in page.lines:
                sizes[_step(line.size)] += len(line.text)
                bold, plain = bold + len(line.text) * line.bold, plain + len(line.text) * (not line.bold)
        self._body = sizes.most_common(1)[0][0] if sizes else 0.0
        total = sizes.total()
        # A size that much of the text has is body text, however large.
        larger = [size for size, chars in sizes.items() if size >= self._body * _LARGER and chars < 0.2 * total]
        self._levels = {size: min(rank, _SIZES) for rank, size in enumerate(sorted(larger, reverse=True), 1)}
        self._bold_is_rare = bold < 0.3 * plain
        self._deepest = max(self._levels.values(), default=0)
        self._below = max(self._bookmarks.values(), default=0) if len(self._bookmarks) >= _ENOUGH_BOOKMARKS else 0

    def merged(self, groups: Iterable[Group]) -> Iterator[Group]:
        """Yield the groups, with a heading over several lines merged into one."""
        last: Group | None = None
        for group in groups:
            if last is not None and self._one_heading(last, group):
                last.lines += group.lines
                continue
            if last is not None:
                yield last
            last = group
        if last is not None:
            yield last

    def _one_heading(self, first: Group, second: Group) -> bool:
        before, after = first.lines[-1], second.lines[0]
        return (
            self._by_size(first) > 0
            and self._by_size(first) == self._by_size(second)
            and len(first.lines) + len(second.lines) <= _HEADING_LINES
            and 0 < after.y0 - before.y0 < 1.6 * before.size
        )

    def is_heading(self, page: Page, group: Group) -> bool:
        return self.level(page, group, " ".join(line.text for line in group.lines)) > 0

    def level(self, page: Page, group: Group, text: str) -> int:
        """Return the level of a heading from 1, or 0 for other text."""
        if len(text) > _HEADING_CHARS or len(group.lines) > _HEADING_LINES:
            return 0
        named = self._bookmarks.get((page.number, _key(text)))
        if named:
            return min(named, 6)
        if group.kind == "table_row" or len(_LETTERS.findall(text)) < 3:
            return 0
        level = self._by_size(group)
        if not level and self._is_bold_heading(group, text) and not _has_bold_beside(page, group):
            level = self._deepest + 1
        return min(self._below + level, 6) if level else 0

    def _by_size(self, group: Group) -> int:
        return self._levels.get(_step(group.size), 0) if group.kind != "table_row" else 0

    def _is_bold_heading(self, group: Group, text: str) -> bool:
        return (
            self._bold_is_rare
            and group.bold
            and len(group.lines) <= 2
            and not text.endswith(_OPEN_ENDS)
            and not text[0].islower()
            and group.size >= self._body * 0.95
        )


def _has_bold_beside(page: Page, group: Group) -> bool:
    """Return whether bold text is beside the group, as with a table's column names; a heading has none."""
    top, bottom = group.lines[0].y0, group.lines[-1].y1
    return any(
        line.bold and line.y0 < bottom - 1 and line.y1 > top + 1 and line not in group.lines for line in page.lines
    )


def _step(size: float) -> float:
    return round(size * 2) / 2


def _key(text: str) -> str:
    return _NOT_WORD.sub(" ", text).strip().lower()
