"""The protocol of transcribers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from app.library.speech.transcript import Segment, Transcript


class Transcriber(Protocol):
    """What turns a recording into words with times."""

    @property
    def name(self) -> str:
        """Return the name of its model: what one model has written down is not continued by another."""
        ...

    def transcribe(
        self, path: Path, media_type: str, transcript: Transcript, *, should_stop: Callable[[], bool] | None = None
    ) -> Iterator[list[Segment]]:
        """Yield the segments of a recording as they are recognised, from `transcript.position_s` on.

        Each step adds its segments to the transcript and moves its position, also where nothing was said. Duration,
        language and warnings are set as they become known.

        Raises:
            ParseError: no_sound, broken_file, file_too_complex, parse_timeout, parse_memory, parse_crashed; cancelled.
            Upstream: speech_unavailable.
        """
        ...
