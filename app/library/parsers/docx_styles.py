"""What the styles and lists of a Word document mean: headings, items, the title."""

import re
from dataclasses import dataclass

from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_VAL = f"{W}val"
_HEADING_NAME = re.compile(r"heading (\d)\Z", re.I)
# Styles may be based on each other in a ring.
_MAX_ANCESTORS = 20


@dataclass(frozen=True, slots=True)
class Style:
    """level: of a heading from 1, or 0. item: depth in a list from 1, or 0."""

    level: int = 0
    item: int = 0
    title: bool = False
    code: bool = False


PLAIN = Style()


def styles_of(root: etree._Element | None) -> dict[str, Style]:
    """By style id."""
    if root is None:
        return {}
    elements = {found.get(f"{W}styleId", ""): found for found in root.iterfind(f"{W}style")}
    return {name: _style(elements, name) for name in elements}


def _style(elements: dict[str, etree._Element], name: str) -> Style:
    found = PLAIN
    for _ in range(_MAX_ANCESTORS):
        element = elements.get(name)
        if element is None:
            break
        own = _own_style(element)
        found = Style(
            found.level or own.level, found.item or own.item, found.title or own.title, found.code or own.code
        )
        based = element.find(f"{W}basedOn")
        name = based.get(_VAL, "") if based is not None else ""
    return found


def _own_style(element: etree._Element) -> Style:
    named = element.find(f"{W}name")
    name = (named.get(_VAL, "") if named is not None else "").strip()
    properties = element.find(f"{W}pPr")
    level = level_of(properties)
    heading = _HEADING_NAME.match(name)
    if heading:
        level = int(heading.group(1))
    item = item_of(properties) or 0
    lowered = name.lower()
    if not item and lowered.startswith(("list bullet", "list number")):
        item = int(lowered[-1]) if lowered[-1].isdecimal() else 1
    return Style(level, item, lowered == "title", lowered in ("html preformatted", "macro text", "code", "source code"))


def level_of(properties: etree._Element | None) -> int:
    """Outline level from 1, or 0 for body text."""
    found = properties.find(f"{W}outlineLvl") if properties is not None else None
    value = found.get(_VAL, "") if found is not None else ""
    return int(value) + 1 if value.isdecimal() and int(value) < 9 else 0


def item_of(properties: etree._Element | None) -> int | None:
    """Depth in a list from 1; 0 when taken out of one; None when nothing is said."""
    found = properties.find(f"{W}numPr") if properties is not None else None
    if found is None:
        return None
    number, depth = found.find(f"{W}numId"), found.find(f"{W}ilvl")
    if number is not None and number.get(_VAL) == "0":
        return 0
    value = depth.get(_VAL, "") if depth is not None else ""
    return min(int(value), 8) + 1 if value.isdecimal() else 1
