"""Recognition of speech in samples by faster-whisper; part of the confined program (`child.py`)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from app.library.speech.decoding import RATE, Samples
from app.library.speech.judgement import LEAST_LOGPROB, MOST_COMPRESSION, NO_SPEECH, is_speech

# faster_whisper loads it to download models, which never happens here: it and its HTTP clients are not installed.
sys.modules.setdefault("huggingface_hub", ModuleType("huggingface_hub"))
from faster_whisper import WhisperModel  # noqa: E402
from faster_whisper.vad import get_vad_model  # noqa: E402

# Sure enough of the language to keep it for the rest of the recording.
_SURE = 0.6
OPTIONS: dict[str, Any] = {
    "beam_size": 5,
    "vad_filter": True,
    "word_timestamps": True,
    # What was recognised wrongly would be repeated.
    "condition_on_previous_text": False,
    "temperature": (0.0, 0.2, 0.4),
    "no_speech_threshold": NO_SPEECH,
    "log_prob_threshold": LEAST_LOGPROB,
    "compression_ratio_threshold": MOST_COMPRESSION,
}

Row = list[Any]


class Recogniser:
    """A loaded model. language: of what comes; "" until it is known."""

    def __init__(self, files: dict[str, list[Path]], *, threads: int, language: str) -> None:
        contents = {name: b"".join(part.read_bytes() for part in parts) for name, parts in files.items()}
        self.model = WhisperModel("packaged", device="cpu", compute_type="int8", cpu_threads=threads, files=contents)
        contents.clear()
        # Loaded before the process is confined.
        get_vad_model()
        self.language = language if language in self.model.supported_languages else ""

    def rows(self, piece: Samples, begin_s: float) -> Iterator[tuple[float, Row | None]]:
        """Yield the second up to which a piece is recognised, each with a segment or None.

        A segment is [text, start, end, [[word, start, end], …]], with times in hundredths of a second.
        """
        segments, info = self.model.transcribe(piece, language=self.language or None, **OPTIONS)
        if not self.language and info.language_probability >= _SURE and info.duration_after_vad > 1:
            self.language = info.language
        last = ""
        for segment in segments:
            row = None
            # A model that is stuck says the same again and again.
            if _is_speech(segment) and segment.text != last:
                row = _row(segment, begin_s)
            last = segment.text
            yield begin_s + segment.end, row
        yield begin_s + len(piece) / RATE, None


def _is_speech(segment: Any) -> bool:
    return is_speech(
        logprob=segment.avg_logprob, no_speech=segment.no_speech_prob, compression=segment.compression_ratio
    )


def _row(segment: Any, begin_s: float) -> Row:
    def at(seconds: float) -> int:
        return round((begin_s + seconds) * 100)

    words = [[word.word, at(word.start), at(word.end)] for word in segment.words or ()]
    return ["" if words else segment.text, at(segment.start), at(segment.end), words]
