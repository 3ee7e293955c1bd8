"""XML elements as nested values: attributes and child elements by their names, in the order of the file."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from app.library.parsers.blocks import ParseError
from app.library.parsers.encoding import one_line
from app.library.parsers.limits import Limits
from app.library.parsers.xml_names import all_text, local_name

# Attributes that say how a document is to be processed, and nothing to a reader.
_SILENT = frozenset({"schemaLocation", "noNamespaceSchemaLocation", "space", "base"})


class Element:
    """An element as pairs of names and values; the same name may come again further on."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs

    def items(self) -> Iterator[tuple[str, Any]]:
        yield from self.pairs


def element_value(element: etree._Element, limits: Limits, depth: int = 0) -> Any:
    """Return an element as a text, or as its parts. Errors: file_too_complex."""
    if depth > limits.depth:
        raise ParseError("file_too_complex", f"elements nested more than {limits.depth} deep")
    if not len(element) and not element.attrib:
        return one_line(element.text or "")
    pairs: list[tuple[str, Any]] = [
        (name.rpartition("}")[2], one_line(str(value)))
        for name, value in element.attrib.items()
        if str(name).rpartition("}")[2] not in _SILENT and str(value).strip()
    ]
    inner = [child for child in element if local_name(child)]
    text = one_line(element.text or "")
    if inner and (text or any((child.tail or "").strip() for child in inner)):
        # Words between elements: the elements only mark some of them.
        text, inner = all_text(element), []
    if not inner and not pairs:
        return text
    if text:
        pairs.append(("", text))
    pairs += _grouped(inner, limits, depth)
    return Element(pairs)


def _grouped(inner: list[etree._Element], limits: Limits, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield child elements by name, those of one name in a row as a list."""
    at = 0
    while at < len(inner):
        name = local_name(inner[at])
        same = [inner[at]]
        while at + len(same) < len(inner) and local_name(inner[at + len(same)]) == name:
            same.append(inner[at + len(same)])
        values = [value for child in same if (value := element_value(child, limits, depth + 1)) != ""]
        if values:
            yield name, values if len(values) > 1 else values[0]
        at += len(same)
