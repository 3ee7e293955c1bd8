"""Styles of OpenDocument files: raised, hidden and struck-out text, headings, numbers of lists."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from app.library.parsers.list_numbers import item_number

_NS = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TEXT, TABLE, DRAW = (f"{{{_NS}{name}:1.0}}" for name in ("office", "text", "table", "drawing"))
STYLE, PRESENTATION = (f"{{{_NS}{name}:1.0}}" for name in ("style", "presentation"))
SVG = f"{{{_NS}svg-compatible:1.0}}"
XLINK = "{http://www.w3.org/1999/xlink}"
# Styles may be based on each other in a circle.
_MAX_ANCESTORS = 20
_LEVELS = 10


@dataclass(frozen=True, slots=True)
class Style:
    """The meaning of a style. None: it leaves that to the style that it is based on."""

    parent: str = ""
    raised: str | None = None
    struck: bool | None = None
    hidden: bool | None = None
    list_style: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a list. number: `1`, `a`, `A`, `i`, `I`, or "" without a number. shown: how many levels it shows."""

    number: str = ""
    prefix: str = ""
    suffix: str = ""
    start: int = 1
    shown: int = 1
    bullet: bool = False


@dataclass(slots=True)
class Styles:
    """The styles of a document. hidden_pages: names of the styles of slides that are not shown."""

    by_name: dict[tuple[str, str], Style] = field(default_factory=dict)
    lists: dict[str, dict[int, Level]] = field(default_factory=dict)
    outline: dict[int, Level] = field(default_factory=dict)
    hidden_pages: set[str] = field(default_factory=set)
    _merged: dict[tuple[str, str], Style] = field(default_factory=dict)

    def read(self, root: etree._Element | None) -> None:
        """Read `office:styles` and `office:automatic-styles`; later ones win."""
        self._merged.clear()
        for element in root if root is not None else ():
            name = element.get(f"{STYLE}name", "")
            if element.tag == f"{STYLE}style":
                self.by_name[element.get(f"{STYLE}family", ""), name] = _style(element)
                page = element.find(f"{STYLE}drawing-page-properties")
                if page is not None and page.get(f"{PRESENTATION}visibility") == "hidden":
                    self.hidden_pages.add(name)
            elif element.tag == f"{TEXT}list-style":
                self.lists[name] = dict(_levels(element))
            elif element.tag == f"{TEXT}outline-style":
                self.outline = dict(_levels(element))

    def style(self, family: str, name: str) -> Style:
        """Return a style with what it takes from those that it is based on."""
        key = (family, name)
        if key in self._merged:
            return self._merged[key]
        merged = Style()
        for _ in range(_MAX_ANCESTORS):
            own = self.by_name.get((family, name))
            if own is None:
                break
            merged = Style(
                "",
                own.raised if merged.raised is None else merged.raised,
                own.struck if merged.struck is None else merged.struck,
                own.hidden if merged.hidden is None else merged.hidden,
                own.list_style if merged.list_style is None else merged.list_style,
            )
            name = own.parent
        self._merged[key] = merged
        return merged

    def is_based_on(self, name: str, base: str) -> bool:
        """Return whether a style of paragraphs is another one or based on it."""
        for _ in range(_MAX_ANCESTORS):
            if name == base:
                return True
            style = self.by_name.get(("paragraph", name))
            if style is None:
                return False
            name = style.parent
        return False


def _style(element: etree._Element) -> Style:
    raised: str | None = None
    struck: bool | None = None
    hidden: bool | None = None
    text = element.find(f"{STYLE}text-properties")
    if text is not None:
        position = text.get(f"{STYLE}text-position")
        if position is not None:
            amount = position.split(" ")[0]
            is_flat = not amount or amount in ("0%", "0")
            raised = "" if is_flat else "sub" if amount.startswith(("sub", "-")) else "sup"
        line = text.get(f"{STYLE}text-line-through-style") or text.get(f"{STYLE}text-line-through-type")
        struck = None if line is None else line != "none"
        display = text.get(f"{TEXT}display")
        hidden = None if display is None else display == "none"
    return Style(
        element.get(f"{STYLE}parent-style-name", ""), raised, struck, hidden, element.get(f"{STYLE}list-style-name")
    )


def _levels(element: etree._Element) -> Iterator[tuple[int, Level]]:
    for level in element:
        number = _integer(level.get(f"{TEXT}level"), 0)
        kind = level.tag.removeprefix(TEXT)
        if kind in ("list-level-style-number", "outline-level-style"):
            yield (
                number,
                Level(
                    level.get(f"{STYLE}num-format", "")[:1],
                    level.get(f"{STYLE}num-prefix", ""),
                    level.get(f"{STYLE}num-suffix", ""),
                    _integer(level.get(f"{TEXT}start-value"), 1),
                    _integer(level.get(f"{TEXT}display-levels"), 1),
                ),
            )
        elif kind.startswith("list-level-style"):
            yield number, Level(bullet=True)


class Counter:
    """The numbers of a list with its inner lists, or of the headings of a document."""

    def __init__(self, levels: dict[int, Level]) -> None:
        self.levels = levels
        self._counts: list[int | None] = [None] * (_LEVELS + 1)

    def next(self, level: int, start: str | None = None) -> str:
        """Return the next number at a level from 1, as it is shown; "" where none is shown. start: its own number."""
        level = min(level, _LEVELS)
        own = self.levels.get(level, Level())
        last = self._counts[level]
        self._counts[level] = _integer(start, 1) if start else own.start if last is None else last + 1
        self._counts[level + 1 :] = [None] * (_LEVELS - level)
        if not own.number:
            return ""
        numbers: list[str] = []
        for at in range(max(1, level - own.shown + 1), level + 1):
            kind = self.levels.get(at, Level())
            if kind.number:
                count = self._counts[at]
                numbers.append(item_number(kind.number, kind.start if count is None else count))
        return f"{own.prefix}{'.'.join(numbers)}{own.suffix}".strip()


def _integer(value: str | None, otherwise: int) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 7 else otherwise
