"""Parser of HTML: the main content under its headings, without its surroundings and hidden parts."""

import re
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode, one_line
from app.library.parsers.html_tables import is_data_table, table_rows
from app.library.parsers.limits import Limits
from app.library.parsers.media import HTML
from app.library.parsers.outline import Outline

_DROPPED = frozenset(
    {"script", "style", "noscript", "template", "head", "svg", "math", "iframe", "object", "embed", "canvas", "audio"}
    | {"video", "nav", "footer", "aside", "button", "select", "input", "textarea", "dialog", "map", "datalist"}
)
_SHOWN_AT_LEAST = frozenset({"nav", "footer", "aside", "button", "dialog", "map"})
_DROPPED_ROLES = frozenset(
    ["navigation", "banner", "contentinfo", "search", "menu", "menubar", "dialog", "alertdialog"]
)
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_CHROME = re.compile(r"\b(?:cookie|breadcrumb|skip-?link|sr-only|visually-hidden|screen-reader-text)", re.I)
_BLOCKS = frozenset(
    {"address", "article", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt", "fieldset"}
    | {"figcaption", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "html", "legend"}
    | {"li", "main", "menu", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead"}
    | {"tr", "ul"}
)
_LISTS = frozenset({"ul", "ol", "menu"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CHARSET = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.I)
_XML_ENCODING = re.compile(rb"<\?xml[^>]{1,100}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})", re.I)
_CHARSET_WITHIN = 4096
# The main element is used when it contains this share of the text; else the page has another structure.
_MAIN_SHARE = 0.3


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: no_text, file_too_complex."""
    text = clean(decode(data := path.read_bytes(), _declared(data)))
    tree = _tree(text)
    outline = Outline(limits)
    _Walk(outline).run(_content(tree))
    if not outline.blocks and tree.body is not None:
        # A page's menu is better than an empty document.
        _Walk(outline, shown=_SHOWN_AT_LEAST).run(tree.body)
    if not outline.blocks:
        raise ParseError("no_text", "a page without text")
    title = tree.css_first("head > title")
    return Parsed(tuple(outline.blocks), HTML, title=one_line(title.text()) or None if title else None)


def parse_fragment(html: str, outline: Outline) -> None:
    """Add the shown text of a piece of HTML inside another format."""
    tree = _tree(html)
    if tree.body is not None:
        _Walk(outline).run(tree.body)


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


class _Walk:
    """A depth-first walk without recursion: pages nest deeper than the stack allows."""

    def __init__(self, outline: Outline, shown: frozenset[str] = frozenset()) -> None:
        """Begin a walk. shown: tags that are usually dropped but kept here."""
        self.outline = outline
        self.shown = shown
        self.inline: list[str] = []
        # For each open list the number of its last item, or None when it is not ordered.
        self.lists: list[int | None] = []
        self.items: list[int] = []
        self.number = ""
        self.heading = 0

    def run(self, root: LexborNode) -> None:
        node: LexborNode | None = root
        opened: list[LexborNode] = []
        while node is not None:
            child = self.enter(node)
            if child is not None:
                opened.append(node)
                node = child
                continue
            self.leave(node)
            while node is not None and node.next is None and opened:
                node = opened.pop()
                self.leave(node)
            node = node.next if opened and node is not None else None
        self.flush()

    def enter(self, node: LexborNode) -> LexborNode | None:
        """Visit a node and return its first child to visit, if any."""
        tag = node.tag
        if tag == "-text":
            self.inline.append(node.text(deep=False))
            return None
        if tag is None or tag.startswith("-") or self.is_dropped(node, tag):
            return None
        if tag == "br":
            self.inline.append("\n")
        elif tag == "img":
            self.inline.append(f" {node.attributes.get('alt') or ''} ")
        elif tag == "table" and is_data_table(node):
            self.flush()
            self.table(node)
            return None
        elif tag == "pre":
            self.flush()
            self.outline.add("code", clean(node.text()).strip("\n").rstrip())
            return None
        elif tag in _BLOCKS:
            self.flush()
            self.open(node, tag)
        return node.child

    def open(self, node: LexborNode, tag: str) -> None:
        if tag in _LISTS:
            start = node.attributes.get("start") or ""
            self.lists.append((int(start) if start.isdecimal() else 1) - 1 if tag == "ol" else None)
        elif tag in ("li", "dd"):
            self.items.append(len(self.lists) or 1)
            number = self.lists[-1] if self.lists else None
            if number is not None:
                self.lists[-1] = number + 1
                self.number = f"{number + 1}. "
        elif tag in _HEADINGS:
            self.heading = _HEADINGS[tag]

    def leave(self, node: LexborNode) -> None:
        tag = node.tag
        if tag not in _BLOCKS or self.is_dropped(node, tag):
            return
        self.flush()
        if tag in _LISTS and self.lists:
            self.lists.pop()
        elif tag in ("li", "dd") and self.items:
            self.items.pop()
        elif tag in _HEADINGS:
            self.heading = 0

    def flush(self) -> None:
        if not self.inline:
            return
        text = " ".join("".join(self.inline).split())
        self.inline.clear()
        if not text:
            return
        if self.heading:
            self.outline.heading(self.heading, text)
        elif self.items:
            self.outline.add("list_item", self.number + text, level=min(self.items[-1], 9))
            self.number = ""
        else:
            self.outline.add("paragraph", text)

    def is_dropped(self, node: LexborNode, tag: str) -> bool:
        return tag not in self.shown and _is_dropped(node, tag, keep_roles=bool(self.shown))

    def table(self, table: LexborNode) -> None:
        for text in table_rows(table):
            self.outline.add("table_row", text)


def _is_dropped(node: LexborNode, tag: str, *, keep_roles: bool) -> bool:
    if tag in _DROPPED:
        return True
    attributes = node.attributes
    if not attributes:
        return False
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    style = attributes.get("style")
    if keep_roles:
        return bool(style and _HIDING.search(style))
    if (attributes.get("role") or "").lower() in _DROPPED_ROLES:
        return True
    return bool(
        (style and _HIDING.search(style)) or _is_chrome(attributes.get("class")) or _is_chrome(attributes.get("id"))
    )


def _is_chrome(name: str | None) -> bool:
    return bool(name and _CHROME.search(name))
