"""Inline text of Markdown, its front matter and footnotes; what only looks like a tag stays as it is written."""

import re
from bisect import bisect
from collections.abc import Sequence

from markdown_it.token import Token

from app.library.parsers.inline import Inline

_FENCED = re.compile(r"\A\ufeff?(---|\+\+\+)[^\S\n]*\n((?:.*\n)*?)\1[^\S\n]*(?:\n|\Z)")
_FIELD = re.compile(r"([\w .-]{1,60}?)[^\S\n]*[:=](?:[^\S\n]+(.*)|)\Z")
_FIELD_LINE = re.compile(
    r"(?:[\w .-]{1,60}[^\S\n]*[:=](?:[^\S\n].*)?|[^\S\n]*-(?:[^\S\n].*)?|[^\S\n]+\S.*|#.*|\[[\w.]+\])\Z"
)
_NOTE = re.compile(r"^\[\^([^\]\s]{1,60})\]:[^\S\n]*(.*(?:\n(?:[ \t]+\S.*|(?=\n[ \t]{2,}\S)))*)\n?", re.M)
_NOTE_MARK = re.compile(r"\[\^([^\]\s]{1,60})\]")
_CODE_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.M)
_TAG = re.compile(r"<\s*(/?)\s*([A-Za-z][\w:-]*)([^<>]*)>")
_VOID = frozenset({"br", "hr", "img", "input", "wbr", "area", "col", "source"})
# Names of elements of HTML; a word in angle brackets that is none of them is a placeholder that somebody wrote.
_ELEMENTS = _VOID | frozenset(
    [
        "a",
        "abbr",
        "address",
        "article",
        "aside",
        "b",
        "bdi",
        "bdo",
        "big",
        "blockquote",
        "body",
        "button",
        "canvas",
        "caption",
        "center",
        "cite",
        "code",
        "colgroup",
        "data",
        "dd",
        "del",
        "details",
        "dfn",
        "dialog",
        "div",
        "dl",
        "dt",
        "em",
        "embed",
        "fieldset",
        "figcaption",
        "figure",
        "font",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hgroup",
        "html",
        "i",
        "iframe",
        "ins",
        "kbd",
        "label",
        "legend",
        "li",
        "link",
        "main",
        "map",
        "mark",
        "menu",
        "meta",
        "meter",
        "nav",
        "noscript",
        "object",
        "ol",
        "optgroup",
        "option",
        "output",
        "p",
        "picture",
        "pre",
        "progress",
        "q",
        "ruby",
        "rp",
        "rt",
        "s",
        "samp",
        "script",
        "section",
        "select",
        "small",
        "span",
        "strike",
        "strong",
        "style",
        "sub",
        "summary",
        "sup",
        "svg",
        "table",
        "tbody",
        "td",
        "template",
        "textarea",
        "tfoot",
        "th",
        "thead",
        "time",
        "title",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
        "video",
        "audio",
        "math",
    ]
)
_RUNS = {"sup": "sup", "sub": "sub", "del": "del", "s": "del", "strike": "del", "a": "a"}
_TOKEN_RUNS = {"s_open": ("del", True), "s_close": ("del", False), "link_close": ("a", False)}
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.I)
_ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.I)


def front_matter(text: str) -> tuple[dict[str, str], str]:
    """Return the fields of the front matter and the text behind it. Text between two rules is no front matter."""
    match = _FENCED.match(text)
    lines = [line for line in match[2].split("\n") if line.strip()] if match else []
    if not match or not lines or not all(_FIELD_LINE.match(line) for line in lines) or not _FIELD.match(lines[0]):
        return {}, text
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        field = _FIELD.match(line) if not line[0].isspace() and not line.startswith(("-", "#")) else None
        if field:
            name = field[1].strip()
            fields[name] = (field[2] or "").strip().strip("[]\"' ")
        elif name and line.lstrip().startswith("-"):
            fields[name] = ", ".join(filter(None, (fields[name], line.lstrip(" -\t").strip("\"' "))))
    return {name: value for name, value in fields.items() if value}, text[match.end() :]


def footnotes(text: str) -> tuple[dict[str, str], str]:
    """Return the notes by their marks, and the text without them. Notes stand with the text that refers to them."""
    if "[^" not in text:
        return {}, text
    fences = [fence.start() for fence in _CODE_FENCE.finditer(text)]
    notes: dict[str, str] = {}

    def take(match: re.Match[str]) -> str:
        if bisect(fences, match.start()) % 2:
            return match[0]
        notes.setdefault(match[1], " ".join(match[2].split()))
        return "\n"

    rest = _NOTE.sub(take, text)
    referred = set(_NOTE_MARK.findall(rest))
    # A note that nothing refers to would be lost: then all stay where they are.
    return (notes, rest) if referred >= notes.keys() else ({}, text)


def without_unknown_tags(html: str) -> str:
    """Return HTML in which placeholders such as <tenant-id> are text."""
    return _TAG.sub(lambda tag: tag[0] if tag[2].lower() in _ELEMENTS else f"&lt;{tag[0][1:-1]}&gt;", html)


def inline_text(token: Token, notes: dict[str, str]) -> tuple[str, list[str]]:
    """Return the text of an inline token on one line, and the notes that it refers to."""
    children = token.children or []
    inline = Inline()
    referred: list[str] = []

    def without_marks(text: str) -> str:
        if not notes or "[^" not in text:
            return text
        referred.extend(notes[mark] for mark in _NOTE_MARK.findall(text) if mark in notes)
        return _NOTE_MARK.sub(lambda match: "" if match[1] in notes else match[0], text)

    for at, child in enumerate(children):
        if child.type == "text":
            inline.text(without_marks(child.content))
        elif child.type in ("code_inline", "image"):
            inline.text(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            inline.text(" ")
        elif child.type == "link_open":
            inline.begin("a", str(child.attrs.get("href", "")))
        elif child.type == "s_open":
            inline.begin("del")
        elif child.type in _TOKEN_RUNS:
            inline.end(_TOKEN_RUNS[child.type][0])
        elif child.type == "html_inline":
            _tag(inline, child.content, children[at + 1 :])
    return " ".join(inline.take().split()), list(dict.fromkeys(referred))


def _tag(inline: Inline, content: str, following: Sequence[Token]) -> None:
    tag = _TAG.fullmatch(content)
    name = tag[2].lower() if tag else ""
    if tag is None or name not in _ELEMENTS:
        inline.text("" if content.startswith("<!--") else content)
    elif tag[1]:
        inline.end(_RUNS.get(name, ""))
    elif name in _VOID:
        alt = _ALT.search(tag[3]) if name == "img" else None
        inline.text(f" {next(filter(None, alt.groups()), '')} " if alt else " ")
    elif not any(f"</{name}" in other.content.lower() for other in following if other.type == "html_inline"):
        # No end: a comparison such as "a<b and c>d", not a tag.
        inline.text(content)
    elif name in _RUNS:
        href = _HREF.search(tag[3])
        inline.begin(_RUNS[name], next(filter(None, href.groups()), "") if href else None)
