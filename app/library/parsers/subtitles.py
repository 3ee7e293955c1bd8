"""Parser of subtitles (SRT and WebVTT): cues joined into sentences, each with its seconds."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import clean, decode, one_line
from app.library.parsers.limits import Limits
from app.library.parsers.media import SRT, VTT
from app.library.parsers.outline import Outline, Where

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_CUE = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}")
_VOICE = re.compile(r"<v(?:\.[^\s>]+)?\s+([^>]+)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>|<\d[\d:.]{4,12}>|</?>|\{\\[^{}]{0,200}\}|\{/?[ibuyYfscCP]:?[^{}]{0,40}\}")
_SENTENCE_END = re.compile(r"[.!?…。！？]['\"”’)\]»]*\Z")
# Subtitles of two people in one cue: each line begins with a dash.
_DIALOGUE = re.compile(r"[-–—]\s*\S")
# A pause that ends a sentence, and the longest piece that is kept as one place.
_PAUSE_S = 2.0
_AT_ONCE_S = 0.05
_LONGEST_S = 30.0
_LONGEST_CHARS = 400


@dataclass(slots=True)
class Line:
    """Words of one speaker, with their first and last second."""

    start: float
    end: float
    speaker: str
    text: str


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file. Errors: no_text, file_too_complex."""
    text = clean(decode(path.read_bytes()))
    outline = Outline(limits)
    for line in _joined(_without_repeats(_lines(text))):
        # Each sentence names its speaker: it may be the first of a passage.
        spoken = f"{line.speaker}: {line.text}" if line.speaker else line.text
        outline.add("paragraph", spoken, Where(time=(line.start, line.end)))
    if not outline.blocks:
        raise ParseError("no_text", "subtitles without words")
    return Parsed(tuple(outline.blocks), VTT if text.lstrip().startswith("WEBVTT") else SRT)


def _lines(text: str) -> Iterator[Line]:
    """Yield the lines of all cues; what several voices say in one cue apart."""
    shown = text.split("\n")
    at = 0
    while at < len(shown):
        cue = _CUE.match(shown[at])
        at += 1
        if cue is None:
            continue
        start, end = _seconds(cue.groups()[:4]), _seconds(cue.groups()[4:])
        first = at
        while at < len(shown) and shown[at].strip() and not _CUE.match(shown[at]):
            at += 1
        words = shown[first:at]
        # Some programs leave out the blank line: the number of the next cue stands before its time.
        if at < len(shown) and _CUE.match(shown[at]) and words and words[-1].strip().isdigit():
            words = words[:-1]
        for speaker, said in _voices(words):
            if said:
                yield Line(start, max(start, end), speaker, said)


def _seconds(groups: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = groups
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{thousandths}")


def _voices(words: list[str]) -> Iterator[tuple[str, str]]:
    text = "\n".join(words)
    at, speaker = 0, ""
    for voice in _VOICE.finditer(text):
        yield speaker, _plain(text[at : voice.start()])
        at, speaker = voice.end(), one_line(html.unescape(voice[1]))
    rest = text[at:].split("\n")
    if not speaker and len(rest) > 1 and all(_DIALOGUE.match(_plain(line)) for line in rest if line.strip()):
        for line in rest:
            yield "", _plain(line)
        return
    yield speaker, _plain("\n".join(rest))


def _plain(text: str) -> str:
    return one_line(html.unescape(_TAG.sub("", text)))


def _without_repeats(lines: Iterator[Line]) -> Iterator[Line]:
    """Yield lines without the words that rolling captions show again from the cue before."""
    before, end = "", 0.0
    for line in lines:
        text, repeated = line.text, 0
        # Only a cue that follows at once shows words again; later somebody says them again.
        if line.start - end <= _AT_ONCE_S:
            repeated = _overlap(before.split(), text.split())
        before, end = text, line.end
        line.text = " ".join(text.split()[repeated:]) if repeated else text
        if line.text:
            yield line


def _overlap(old: list[str], new: list[str]) -> int:
    """Return how many words at the end of one cue begin the next one, if they are at least three."""
    counts = range(min(len(old), len(new), 40), 2, -1)
    return next((count for count in counts if old[-count:] == new[:count]), 0)


def _joined(lines: Iterator[Line]) -> Iterator[Line]:
    """Yield sentences: lines of one speaker until a sentence ends, or a pause, or it becomes long."""
    now: Line | None = None
    for line in lines:
        if now is not None and not _continues(now, line):
            yield now
            now = None
        if now is None:
            now = line
        else:
            now.text, now.end = f"{now.text} {line.text}", max(now.end, line.end)
    if now is not None:
        yield now


def _continues(now: Line, line: Line) -> bool:
    return (
        now.speaker == line.speaker
        and not _SENTENCE_END.search(now.text)
        and not _DIALOGUE.match(line.text)
        and line.start - now.end <= _PAUSE_S
        and line.end - now.start <= _LONGEST_S
        and len(now.text) + len(line.text) <= _LONGEST_CHARS
    )
