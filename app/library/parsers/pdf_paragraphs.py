"""Paragraphs, items and rows from the lines of a page, by the space between them."""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from app.library.parsers.pdf_lines import BREAK, Line

_ITEM = re.compile(r"(?:[•▪◦‣●○■□➢✓❑]|[-–—*](?=\s)|\(?(?:\d{1,2}|[ivx]{1,4}|[a-z])[.)](?=\s))")
_ENDS = tuple('.!?:;。！？”"')
_NUMBER = re.compile(r"[\d$€£(%]")
_WORD = re.compile(r"\w+")
# Lines further apart than this many times the usual distance belong to different paragraphs.
_APART = 1.3
_SAME_SIZE = 0.08


@dataclass(slots=True)
class Group:
    """Lines that form a block. kind: paragraph, list_item or table_row."""

    kind: str
    lines: list[Line]

    @property
    def size(self) -> float:
        return median(line.size for line in self.lines)

    @property
    def bold(self) -> bool:
        return all(line.bold for line in self.lines)


def groups(lines: Sequence[Line]) -> Iterator[Group]:
    pitch = _usual_pitch(lines)
    now: Group | None = None
    for number, line in enumerate(lines):
        row = _is_row(lines, number)
        if now is not None and not row and now.kind != "table_row" and _continues(now, line, pitch):
            now.lines.append(line)
            continue
        if now is not None:
            yield now
        item = not row and _ITEM.match(line.text)
        now = Group("table_row" if row else "list_item" if item else "paragraph", [line])
    if now is not None:
        yield now


def _usual_pitch(lines: Sequence[Line]) -> float:
    """Return the distance of lines in a paragraph, in line heights."""
    distances = [
        (after.y0 - before.y0) / before.size
        for before, after in pairwise(lines)
        if before.size and 0.7 < (after.y0 - before.y0) / before.size < 2.2 and len(before.text) > 30
    ]
    return median(distances) if distances else 1.2


def _is_row(lines: Sequence[Line], number: int) -> bool:
    line = lines[number]
    if len(line.cells) > 2:
        return True
    if not line.cells:
        return False
    start, end, _, _ = line.cells[-1]
    if end - start < 16 and _NUMBER.match(line.text[start:end]):
        return True
    # One gap alone may be the loose setting of a justified line.
    around = (*lines[max(0, number - 1) : number], *lines[number + 1 : number + 2])
    return any(neighbour.cells for neighbour in around)


def _continues(group: Group, line: Line, pitch: float) -> bool:
    last = group.lines[-1]
    down = line.y0 - last.y0
    if abs(down) < 0.5 * last.size:
        return True
    if abs(line.size - last.size) > _SAME_SIZE * last.size or line.bold != last.bold:
        return False
    if down < 0 or line.x0 > last.x1 + last.size:
        # In a new column the paragraph continues only with its sentence.
        return not last.text.endswith(_ENDS) and line.text[:1].islower()
    if down > _APART * pitch * last.size or _ITEM.match(line.text):
        return False
    ended = last.text.endswith(_ENDS)
    indented = line.x0 > last.x0 + 0.8 * last.size and group.kind != "list_item"
    widest = max(member.x1 for member in group.lines)
    short = last.x1 < widest - 0.2 * (widest - last.x0) or last.x1 < line.x1 - 0.35 * (line.x1 - line.x0)
    outdented = len(group.lines) > 1 and line.x0 < last.x0 - 0.8 * last.size
    return not (ended and (indented or short or outdented))


def joined(lines: Sequence[Line], known: Set[str]) -> tuple[str, tuple[int, ...]]:
    """Return the text of a paragraph, and the offset of each of its lines in it.

    known: words of the document, to distinguish a word broken at a line's end from one with a hyphen.
    """
    text = ""
    starts: list[int] = []
    for line in lines:
        addition = line.text
        if text.endswith(BREAK):
            text = text[:-1]
            if _keeps_hyphen(text, addition, known):
                text += "-"
        elif text:
            text += " "
        starts.append(len(text))
        text += addition
    return text.replace(BREAK, "-"), tuple(starts)


def _keeps_hyphen(before: str, after: str, known: Set[str]) -> bool:
    first, second = _WORD.findall(before[-40:]), _WORD.match(after)
    if not first or not second or len(first[-1]) == 1:
        return True
    word = (first[-1] + second.group()).lower()
    if word in known:
        return False
    return not second.group()[0].islower() or (first[-1].lower() in known and second.group().lower() in known)
