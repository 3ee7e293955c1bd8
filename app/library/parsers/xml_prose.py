"""Documents in XML (DocBook, JATS, DITA, TEI): their elements as those of a web page, which is read as one.

So that links, notes, lists and tables read the same from each format.
"""

import re
from collections.abc import Iterator
from html import escape

from lxml import etree

from app.library.parsers.html import parse_fragment
from app.library.parsers.outline import Outline
from app.library.parsers.xml_names import all_text, child_text, children, local_name, namespace

_DOCBOOK = "http://docbook.org/ns/docbook"
_TEI = "http://www.tei-c.org/ns/1.0"
_ROOTS = frozenset({"topic", "concept", "task", "reference", "dita"})
_PARTS = frozenset({"front", "body", "back", "title", "sect1", "section", "para", "chapter", "articleinfo", "info"})
_SECTIONS = (
    frozenset({"sec", "section", "chapter", "part", "appendix", "preface", "article", "book", "abstract", "ack", "app"})
    | {"sect1", "sect2", "sect3", "sect4", "sect5", "simplesect", "refentry", "refsect1", "refsect2", "ref-list"}
    | {
        "glossary",
        "bibliography",
        "topic",
        "concept",
        "task",
        "reference",
        "div",
        "app-group",
        "fn-group",
        "sub-article",
    }
    | {"body", "back", "front", "TEI", "text", "dita", "conbody", "taskbody", "refbody", "note", "tip", "warning"}
    | {
        "caution",
        "important",
        "boxed-text",
        "example",
        "sidebar",
        "procedure",
        "glossentry",
        "notes",
        "set",
        "qandaset",
    }
)
_TITLES = frozenset({"title", "head", "article-title", "subtitle", "shortdesc"})
_LISTS = {"itemizedlist": "ul", "orderedlist": "ol", "list": "ul", "simplelist": "ul", "ul": "ul", "ol": "ol",
          "steps": "ol", "procedure": "ol", "variablelist": "dl", "def-list": "dl", "segmentedlist": "ul"}  # fmt: skip
_TAGS = {
    **dict.fromkeys(("para", "simpara", "formalpara", "p", "ab", "lg", "disp-quote", "attrib", "speech"), "p"),
    **dict.fromkeys(("listitem", "list-item", "item", "member", "li", "step", "substep"), "li"),
    **dict.fromkeys(("ref", "biblioentry", "bibliomixed", "fn", "footnote", "caption", "bridgehead", "kwd-group"), "p"),
    **dict.fromkeys(("programlisting", "screen", "literallayout", "codeblock", "preformat", "synopsis"), "pre"),
    **dict.fromkeys(("varlistentry", "def-item"), "div"),
    **dict.fromkeys(("term",), "dt"),
    **dict.fromkeys(("def",), "dd"),
    **dict.fromkeys(("table", "informaltable"), "table"),
    **dict.fromkeys(("thead",), "thead"),
    **dict.fromkeys(("tr", "row"), "tr"),
    **dict.fromkeys(("td", "entry"), "td"),
    **dict.fromkeys(("th",), "th"),
    **dict.fromkeys(("sup", "superscript"), "sup"),
    **dict.fromkeys(("sub", "subscript"), "sub"),
}
_DROPPED = frozenset(
    {"journal-meta", "indexterm", "remark", "colspec", "spanspec", "object-id", "graphic", "inline-graphic"}
    | {"permissions", "related-article", "custom-meta-group", "teiHeader", "history", "counts"}
)
_ADDRESSES = ("{http://www.w3.org/1999/xlink}href", "url", "href", "target")
_LINKS = frozenset({"ulink", "ext-link", "link", "uri", "xref", "ref", "ptr"})
_DOCUMENT = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.S)
_DEPTH = 150


def is_prose(root: etree._Element) -> bool:
    """Return whether a file is a document of one of these kinds."""
    name = local_name(root)
    if namespace(root) in (_DOCBOOK, _TEI) or name in _ROOTS:
        return True
    # JATS and older DocBook have no namespace: their first elements tell them.
    within = {local_name(child) for child in root}
    return name in ("article", "book", "chapter", "section", "sect1", "refentry", "part", "preface") and bool(
        within & _PARTS
    )


def prose_add(root: etree._Element, outline: Outline) -> str | None:
    """Add a document; return its title."""
    title = _title(root)
    outline.heading(1, title)
    writer = _Writer(title)
    writer.section(root, 1)
    parse_fragment("".join(writer.parts), outline)
    return title or None


def _title(root: etree._Element) -> str:
    """Return the title of a document: its own, or the first in what describes it."""
    for path in ("article-meta", "articleinfo", "bookinfo", "info", "titleStmt"):
        for found in root.iter():
            if local_name(found) == path:
                group = next(iter(children(found, "title-group")), found)
                if text := child_text(group, "article-title", "title"):
                    return text
    return child_text(root, "title")


class _Writer:
    """Writes a document as HTML. title: of the document, which is there already."""

    def __init__(self, title: str) -> None:
        self.parts: list[str] = []
        self._title = title

    def section(self, element: etree._Element, level: int) -> None:
        """Write the parts of a section whose titles are headings of a level."""
        apart = len(element) > 0 and not any(map(_has_words, (element.text, *(child.tail for child in element))))
        for child in element:
            self._part(child, level)
            # Elements that only hold others are values beside each other, not one word.
            self._text(child.tail if not apart else " ")

    def _part(self, element: etree._Element, level: int) -> None:
        name = local_name(element)
        if not name or name in _DROPPED or level > _DEPTH:
            return
        if name in _TITLES and not _in_reference(element):
            text = all_text(element)
            if text and text != self._title:
                self._put(f"h{min(6, max(2, level))}", element, level, before=_label(element))
        elif name == "label" and any(local_name(each) in _TITLES for each in element.itersiblings()):
            return
        elif name == "tex-math":
            self._text(_formula(element))
        elif name in _SECTIONS and not (name == "note" and not len(element)):
            # Only a part with a title of its own is a level below.
            self.section(element, level + bool(child_text(element, *_TITLES, "info")))
        elif name in _LISTS:
            self._put(_LISTS[name], element, level)
        elif name == "contrib":
            self._person(element)
        elif name in _TAGS:
            self._put(_TAGS[name], element, level, _spans(element) if _TAGS[name] in ("td", "th") else "")
        elif name in _LINKS and any(element.get(key) for key in _ADDRESSES):
            self._link(element, level)
        else:
            self._text(element.text)
            self.section(element, level)
            if name in _BREAKS:
                self.parts.append("<br>")

    def _put(self, tag: str, element: etree._Element, level: int, attributes: str = "", before: str = "") -> None:
        self.parts.append(f"<{tag}{attributes}>")
        self._text(before)
        self._text(element.text)
        self.section(element, level)
        self.parts.append(f"</{tag}>")

    def _link(self, element: etree._Element, level: int) -> None:
        address = next(value for key in _ADDRESSES if (value := element.get(key)))
        self._put("a", element, level, f' href="{escape(address)}"')

    def _person(self, element: etree._Element) -> None:
        """Write an author as people read a name."""
        names = [
            " ".join(filter(None, (child_text(each, "given-names"), child_text(each, "surname"))))
            for each in element.iter()
            if local_name(each) == "name"
        ]
        self.parts.append(f"<p>{escape(', '.join(filter(None, names)) or all_text(element))}</p>")

    def _text(self, text: str | None) -> None:
        if text:
            self.parts.append(escape(text, quote=False))


# Elements whose text stands apart from what follows.
_BREAKS = frozenset({"aff", "pub-date", "article-id", "subject", "kwd", "author", "date", "holder", "copyright", "l"})


def _has_words(text: str | None) -> bool:
    return bool(text) and not str(text).isspace()


def _label(element: etree._Element) -> str:
    """Return the number of a section, which stands before its title."""
    label = next((each for each in element.itersiblings(preceding=True) if local_name(each) == "label"), None)
    return f"{all_text(label)} " if label is not None else ""


def _formula(element: etree._Element) -> str:
    """Return a formula of LaTeX without the document around it."""
    text = element.text or ""
    inside = _DOCUMENT.search(text)
    return inside[1] if inside else text


def _in_reference(element: etree._Element) -> bool:
    """Return whether a title is that of a work in a list of references, and so a part of its line."""
    within: Iterator[etree._Element] = element.iterancestors()
    return any(
        local_name(each) in ("ref", "mixed-citation", "element-citation", "biblioentry", "bibl") for each in within
    )


def _spans(element: etree._Element) -> str:
    """Return the spans of a cell, as HTML and as CALS write them."""
    across, down = element.get("colspan"), element.get("rowspan")
    first, last = element.get("namest", ""), element.get("nameend", "")
    if first and last and first.lstrip("abcdefghijklmnopqrstuvwxyz").isdigit():
        digits = [name.lstrip("abcdefghijklmnopqrstuvwxyz") for name in (first, last)]
        if all(digit.isdigit() for digit in digits):
            across = str(int(digits[1]) - int(digits[0]) + 1)
    more = element.get("morerows", "")
    if more.isdigit():
        down = str(int(more) + 1)
    return "".join(f' {name}="{escape(value)}"' for name, value in (("colspan", across), ("rowspan", down)) if value)
