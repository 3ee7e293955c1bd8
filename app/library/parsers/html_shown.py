"""What a reader sees of an HTML page: elements that are shown, unfolded or left out, and words for pictures."""

import re

from selectolax.lexbor import LexborNode

_DROPPED = frozenset(
    {"script", "style", "noscript", "template", "head", "iframe", "object", "embed", "canvas", "audio"}
    | {"video", "nav", "footer", "select", "textarea", "dialog", "map", "datalist"}
)
# Kept where a page has nothing else.
SHOWN_AT_LEAST = frozenset({"nav", "footer", "aside", "button", "dialog", "map"})
_DROPPED_ROLES = frozenset(
    ["navigation", "banner", "contentinfo", "search", "menu", "menubar", "dialog", "alertdialog", "tablist"]
)
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
# A page's own text may be about cookies; a banner is named as one.
_CHROME = re.compile(
    r"\b(?:cookie|consent)[\w-]*(?:banner|bar|notice|popup|modal|overlay|dialog)"
    r"|\b(?:banner|bar|popup|modal)-?cookies?\b"
    r"|\b(?:breadcrumb|skip-?link|sr-only|visually-hidden|screen-reader-text)",
    re.I,
)
# A click unfolds these, so they belong to the page while they are hidden too.
_FOLDED = re.compile(r"\b(?:tab-?pane|tab-?panel|tabs?__panel|accordion|collaps|fold|panel|answer|details)", re.I)
_FOLDED_ROLES = frozenset({"tabpanel", "region"})
# An element beside the text is left out when more than this share of it is links.
_LINK_SHARE = 0.5
_TICK, _BOX = "\u2611", "\u2610"


def is_dropped(node: LexborNode, tag: str, shown: frozenset[str] = frozenset()) -> bool:
    """Return whether a node and all in it is left out. shown: tags that are kept for want of better content."""
    if tag in shown:
        return False
    if tag in _DROPPED:
        return True
    if tag == "aside":
        return _is_mostly_links(node)
    if tag == "button":
        return not _unfolds(node)
    if tag == "del" or tag == "s" or tag == "strike":
        return True
    attributes = node.attributes
    if not attributes:
        return False
    if attributes.get("aria-hidden") == "true":
        return True
    style = attributes.get("style")
    if ("hidden" in attributes or (style and _HIDING.search(style))) and not _is_folded(node):
        return True
    if shown:
        return False
    if (attributes.get("role") or "").lower() in _DROPPED_ROLES:
        return True
    return _is_chrome(attributes.get("class")) or _is_chrome(attributes.get("id"))


def _is_chrome(name: str | None) -> bool:
    return bool(name and _CHROME.search(name))


def _is_folded(node: LexborNode) -> bool:
    attributes = node.attributes
    if (attributes.get("role") or "").lower() in _FOLDED_ROLES or "aria-labelledby" in attributes:
        return True
    # Notes of a book, which its reader shows when their mark is touched.
    if "note" in (attributes.get("epub:type") or ""):
        return True
    return any(_FOLDED.search(attributes.get(name) or "") for name in ("class", "id"))


def _is_mostly_links(node: LexborNode) -> bool:
    if node.css_first("aside aside") is not None:
        return False
    whole = len(node.text(strip=True))
    links = sum(len(link.text(strip=True)) for link in node.css("a"))
    return whole == 0 or links > _LINK_SHARE * whole


def _unfolds(button: LexborNode) -> bool:
    """Return whether a button is the title of what it unfolds."""
    attributes = button.attributes
    if "aria-expanded" in attributes or "data-bs-toggle" in attributes:
        return attributes.get("aria-haspopup") in (None, "false")
    parent = button.parent
    return parent is not None and parent.tag in ("h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt", "caption")


def words_for(node: LexborNode, tag: str) -> str | None:
    """Return the words that stand for a picture, formula or tick box; None for other elements."""
    attributes = node.attributes
    if tag == "img":
        return f" {attributes.get('alt') or ''} "
    if tag == "svg":
        title = node.css_first("title")
        return f" {attributes.get('aria-label') or (title.text() if title is not None else '')} "
    if tag == "math":
        return attributes.get("alttext") or " ".join(node.text(separator=" ").split())
    if tag == "input":
        if (attributes.get("type") or "").lower() not in ("checkbox", "radio"):
            return ""
        return f"{_TICK if 'checked' in attributes else _BOX} "
    if tag in ("i", "span") and node.child is None:
        return f" {attributes.get('aria-label') or attributes.get('title') or ''} "
    return None
