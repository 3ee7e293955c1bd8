"""Parser of XML: known kinds of document as what they are, any other as headed values and tables of records.

Nothing outside the file is opened, and entities are replaced only where the file itself says a short text for them.
"""

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5
from pathlib import Path
from typing import Any

from lxml import etree

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode
from app.library.parsers.limits import MEBIBYTE, Limits
from app.library.parsers.media import XML
from app.library.parsers.outline import Outline
from app.library.parsers.records import Records
from app.library.parsers.xml_feeds import feed_add, is_feed
from app.library.parsers.xml_names import local_name
from app.library.parsers.xml_prose import is_prose, prose_add
from app.library.parsers.xml_values import element_value

_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_DECLARATION = re.compile(rb"<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})", re.I)
_DECLARED = re.compile(r"\A\s*<\?xml[^>]{0,200}\?>")
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]{0,1000}(?:\[(.*?)\]\s*)?>", re.S)
_ENTITY = re.compile(r"<!ENTITY\s+([A-Za-z_][\w.-]{0,60})\s+(?:\"([^\"]{0,200})\"|'([^']{0,200})')\s*>")
_REFERENCE = re.compile(r"&([A-Za-z_][\w.-]{0,60});")
_OWN = frozenset({"amp", "lt", "gt", "quot", "apos"})
# A tree takes about six times the bytes of its file; larger files are read record by record.
_TREE_BYTES = 24 * MEBIBYTE
# The depth of the records is found in so much of the file.
_PROBE_BYTES = 512 * 1024
_DEPTHS = 8


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: broken_file, no_text, file_too_complex."""
    outline = Outline(limits)
    if path.stat().st_size > _TREE_BYTES:
        _stream(path, outline, Records(outline, limits))
        return _parsed(outline)
    data = path.read_bytes()
    declared = _DECLARATION.search(data, 0, 300)
    text = clean(decode(data, declared[1].decode("ascii") if declared else None))
    root, whole = _tree(_self_contained(text))
    title = None
    if is_feed(root):
        title = feed_add(root, outline)
    elif is_prose(root):
        title = prose_add(root, outline)
    if not outline.blocks:
        outline.heading(1, local_name(root))
        Records(outline, limits).add(element_value(root, limits), level=2)
        if len(outline.blocks) == 1:
            raise ParseError("no_text", "elements without text")
    return _parsed(outline, title, () if whole else ("not_valid:XML",))


def _parsed(outline: Outline, title: str | None = None, warnings: tuple[str, ...] = ()) -> Parsed:
    if not outline.blocks:
        raise ParseError("no_text", "elements without text")
    return Parsed(tuple(outline.blocks), XML, title=title, warnings=warnings)


def _self_contained(text: str) -> bytes:
    """Return the file in UTF-8 without its document type; the characters and short texts that it names are put in."""
    text = _DECLARED.sub("", text, count=1)
    named: dict[str, str] = {}
    begin = text.find("<!DOCTYPE", 0, 200_000)
    doctype = _DOCTYPE.match(text, begin) if begin >= 0 else None
    if doctype is not None:
        for name, double, single in _ENTITY.findall(doctype[1] or ""):
            value = double or single
            # An entity made of others is how a small file becomes a large one.
            if "<" not in value and not _REFERENCE.search(value):
                named[name] = unescape(value)
        text = text[: doctype.start()] + text[doctype.end() :]
    return _REFERENCE.sub(lambda match: _replacement(match, named), text).encode()


def _replacement(match: re.Match[str], named: dict[str, str]) -> str:
    name = match[1]
    if name in _OWN:
        return match[0]
    value = named.get(name, html5.get(f"{name};", ""))
    # A name that nobody explains is shown as it is written.
    shown = value.replace("&", "&amp;").replace("<", "&lt;") if value else f"&amp;{name};"
    return shown.replace('"', "&quot;")


def _tree(data: bytes) -> tuple[etree._Element, bool]:
    """Return the root, and whether the file is well formed; a damaged one is read as far as it goes."""
    try:
        return etree.fromstring(data, etree.XMLParser(encoding="utf-8", **_SAFE)), True
    except etree.XMLSyntaxError as error:
        if "depth" in str(error) or "amplification" in str(error):
            raise ParseError("file_too_complex", "XML nested too far") from error
    try:
        root = etree.fromstring(data, etree.XMLParser(encoding="utf-8", recover=True, **_SAFE))
    except etree.XMLSyntaxError as error:
        raise ParseError("broken_file", "XML that is not well formed") from error
    if root is None or not isinstance(root.tag, str):
        raise ParseError("broken_file", "XML that is not well formed")
    return root, False


def _stream(path: Path, outline: Outline, records: Records) -> None:
    """Add the records of a large file, one in memory at a time."""
    with path.open("rb") as file:
        depth = _record_depth(file.read(_PROBE_BYTES))
    try:
        records.stream(_values(path, depth, outline), 1)
    except etree.XMLSyntaxError as error:
        raise ParseError("broken_file", "XML that is not well formed") from error


def _values(path: Path, depth: int, outline: Outline) -> Iterator[Any]:
    limits = Limits()
    now = 0
    for event, element in etree.iterparse(str(path), events=("start", "end"), **_SAFE):
        if event == "start":
            now += 1
            continue
        now -= 1
        if now == depth:
            value = element_value(element, limits)
            yield value if hasattr(value, "items") else {local_name(element): value}
            parent = element.getparent()
            element.clear(keep_tail=False)
            # Elements that are done are taken out, or the tree grows with the file.
            while parent is not None and element.getprevious() is not None:
                del parent[0]


def _record_depth(head: bytes) -> int:
    """Return the depth at which the beginning of a file has most elements of one name."""
    counts: dict[tuple[int, str], int] = {}
    now = 0
    parser = etree.XMLPullParser(events=("start", "end"), recover=True, **_SAFE)
    try:
        parser.feed(head)
    except etree.XMLSyntaxError as error:
        raise ParseError("broken_file", "XML that is not well formed") from error
    for event, element in parser.read_events():
        now += 1 if event == "start" else -1
        if event == "end" and 0 < now <= _DEPTHS and len(element):
            key = now, local_name(element)
            counts[key] = counts.get(key, 0) + 1
    many = [depth for (depth, _), count in counts.items() if count > 5]
    return min(many, default=1)
