"""Citations in an answer while it streams: markers such as `[1]` become resolved citations.

The resolver takes the text of an answer in pieces of any size and returns clean text and, after each marker, a
`Citation`. The result does not depend on where the pieces were split. Rules:

- `[1]`, `[1][2]`, `[1, 2]`, `[1-3]`, `【1】`, `［1］`, `[^1]` and `[passage 1]` are markers; each is rewritten in the
  text as `[1]`, one pair of brackets a number.
- A number that names no passage is removed, with the space before it where that would be left over.
- Passages are numbered anew in reading order: the first that is cited becomes `[1]`, whatever the model called it.
- Code (inline, fenced), links `[1](address)`, and brackets that hold anything else stay as they are.
- Only what may still become a marker is held back: never more than `_LONGEST` characters and the spaces before it.

A citation's span runs from the first character of the sentence that carries the marker to the end of the marker,
in characters (code points) of the clean text.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

from app.lib.sentences import sentences

_OPEN = "[【［"
_CLOSE = "]】］"
_LONGEST = 40  # characters of the longest marker, brackets included
_RANGE_LIMIT = 20  # largest number of passages in one `[1-3]`

_STOP = re.compile(r"[\[【［`~]")
_INSIDE = re.compile(r"[0-9\s,;，、–—\-^:.#A-Za-z]*")
_NUMBER = r"[1-9][0-9]{0,2}"
_MARKER = re.compile(
    rf"\s*(?:(?:passages?|sources?|documents?|docs?|refs?)[\s:.#]*)?\^?"
    rf"({_NUMBER}(?:\s*[,;，、–—-]\s*\^?{_NUMBER})*)\s*",
    re.IGNORECASE,
)
_PART = re.compile(rf"({_NUMBER})(?:\s*[–—-]\s*({_NUMBER}))?")
# After a removed marker these characters need no space before them.
_CLOSING = frozenset(".,;:!?)]}»”’。，、；：！？）")
_BEFORE_MARKER = re.compile(r"(?:\s*\[[0-9]{1,3}\])+\s*\Z")
_ANY_MARKER = re.compile(r"\[[0-9]{1,3}\]")
# Text at the beginning of a line or after a full stop that is no part of the sentence: markers, bullets, list numbers.
SENTENCE_OPENING = re.compile(r"(?:\s*\[[0-9]{1,3}\])*\s*(?:[-*+•>]\s+|[0-9]{1,3}[.)]\s+|#{1,6}\s+)*")
_LOOK_BACK = 2000  # characters in which the start of a sentence is searched


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage cited by the characters `start` to `end` of the answer.

    n: its number in the answer, by reading order; rank: its number by how well it was found, as the prompt has it.
    """

    n: int
    rank: int
    start: int
    end: int


Piece = str | Citation


class ReadingOrder:
    """Numbers of an answer's passages: 1 is the one that is cited first."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def number(self, rank: int) -> int:
        """Return the number of a passage in the answer; the next one when it is cited for the first time."""
        return self._numbers.setdefault(rank, len(self._numbers) + 1)


class _State(Enum):
    PROSE = auto()
    TICKS = auto()  # in a run of ` or ~ whose length is not known yet
    CODE = auto()
    FENCE = auto()


class CitationResolver:
    """Resolver of pieces of an answer into clean text and citations.

    Args:
        known: the passage numbers in the prompt.
    """

    def __init__(self, known: Collection[int]) -> None:
        self.text = ""  # all clean text returned so far
        self.citations: list[Citation] = []
        self._known = frozenset(known)
        self._order = ReadingOrder()
        self._held = ""
        self._spaces = ""  # spaces not returned yet: dropped if removing a marker would leave them over
        self._removed = False
        self._state = _State.PROSE
        self._run = ""  # the run of ` or ~ that opened, or may open, code
        self._run_starts_line = False
        self._line = ""  # in fenced code: the line so far, to find the closing fence
        self._closing_run = 0  # in inline code: length of the current run of `
        self._out: list[Piece] = []

    def feed(self, delta: str) -> list[Piece]:
        """Return the text and citations that are certain now, in order."""
        return self._take(self._held + delta, last=False)

    def finish(self) -> list[Piece]:
        """Return the text that was kept back, as a marker or as plain text."""
        return self._take(self._held, last=True)

    def _take(self, buffer: str, *, last: bool) -> list[Piece]:
        self._held = ""
        self._out = []
        at = 0
        while at < len(buffer):
            if self._state is _State.PROSE:
                at = self._prose(buffer, at, last=last)
            elif self._state is _State.TICKS:
                at = self._ticks(buffer, at)
            elif self._state is _State.CODE:
                at = self._code(buffer, at)
            else:
                at = self._fence(buffer, at)
        if last:
            if self._removed:
                self._spaces = ""
            self._emit("")
        return self._out

    def _emit(self, text: str) -> None:
        """Append pending spaces and text to the output."""
        text = self._spaces + text
        self._spaces = ""
        self._removed = False
        if not text:
            return
        self.text += text
        if self._out and isinstance(self._out[-1], str):
            self._out[-1] += text
        else:
            self._out.append(text)

    def _plain(self, text: str) -> None:
        """Read prose; its last spaces wait for the next character."""
        if not text:
            return
        if self._removed and (text[0] in _CLOSING or text[0].isspace()):
            self._spaces = ""
        kept = text.rstrip(" \t")
        if kept:
            self._emit(kept)
        self._spaces += text[len(kept) :]

    def _prose(self, buffer: str, at: int, *, last: bool) -> int:
        match = _STOP.search(buffer, at)
        if match is None:
            self._plain(buffer[at:])
            return len(buffer)
        stop = match.start()
        self._plain(buffer[at:stop])
        if buffer[stop] in "`~":
            self._run_starts_line = self._at_line_start()
            self._emit("")
            self._run = ""
            self._state = _State.TICKS
            return stop
        return self._bracket(buffer, stop, last=last)

    def _at_line_start(self) -> bool:
        line = self.text[self.text.rfind("\n") + 1 :]
        return len(line) < 4 and not line.strip()

    def _ticks(self, buffer: str, at: int) -> int:
        """Read a run of ` or ~ and return it at once: code keeps its brackets whatever the run opens."""
        char = self._run[:1] or buffer[at]
        end = at
        while end < len(buffer) and buffer[end] == char:
            end += 1
        self._run += buffer[at:end]
        self._emit(buffer[at:end])
        if end == len(buffer):
            return end
        if len(self._run) >= 3 and self._run_starts_line:
            self._state, self._line = _State.FENCE, "opening"
        elif char == "`":
            self._state, self._closing_run = _State.CODE, 0
        else:
            self._state = _State.PROSE
        return end

    def _code(self, buffer: str, at: int) -> int:
        """Read inline code, up to a run of as many backticks, or the end of the line."""
        for position in range(at, len(buffer)):
            char = buffer[position]
            if char == "`":
                self._closing_run += 1
                continue
            if self._closing_run == len(self._run) or char == "\n":
                self._emit(buffer[at:position])
                self._state = _State.PROSE
                return position
            self._closing_run = 0
        self._emit(buffer[at:])
        return len(buffer)

    def _fence(self, buffer: str, at: int) -> int:
        """Read fenced code, up to a line with only a fence as long as the opening one."""
        newline = buffer.find("\n", at)
        end = len(buffer) if newline < 0 else newline + 1
        self._emit(buffer[at:end])
        # A closing fence is short: text beyond 100 characters cannot change the decision.
        self._line = (self._line + buffer[at:end])[:100] if newline < 0 else self._line + buffer[at:newline]
        if newline >= 0:
            line = self._line.strip()
            if len(line) >= len(self._run) and not line.strip(self._run[0]):
                self._state = _State.PROSE
            self._line = ""
        return end

    def _bracket(self, buffer: str, at: int, *, last: bool) -> int:
        """Read an opening bracket: a marker, other text, or undecided until more text arrives."""
        inside = _INSIDE.match(buffer, at + 1)
        end = inside.end() if inside else at + 1
        if end - at >= _LONGEST:
            return self._literal(buffer, at)
        if end == len(buffer):
            return self._literal(buffer, at) if last else self._hold(buffer, at)
        marker = _MARKER.fullmatch(buffer, at + 1, end) if buffer[end] in _CLOSE else None
        if marker is None or self._in_address():
            return self._literal(buffer, at)
        if end + 1 == len(buffer) and not last:
            return self._hold(buffer, at)  # a following `(` would make it a link
        if buffer[end + 1 : end + 2] == "(":
            return self._literal(buffer, at)
        self._mark(_numbers(marker[1]))
        return end + 1

    def _hold(self, buffer: str, at: int) -> int:
        self._held = buffer[at:]
        return len(buffer)

    def _literal(self, buffer: str, at: int) -> int:
        self._emit(buffer[at])
        return at + 1

    def _in_address(self) -> bool:
        """Return whether the bracket is in an address's query, such as https://example.com/?a[1]=2."""
        if self._spaces:
            return False
        word = self.text[-_LOOK_BACK:].rsplit(None, 1)[-1:]
        return bool(word) and not self.text[-1:].isspace() and "://" in word[0] and "?" in word[0]

    def _mark(self, numbers: list[int]) -> None:
        known = [n for n in dict.fromkeys(numbers) if n in self._known]
        if not known:
            self._removed = True
            return
        self._emit("")
        start = sentence_start(self.text)
        for rank in known:
            n = self._order.number(rank)
            self._emit(f"[{n}]")
            citation = Citation(n, rank, start, len(self.text))
            self.citations.append(citation)
            self._out.append(citation)


def _numbers(listed: str) -> list[int]:
    """Return the numbers of `1, 3-5`; a reversed or too long range counts as its two ends."""
    numbers: list[int] = []
    for part in _PART.finditer(listed):
        first, final = int(part[1]), int(part[2] or part[1])
        if first <= final < first + _RANGE_LIMIT:
            numbers.extend(range(first, final + 1))
        else:
            numbers.extend((first, final))
    return numbers


def has_words(text: str) -> bool:
    """Return whether the text has anything but markers and punctuation."""
    return any(map(str.isalnum, _ANY_MARKER.sub("", text)))


def sentence_start(text: str) -> int:
    """Return the start of the sentence to which a marker at the end of `text` belongs.

    A marker after the full stop belongs to the sentence before it. Bullets and list numbers are not part of a sentence.
    """
    floor = max(0, len(text) - _LOOK_BACK)
    end = len(text.rstrip())
    markers = _BEFORE_MARKER.search(text, floor, end)
    if markers:
        end = markers.start()
    if "\n" in text[end:]:
        return len(text)  # the marker begins its own line
    floor = max(floor, text.rfind("\n", 0, end) + 1)
    spans = sentences(text[floor:end])
    start = floor + spans[-1][0] if spans else floor
    opening = SENTENCE_OPENING.match(text, start, end)
    return opening.end() if opening else start
