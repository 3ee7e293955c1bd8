"""Inline text of markup languages: superscripts, subscripts, links and struck-out words as plain text."""

import re

# What a power stands on: ten, a bracket, one letter alone, or a unit of length, area or time.
_BASE = re.compile(r"(?:(?<![\d.,])10|[)\]]|(?<![^\W\d_])(?:[^\W\d_]|[kcdmµn]m|ft|in|yd))\Z")
_EXPONENT = re.compile(r"[-+\u2212\u2013]?\d{1,3}\Z|[a-z]\Z")
_NOTE = re.compile(r"[(\[]?(?:\d{1,3}|[*\u2020\u2021\u00a7\u00b6#]{1,3}|[a-z])[)\]]?(?:\s*[,;]\s*(?:\d{1,3}|[a-z]))*\Z")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|e|er|re|ère|ème|o|a|º|ª)\Z", re.I)
_WEB = re.compile(r"(?:https?://|mailto:|tel:)\S+\Z", re.I)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# Words that a program wrote for a picture, not a person.
_MADE = re.compile(
    r"(?:picture|image|graphic|grafik|bild|imagen|logo|icon|screenshot|photo)?[\s_-]*\d*\Z"
    r"|\S+\.(?:png|jpe?g|gif|bmp|tiff?|svg|emf|wmf|webp)\Z|https?://\S+\Z",
    re.I,
)
_MADE_BY = re.compile(
    r"(?:description automatically generated|automatisch generierte beschreibung|ai-generated content may be).*\Z",
    re.I | re.S,
)
# Longer addresses are made by programs, for programs.
_ADDRESS_CHARS = 500


def superscript(before: str, raised: str) -> str:
    """Return raised text as it is read: a power as `10^6`, an ordinal's letters as they are.

    The mark of a note is left out, because glued to a number it would be another number; at the beginning of a text it
    stays, since it names the note there. before: the text in front of it.
    """
    raised = raised.strip()
    if not raised:
        return ""
    if _EXPONENT.match(raised) and _BASE.search(before):
        return "^" + raised.replace("\u2212", "-").replace("\u2013", "-")
    if before[-1:].isdecimal() and _ORDINAL.match(raised):
        return raised
    if not _NOTE.match(raised):
        return raised
    return "" if before.strip() else f"{raised} "


def linked(text: str, address: str | None) -> str:
    """Return the text of a link with its address behind it, unless the text shows the address."""
    address = (address or "").strip()
    if not _WEB.match(address) or len(address) > _ADDRESS_CHARS or not text.strip():
        return text
    bare = re.sub(r"^(?:https?://(?:www\.)?|mailto:|tel:)", "", address, flags=re.I).rstrip("/")
    if bare.lower() in text.lower():
        return text
    shown = address.removeprefix("mailto:").removeprefix("tel:")
    return f"{text.rstrip()} ({shown})" + " " * text.endswith(" ")


def comment_line(text: str, author: str, time: str) -> str:
    """Return a comment beside a document's text, marked as one, with its author and day where they are known."""
    day = time[:10] if _DAY.match(time) else ""
    by = " ".join(filter(None, (f"by {author}" if author else "", f"on {day}" if day else "")))
    return f"Comment {by}: {text}" if by else f"Comment: {text}"


def described(words: str) -> str:
    """Return the words that a person gave to a picture, or "" for a file's name or what a program made."""
    words = " ".join(_MADE_BY.sub("", words).split())
    return "" if _MADE.match(words) else words


class Inline:
    """Text that is being put together from runs, some of them raised, lowered, linked or struck out."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._open: list[tuple[str, int, str | None]] = []

    def __bool__(self) -> bool:
        return bool(self._parts)

    def text(self, text: str) -> None:
        if text:
            self._parts.append(text)

    def begin(self, kind: str, address: str | None = None) -> None:
        """Begin a run. kind: `sup`, `sub`, `del` or `a` (with its address)."""
        self._open.append((kind, len(self._parts), address))

    def end(self, kind: str) -> None:
        """End the run that was begun last, if it is of this kind: markup may be nested wrongly."""
        if not self._open or self._open[-1][0] != kind:
            return
        _, start, address = self._open.pop()
        run = "".join(self._parts[start:])
        before = "".join(self._parts[max(0, start - 8) : start])[-24:]
        del self._parts[start:]
        if kind == "sup":
            self.text(superscript(before, run))
        elif kind == "a":
            self.text(linked(run, address))
        elif kind != "del":
            self.text(run.strip() if kind == "sub" else run)

    def take(self) -> str:
        """Return the text so far and begin anew; runs that are open go on."""
        text = "".join(self._parts)
        self._parts.clear()
        self._open = [(kind, 0, address) for kind, _, address in self._open]
        return text
