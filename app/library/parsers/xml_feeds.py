"""Feeds of news (RSS 0.9 to 2.0, RDF, Atom): each entry under its title, with its date, author and address."""

from lxml import etree

from app.library.parsers.html import parse_fragment
from app.library.parsers.outline import Outline
from app.library.parsers.xml_names import all_text, child_text, children, local_name, namespace

_ATOM = "http://www.w3.org/2005/Atom"
_RDF = ("http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/")
_BODIES = (("encoded", "content"), ("description", "summary", "subtitle", "tagline", "info"))
_FACTS = (
    ("Date", ("pubDate", "published", "issued", "date", "created")),
    ("Updated", ("updated", "modified", "lastBuildDate")),
    ("Author", ("creator", "author", "managingEditor")),
)


def is_feed(root: etree._Element) -> bool:
    name = local_name(root)
    if name == "RDF":
        return any(namespace(child) in _RDF for child in root)
    return (name == "rss" and bool(children(root, "channel"))) or (
        name == "feed" and (namespace(root) == _ATOM or bool(children(root, "entry")))
    )


def feed_add(root: etree._Element, outline: Outline) -> str | None:
    """Add the entries of a feed; return its title."""
    channel = next(iter(children(root, "channel")), root)
    title = child_text(channel, "title")
    outline.heading(1, title)
    _facts(channel, outline)
    _body(channel, outline)
    # In RDF the entries stand beside the channel.
    for entry in [*children(channel, "item", "entry"), *(children(root, "item") if channel is not root else [])]:
        outline.deeper = 0
        outline.heading(2, child_text(entry, "title") or child_text(entry, "pubDate", "date", "updated") or "Entry")
        _facts(entry, outline)
        # Headings inside an entry are below its title.
        outline.deeper = 2
        _body(entry, outline)
    return title or None


def _facts(entry: etree._Element, outline: Outline) -> None:
    lines = [f"{label}: {text}" for label, names in _FACTS if (text := _person_or_text(entry, names))]
    topics = [all_text(topic) or topic.get("term", "") for topic in children(entry, "category", "subject")]
    if any(topics):
        lines.append("Topics: " + ", ".join(filter(None, topics)))
    lines += [f"Link: {link}" for link in dict.fromkeys(_links(entry))]
    outline.add("paragraph", "\n".join(lines))


def _person_or_text(entry: etree._Element, names: tuple[str, ...]) -> str:
    for name in names:
        for child in children(entry, name):
            inner = [text for part in ("name", "email") if (text := child_text(child, part))]
            if text := " ".join(inner) or all_text(child):
                return text
    return ""


def _links(entry: etree._Element) -> list[str]:
    links = []
    for link in children(entry, "link"):
        address = (link.get("href") or all_text(link)).strip()
        if address and link.get("rel", "alternate") in ("alternate", "enclosure", "related", "via"):
            links.append(address)
    return links + [address for each in children(entry, "enclosure") if (address := each.get("url", "").strip())]


def _body(entry: etree._Element, outline: Outline) -> None:
    """Add the whole text of an entry, or its summary where there is none."""
    for names in _BODIES:
        for child in children(entry, *names):
            if len(child) or child.get("type") == "xhtml":
                html = (child.text or "") + "".join(etree.tostring(part, encoding="unicode") for part in child)
            else:
                html = child.text or ""
                if child.get("type") == "text":
                    html = html.replace("&", "&amp;").replace("<", "&lt;")
            before = len(outline.blocks)
            parse_fragment(html, outline)
            if len(outline.blocks) > before:
                return
