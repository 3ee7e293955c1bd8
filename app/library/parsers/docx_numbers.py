"""Numbers that Word makes itself ("2.3", "a)"): they are in no text of the file, and other texts refer to them."""

from dataclasses import dataclass, field

from lxml import etree

from app.library.parsers.docx_styles import W
from app.library.parsers.list_numbers import item_number

_VAL = f"{W}val"
_LEVELS = 9
_STYLES = {"lowerLetter": "a", "upperLetter": "A", "lowerRoman": "i", "upperRoman": "I"}
_UNNUMBERED = frozenset({"bullet", "none"})


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a list. text: its number with `%1` to `%9` for the numbers of the levels. legal: all as digits."""

    kind: str = "bullet"
    text: str = ""
    start: int = 1
    legal: bool = False


@dataclass(slots=True)
class _List:
    abstract: str
    levels: dict[int, Level]
    starts: dict[int, int] = field(default_factory=dict)


class Numbers:
    """The lists of a document, counted as its paragraphs come by."""

    def __init__(self, root: etree._Element | None) -> None:
        abstracts: dict[str, dict[int, Level]] = {}
        self._lists: dict[str, _List] = {}
        # Lists over one definition count on together, unless a list of its own begins anew.
        self._counts: dict[str, list[int]] = {}
        self._begun: set[str] = set()
        if root is None:
            return
        for abstract in root.iterfind(f"{W}abstractNum"):
            abstracts[abstract.get(f"{W}abstractNumId", "")] = _levels(abstract)
        for number in root.iterfind(f"{W}num"):
            reference = number.find(f"{W}abstractNumId")
            key = reference.get(_VAL, "") if reference is not None else ""
            levels = dict(abstracts.get(key, {}))
            starts: dict[int, int] = {}
            for override in number.iterfind(f"{W}lvlOverride"):
                depth = _integer(override.get(f"{W}ilvl"), 0)
                own = override.find(f"{W}lvl")
                if own is not None:
                    levels[depth] = _level(own)
                start = override.find(f"{W}startOverride")
                if start is not None:
                    starts[depth] = _integer(start.get(_VAL), 1)
            self._lists[number.get(f"{W}numId", "")] = _List(key, levels, starts)

    def next(self, list_id: str, depth: int) -> str:
        """Return the number of the next paragraph of a list at a depth from 0; "" for bullets and unknown lists."""
        entry = self._lists.get(list_id)
        level = entry.levels.get(depth) if entry is not None else None
        if entry is None or level is None or not 0 <= depth < _LEVELS:
            return ""
        counts = self._counts.setdefault(entry.abstract, [-1] * _LEVELS)
        if list_id not in self._begun:
            self._begun.add(list_id)
            for at, start in entry.starts.items():
                if 0 <= at < _LEVELS:
                    counts[at] = start - 1
        counts[depth] = level.start if counts[depth] < 0 else counts[depth] + 1
        counts[depth + 1 :] = [-1] * (_LEVELS - depth - 1)
        if level.kind in _UNNUMBERED or not level.text.strip():
            return ""
        return _shown(level, entry.levels, counts)


def _shown(level: Level, levels: dict[int, Level], counts: list[int]) -> str:
    text = level.text
    for at in range(_LEVELS):
        mark = f"%{at + 1}"
        if mark in text:
            own = levels.get(at, Level())
            value = counts[at] if counts[at] >= 0 else own.start
            style = "1" if level.legal else _STYLES.get(own.kind, "1")
            digits = f"{value:02d}" if own.kind == "decimalZero" else item_number(style, value)
            text = text.replace(mark, digits)
    return text.strip()


def _levels(abstract: etree._Element) -> dict[int, Level]:
    return {_integer(level.get(f"{W}ilvl"), 0): _level(level) for level in abstract.iterfind(f"{W}lvl")}


def _level(element: etree._Element) -> Level:
    def value(name: str) -> str | None:
        child = element.find(f"{W}{name}")
        return child.get(_VAL) if child is not None else None

    legal = element.find(f"{W}isLgl")
    return Level(value("numFmt") or "decimal", value("lvlText") or "", _integer(value("start"), 0), legal is not None)


def _integer(value: str | None, otherwise: int) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 7 else otherwise
