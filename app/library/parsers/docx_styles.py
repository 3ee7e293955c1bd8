"""Meaning of the styles and lists of a Word document: headings, items, the title."""

import re
from dataclasses import dataclass

from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_VAL = f"{W}val"
_HEADING_NAME = re.compile(r"heading (\d)\Z", re.I)
# Styles may be based on each other in a circle.
_MAX_ANCESTORS = 20


@dataclass(frozen=True, slots=True)
class Style:
    """The meaning of a style.

    level: of a heading from 1, or 0. item: depth in a list from 1, or 0. list_id: the list that numbers it, if any.
    """

    level: int = 0
    item: int = 0
    title: bool = False
    code: bool = False
    list_id: str = ""


PLAIN = Style()


def styles_read(root: etree._Element | None) -> dict[str, Style]:
    """Return the styles by their ids."""
    if root is None:
        return {}
    elements = {row.get(f"{W}styleId", ""): row for row in root.iterfind(f"{W}style")}
    return {name: _style(elements, name) for name in elements}


def _style(elements: dict[str, etree._Element], name: str) -> Style:
    style = PLAIN
    for _ in range(_MAX_ANCESTORS):
        element = elements.get(name)
        if element is None:
            break
        own = _own_style(element)
        style = Style(
            style.level or own.level,
            style.item or own.item,
            style.title or own.title,
            style.code or own.code,
            style.list_id or own.list_id,
        )
        based = element.find(f"{W}basedOn")
        name = based.get(_VAL, "") if based is not None else ""
    return style


def _own_style(element: etree._Element) -> Style:
    name_element = element.find(f"{W}name")
    name = (name_element.get(_VAL, "") if name_element is not None else "").strip()
    properties = element.find(f"{W}pPr")
    level = heading_level(properties)
    heading = _HEADING_NAME.match(name)
    if heading:
        level = int(heading.group(1))
    item = list_depth(properties) or 0
    lowered = name.lower()
    if not item and lowered.startswith(("list bullet", "list number")):
        item = int(lowered[-1]) if lowered[-1].isdecimal() else 1
    code = lowered in ("html preformatted", "macro text", "code", "source code")
    return Style(level, item, lowered == "title", code, list_id(properties))


def heading_level(properties: etree._Element | None) -> int:
    """Return the outline level from 1, or 0 for body text."""
    element = properties.find(f"{W}outlineLvl") if properties is not None else None
    value = element.get(_VAL, "") if element is not None else ""
    return int(value) + 1 if value.isdecimal() and int(value) < 9 else 0


def list_depth(properties: etree._Element | None) -> int | None:
    """Return the depth in a list from 1; 0 when removed from one; None when the properties do not set it."""
    element = properties.find(f"{W}numPr") if properties is not None else None
    if element is None:
        return None
    number, depth = element.find(f"{W}numId"), element.find(f"{W}ilvl")
    if number is not None and number.get(_VAL) == "0":
        return 0
    value = depth.get(_VAL, "") if depth is not None else ""
    return min(int(value), 8) + 1 if value.isdecimal() else 1


def list_id(properties: etree._Element | None) -> str:
    """Return the id of the list that the properties put a paragraph into, or ""."""
    number = properties.find(f"{W}numPr/{W}numId") if properties is not None else None
    return number.get(_VAL, "") if number is not None else ""
