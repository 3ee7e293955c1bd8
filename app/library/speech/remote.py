"""The transcriber by a server: sound is decoded in the confined program and sent in pieces."""

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from app.library.speech.judgement import is_speech
from app.library.speech.reading_process import messages
from app.library.speech.transcript import Segment, Transcript, Word
from app.llm.transcription import RATE, ServedSegment, TranscriptionClient

# Of 32,767: quieter pieces are silence, on which servers without a filter invent words.
_SILENCE = 100


class RemoteTranscriber:
    def __init__(self, client: TranscriptionClient) -> None:
        self.client = client

    @property
    def name(self) -> str:
        return self.client.model

    def transcribe(
        self, path: Path, media_type: str, transcript: Transcript, *, should_stop: Callable[[], bool] | None = None
    ) -> Iterator[list[Segment]]:
        for message in messages(path, media_type, transcript, files={}, should_stop=should_stop):
            begin_s, seconds = message.fields["at"], len(message.samples) / 2 / RATE
            segments: list[Segment] = []
            if not _is_silent(message.samples):
                served = self.client.transcribe(message.samples, language=transcript.language)
                transcript.language = transcript.language or served.language
                segments = [
                    _segment(one, begin_s)
                    for one in served.segments
                    if is_speech(logprob=one.logprob, no_speech=one.no_speech, compression=one.compression)
                ]
            transcript.add(segments, begin_s + seconds)
            yield segments


def _is_silent(samples: bytes) -> bool:
    numbers = array("h", samples)
    return not numbers or max(max(numbers), -min(numbers)) < _SILENCE


def _segment(one: ServedSegment, begin_s: float) -> Segment:
    words = tuple(Word(text, begin_s + start, begin_s + end) for text, start, end in one.words)
    return Segment("" if words else one.text, begin_s + one.start_s, begin_s + one.end_s, words)
