"""The body of a message: its headers, the form of its text that holds most, and its invitations and reports."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from selectolax.lexbor import LexborHTMLParser

from app.library.parsers.calendar_events import events_add
from app.library.parsers.encoding import clean, decode
from app.library.parsers.html import parse_fragment
from app.library.parsers.limits import Limits
from app.library.parsers.mail_headers import header_text
from app.library.parsers.outline import Outline
from app.library.parsers.text import text_add

_SHOWN = (("From", "from"), ("To", "to"), ("Cc", "cc"), ("Bcc", "bcc"), ("Reply-To", "reply-to"), ("Date", "date"))
_WORDS = re.compile(r"\w+")
# An HTML form is shown if it has about the words of the plain one: it also has tables and links.
_HTML_SHARE = 0.9
_QUOTE = re.compile(r"((?:>[ \t]?)+)(.*)")
# Shorter quoted paragraphs ("Thanks!") may be said twice.
_REPEATED_CHARS = 40
_REPORT = ("Final-Recipient", "Original-Recipient", "Action", "Status", "Diagnostic-Code")


@dataclass(slots=True)
class Body:
    """The parts of a message. texts: each as its alternative forms. events: invitations beside a text."""

    texts: list[list[Message]] = field(default_factory=list)
    events: list[Message] = field(default_factory=list)
    reports: list[Message] = field(default_factory=list)
    attachments: list[Message] = field(default_factory=list)
    encrypted: bool = False


def headers_add(message: Message, outline: Outline) -> str:
    """Add the subject as the heading and the other headers that people read; return the subject."""
    shown = {name: header_text(message, header) for name, header in _SHOWN}
    return subject_add(header_text(message, "subject"), shown, outline)


def subject_add(subject: str, shown: dict[str, str], outline: Outline) -> str:
    """Add the headers of a message of any format."""
    outline.heading(1, subject)
    outline.add("paragraph", "\n".join(f"{name}: {value}" for name, value in shown.items() if value))
    # Headings of the body stand one level below the subject.
    outline.deeper = 1
    return subject


def body_add(body: Body, outline: Outline) -> None:
    """Add the texts of a message, each in one of its forms."""
    for forms in body.texts:
        plain = "\n\n".join(part_text(form) for form in forms if _is_plain(form))
        html = "\n".join(part_text(form) for form in forms if form.get_content_type() == "text/html")
        best_add(plain, html, outline)
        for form in forms:
            if form.get_content_type() == "text/calendar":
                events_add(part_text(form), outline)
    # The same invitation is often there twice, as a form of the text and as a file.
    for event in dict.fromkeys(part_text(event) for event in body.events):
        events_add(event, outline)
    for report in body.reports:
        lines = (f"{name}: {header_text(report, name)}" for name in _REPORT if report.get(name))
        outline.add("paragraph", "\n".join(lines))


def _is_plain(form: Message) -> bool:
    return form.get_content_type() not in ("text/html", "text/calendar")


def best_add(plain: str, html: str, outline: Outline) -> None:
    """Add the plain or the HTML form of a text, whichever holds more."""
    if html and not (plain.strip() and _words(_html_text(html)) < _words(plain) * _HTML_SHARE):
        blocks = len(outline.blocks)
        parse_fragment(html, outline)
        if len(outline.blocks) > blocks or not plain.strip():
            return
    plain_add(plain, outline)


def _words(text: str) -> int:
    return len(_WORDS.findall(text))


def _html_text(html: str) -> str:
    tree = LexborHTMLParser(html)
    tree.strip_tags(["script", "style", "head", "title"])
    return tree.text(separator=" ")


def plain_add(text: str, outline: Outline) -> None:
    """Add a plain text; a quoted paragraph that was there before is not repeated."""
    own = Outline(Limits())
    said: set[str] = set()
    for depth, part in _by_quote_depth(text):
        own.blocks.clear()
        text_add(part, own)
        for block in own.blocks:
            key = " ".join(block.text.split())
            if depth and len(key) >= _REPEATED_CHARS and key in said:
                continue
            said.add(key)
            # Lines that look like headings in a letter are its greeting and its shouting.
            kind = "paragraph" if block.kind == "heading" else block.kind
            outline.add(kind, ">" * depth + " " + block.text if depth else block.text, level=block.level * bool(depth))


def _by_quote_depth(text: str) -> Iterator[tuple[int, str]]:
    """Yield runs of lines that are quoted equally often, without their marks."""
    lines: list[str] = []
    now = 0
    for line in text.split("\n"):
        match = _QUOTE.match(line)
        depth = match[1].count(">") if match else 0
        if depth != now and lines:
            yield now, "\n".join(lines)
            lines = []
        now = depth
        lines.append(match[2] if match else line)
    yield now, "\n".join(lines)


def part_text(part: Message) -> str:
    """Return the text of a part in the encoding that it states, if it fits, else in the one that it looks like."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        payload = str(part.get_payload()).encode("utf-8", "surrogateescape")
    charset = part.get_content_charset()
    text = clean(decode(payload, None if charset in (None, "us-ascii", "ascii") else charset))
    if part.get_content_type() in ("text/enriched", "text/richtext"):
        return re.sub(r"</?[A-Za-z][^<>]{0,60}>", "", text)
    if str(part.get_param("format") or "").lower() == "flowed":
        return _unflowed(text, str(part.get_param("delsp") or "").lower() == "yes")
    return text


def _unflowed(text: str, delete_space: bool) -> str:
    """Return a text of RFC 3676 with its soft line ends taken out."""
    lines: list[str] = []
    for line in text.split("\n"):
        soft = (
            bool(lines)
            and lines[-1].endswith(" ")
            and lines[-1] != "-- "
            and line.startswith(">") == lines[-1].startswith(">")
        )
        if soft and line.strip():
            before = lines[-1][:-1] if delete_space else lines[-1]
            lines[-1] = before + (line.lstrip("> ") if line.startswith(">") else line.removeprefix(" "))
        else:
            lines.append(line.removeprefix(" ") if not line.startswith(">") else line)
    return "\n".join(lines)
