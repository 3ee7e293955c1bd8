"""The transcript of a recording as far as it is written down, and the blocks that it becomes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.library.parsers.blocks import Block, Parsed, blocks_from_json, blocks_to_json
from app.library.parsers.encoding import one_line
from app.library.parsers.limits import DEFAULT, Limits
from app.library.parsers.outline import Outline, Where

# A paragraph ends after this silence, and with the sentence after these seconds.
PAUSE_S = 2.0
PARAGRAPH_S = 30.0
# A sentence without an end, such as a list of names, is cut here.
LONGEST_S = 60.0
_ENDS = frozenset(".!?…。！？؟")
_CLOSING = "\"'”’»)）」』"


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it was said, with the space before it where its language has one."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of speech as the model gave it; `words` may be empty where a server tells no times of words."""

    text: str
    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()


@dataclass(slots=True)
class Transcript:
    """What is known of a recording so far. position_s: everything before is written down."""

    model: str
    position_s: float = 0.0
    duration_s: float | None = None
    language: str = ""
    warnings: list[str] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    def add(self, segments: Iterable[Segment], position_s: float) -> None:
        self.segments.extend(segments)
        self.position_s = max(self.position_s, position_s)

    @property
    def share(self) -> float:
        """Return how much of the recording is written down, from 0 to 1."""
        return min(1.0, self.position_s / self.duration_s) if self.duration_s else 0.0


def transcript_to_blocks(transcript: Transcript, media_type: str) -> bytes:
    """Return an unfinished transcript as the stored text of a version, with what is needed to go on."""
    text = orjson.loads(blocks_to_json(transcript_parsed(transcript, media_type)))
    reading = {
        "model": transcript.model,
        "position": transcript.position_s,
        "duration": transcript.duration_s,
        "language": transcript.language,
    }
    return orjson.dumps({**text, "reading": reading})


def transcript_from_blocks(data: bytes) -> Transcript | None:
    """Return the transcript in the stored text of a version; None where that is whole."""
    reading = orjson.loads(data).get("reading")
    if reading is None:
        return None
    segments = [_segment_of(block) for block in blocks_from_json(data).blocks]
    return Transcript(reading["model"], reading["position"], reading["duration"], reading["language"], [], segments)


def _segment_of(block: Block) -> Segment:
    """Return the words of a block; each ends where the next one begins."""
    start, end = block.time or (0.0, 0.0)
    offsets = [*(offset for offset, _ in block.words), len(block.text)]
    ends = [*(second for _, second in block.words[1:]), end]
    words = tuple(
        Word(_spaced(block.text, offsets[place], offsets[place + 1]), second, ends[place])
        for place, (_, second) in enumerate(block.words)
    )
    return Segment("", start, end, words)


def _spaced(text: str, start: int, end: int) -> str:
    """Return a word with a space before it, where its text has one."""
    word = text[start:end].strip()
    return f" {word}" if start == 0 or text[start - 1].isspace() else word


def segment_from_row(row: Sequence[Any]) -> Segment:
    """Return a segment of [text, start, end, [[word, start, end], …]] with times in hundredths of a second."""
    text, start, end, words = row
    return Segment(text, start / 100, end / 100, tuple(Word(word, at / 100, to / 100) for word, at, to in words))


def transcript_parsed(transcript: Transcript, media_type: str, limits: Limits = DEFAULT) -> Parsed:
    """Return the blocks of a recording: paragraphs of sentences with their seconds and those of their words."""
    outline = Outline(limits)
    for paragraph in _paragraphs(_sentences(_words(transcript.segments))):
        text, starts = "", []
        for word in paragraph:
            said = one_line(word.text)
            if not said:
                continue
            if text and word.text[:1].isspace():
                text += " "
            starts.append((len(text), round(word.start_s, 2)))
            text += said
        time = (round(paragraph[0].start_s, 2), round(max(word.end_s for word in paragraph), 2))
        outline.add("paragraph", text, Where(time=time, words=tuple(starts)))
    return Parsed(tuple(outline.blocks), media_type, warnings=tuple(transcript.warnings))


def _words(segments: Sequence[Segment]) -> Iterator[Word]:
    """Yield the words of all segments with times that never go back; a segment without words counts as one."""
    last = 0.0
    for segment in segments:
        for word in segment.words or (Word(f" {segment.text.strip()}", segment.start_s, segment.end_s),):
            start = max(last, word.start_s)
            yield Word(word.text, start, max(start, word.end_s))
            last = start


def _sentences(words: Iterable[Word]) -> Iterator[list[Word]]:
    sentence: list[Word] = []
    for word in words:
        if sentence and (word.start_s - sentence[-1].end_s > PAUSE_S or word.end_s - sentence[0].start_s > LONGEST_S):
            yield sentence
            sentence = []
        sentence.append(word)
        if word.text.rstrip().rstrip(_CLOSING)[-1:] in _ENDS:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _paragraphs(sentences: Iterable[list[Word]]) -> Iterator[list[Word]]:
    paragraph: list[Word] = []
    for sentence in sentences:
        if paragraph and (
            sentence[0].start_s - paragraph[-1].end_s > PAUSE_S
            or sentence[-1].end_s - paragraph[0].start_s > PARAGRAPH_S
        ):
            yield paragraph
            paragraph = []
        paragraph.extend(sentence)
    if paragraph:
        yield paragraph
