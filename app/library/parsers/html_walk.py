"""The walk over an HTML tree that adds its shown text to an outline."""

from selectolax.lexbor import LexborNode

from app.library.parsers.encoding import clean
from app.library.parsers.html_shown import is_dropped, words_for
from app.library.parsers.html_tables import is_data_table, table_rows
from app.library.parsers.inline import Inline
from app.library.parsers.list_numbers import item_number
from app.library.parsers.outline import Outline

_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt"}
    | {"fieldset", "figcaption", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "html"}
    | {"legend", "li", "main", "menu", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th"}
    | {"thead", "tr", "ul"}
)
_LISTS = frozenset({"ul", "ol", "menu"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_RUNS = {"sup": "sup", "sub": "sub", "a": "a"}


class Walk:
    """A depth-first walk without recursion: pages nest deeper than the stack allows."""

    def __init__(self, outline: Outline, shown: frozenset[str] = frozenset()) -> None:
        """Begin a walk. shown: tags that are usually dropped but kept here."""
        self.outline = outline
        self.shown = shown
        self.inline = Inline()
        # For each open list its style and the number of its next item; no style when it is not ordered.
        self.lists: list[tuple[str, int, int]] = []
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
            self.inline.text(node.text(deep=False) or "")
            return None
        if tag is None or tag.startswith("-") or is_dropped(node, tag, self.shown):
            return None
        words = words_for(node, tag)
        if words is not None:
            self.inline.text(words)
            return None
        if tag == "br":
            self.inline.text("\n")
        elif tag in _RUNS:
            self.inline.begin(_RUNS[tag], node.attributes.get("href"))
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
            self.lists.append(_list_of(node, tag))
        elif tag in ("li", "dd"):
            self.items.append(len(self.lists) or 1)
            if tag == "li" and self.lists and self.lists[-1][0]:
                style, number, step = self.lists[-1]
                number = _integer(node.attributes.get("value"), number)
                self.lists[-1] = (style, number + step, step)
                self.number = f"{item_number(style, number)}. "
        elif tag in _HEADINGS:
            self.heading = _HEADINGS[tag]
        elif (node.attributes.get("role") or "") == "tabpanel":
            self.outline.add("paragraph", _label(node))

    def leave(self, node: LexborNode) -> None:
        tag = node.tag
        if tag is None or tag.startswith("-") or is_dropped(node, tag, self.shown):
            return
        if tag in _RUNS:
            self.inline.end(_RUNS[tag])
        if tag not in _BLOCKS:
            return
        self.flush()
        if tag in _LISTS and self.lists:
            self.lists.pop()
        elif tag in ("li", "dd") and self.items:
            self.items.pop()
            self.number = ""
        elif tag in _HEADINGS:
            self.heading = 0

    def flush(self) -> None:
        if not self.inline:
            return
        text = " ".join(self.inline.take().split())
        if not text:
            return
        if self.heading:
            self.outline.heading(self.heading, text)
        elif self.items:
            self.outline.add("list_item", self.number + text, level=min(self.items[-1], 9))
            self.number = ""
        else:
            self.outline.add("paragraph", text)

    def table(self, table: LexborNode) -> None:
        for text in table_rows(table, cell_text):
            self.outline.add("table_row", text)


def cell_text(cell: LexborNode) -> str:
    """Return the shown text of a cell on one line, blocks in it apart by a space."""
    inline = Inline()
    pending: list[tuple[LexborNode, bool]] = [(cell, False)]
    while pending:
        node, left = pending.pop()
        tag = node.tag
        if tag == "-text":
            inline.text(node.text(deep=False) or "")
            continue
        if tag is None or tag.startswith("-") or is_dropped(node, tag):
            continue
        if tag in _BLOCKS or tag == "br":
            inline.text(" ")
        if left:
            inline.end(_RUNS.get(tag, ""))
            continue
        words = words_for(node, tag)
        if words is not None:
            inline.text(words)
            continue
        if tag in _RUNS:
            inline.begin(_RUNS[tag], node.attributes.get("href"))
        pending.append((node, True))
        pending.extend((child, False) for child in reversed(list(node.iter(include_text=True))))
    return " ".join(clean(inline.take()).split())


def _list_of(node: LexborNode, tag: str) -> tuple[str, int, int]:
    if tag != "ol":
        return "", 0, 0
    reverse = "reversed" in node.attributes
    first = sum(1 for child in node.iter() if child.tag == "li") if reverse else 1
    style = node.attributes.get("type") or "1"
    return style if style in "1aAiI" else "1", _integer(node.attributes.get("start"), first), -1 if reverse else 1


def _integer(value: str | None, otherwise: int) -> int:
    text = (value or "").strip()
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 10 else otherwise


def _label(panel: LexborNode) -> str:
    """Return the title of a tab's panel: its own label, or the text of the tab that it names."""
    label = panel.attributes.get("aria-label")
    named = panel.attributes.get("aria-labelledby") or ""
    if label or not named or panel.parser is None or not named.replace("-", "").replace("_", "").isalnum():
        return label or ""
    tab = panel.parser.css_first(f"[id='{named}']")
    return " ".join(tab.text().split()) if tab is not None else ""
