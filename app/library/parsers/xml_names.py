"""Names and texts of XML elements."""

from functools import lru_cache

from lxml import etree

from app.library.parsers.encoding import one_line


def local_name(element: etree._Element) -> str:
    """Return the name of an element without its namespace; empty for what is no element."""
    tag = element.tag
    return _local(tag) if isinstance(tag, str) else ""


@lru_cache(4096)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def namespace(element: etree._Element) -> str:
    tag = element.tag
    return tag[1:].partition("}")[0] if isinstance(tag, str) and tag.startswith("{") else ""


def all_text(element: etree._Element) -> str:
    """Return the text of an element with those inside it, as one line."""
    return one_line("".join(element.itertext()))


def children(element: etree._Element, *names: str) -> list[etree._Element]:
    """Return the children with one of these names; without names all."""
    return [child for child in element if (not names and local_name(child)) or local_name(child) in names]


def child_text(element: etree._Element, *names: str) -> str:
    """Return the text of the first child with one of these names that has any."""
    for name in names:
        for child in children(element, name):
            if text := all_text(child):
                return text
    return ""
