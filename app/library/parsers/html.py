"""Parser of HTML: the main content under its headings, without its surroundings and hidden parts."""

import re
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode, one_line
from app.library.parsers.html_shown import SHOWN_AT_LEAST
from app.library.parsers.html_walk import Walk
from app.library.parsers.limits import Limits
from app.library.parsers.media import HTML
from app.library.parsers.outline import Outline

_CHARSET = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.I)
_XML_ENCODING = re.compile(rb"<\?xml[^>]{1,100}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})", re.I)
_CHARSET_WITHIN = 4096
# The main element is used when it contains this share of the text; else the page has another structure.
_MAIN_SHARE = 0.3
# A heading or a line of copyright.
_REMNANT_CHARS = 60


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: no_text, file_too_complex."""
    tree = _tree(page_source(path.read_bytes()))
    outline = Outline(limits)
    Walk(outline).run(_content(tree))
    if tree.body is not None and _is_remnant(outline, tree.body):
        # A page's menu is better than an empty document.
        outline = Outline(limits)
        Walk(outline, shown=SHOWN_AT_LEAST).run(tree.body)
    if not outline.blocks:
        raise ParseError("no_text", "a page without text")
    title = tree.css_first("head > title")
    return Parsed(tuple(outline.blocks), HTML, title=one_line(title.text()) or None if title else None)


def page_source(data: bytes) -> str:
    """Return the source of a page in the encoding that it declares, or in what it shows to be."""
    return clean(decode(data, _declared(data)))


def parse_fragment(html: str, outline: Outline) -> None:
    """Add the shown text of a piece of HTML inside another format."""
    tree = _tree(html)
    if tree.body is not None:
        Walk(outline).run(tree.body)


def _is_remnant(outline: Outline, body: LexborNode) -> bool:
    """Return whether hardly anything is left of a page that has more: what looks like a menu is the page then."""
    found = sum(len(block.text) for block in outline.blocks)
    return found < _REMNANT_CHARS and found * 4 < len(" ".join(_shown_text(body).split()))


def _tree(text: str) -> LexborHTMLParser:
    try:
        return LexborHTMLParser(text)
    except SelectolaxError as error:
        # No HTML is invalid, so the only cause of failure is a lack of memory for the tree.
        raise MemoryError from error


def _declared(data: bytes) -> str | None:
    match = _XML_ENCODING.search(data, 0, 200) or _CHARSET.search(data, 0, _CHARSET_WITHIN)
    name = match.group(1).decode("ascii") if match else None
    # A page whose declaration could be read as ASCII is not in UTF-16, whatever it declares.
    return None if name is None or name.lower().startswith("utf-16") else name


def _content(tree: LexborHTMLParser) -> LexborNode:
    body = tree.body or tree.root
    if body is None:
        raise ParseError("no_text", "a page without text")
    mains = tree.css("main, [role=main]") or tree.css("article")
    if len(mains) != 1:
        return body
    return mains[0] if len(mains[0].text()) >= len(_shown_text(body)) * _MAIN_SHARE else body


def _shown_text(body: LexborNode) -> str:
    return "".join(
        node.text(deep=False)
        for node in body.traverse(include_text=True)
        if node.tag == "-text" and not _in_script(node)
    )


def _in_script(node: LexborNode) -> bool:
    return node.parent is not None and node.parent.tag in ("script", "style", "noscript", "template")
