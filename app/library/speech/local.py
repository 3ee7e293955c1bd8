"""The transcriber of this machine: a packaged Whisper model in the confined program."""

from collections.abc import Callable, Iterator
from pathlib import Path

from app.library.speech.reading_process import messages
from app.library.speech.transcript import Segment, Transcript, segment_from_row
from app.llm.speech_models import SpeechModel, speech_model_files


class LocalTranscriber:
    """A packaged model. Raises ModelMissing on opening."""

    def __init__(self, model: SpeechModel) -> None:
        self.model = model
        self.files = speech_model_files(model)

    @property
    def name(self) -> str:
        return self.model.name

    def transcribe(
        self, path: Path, media_type: str, transcript: Transcript, *, should_stop: Callable[[], bool] | None = None
    ) -> Iterator[list[Segment]]:
        for message in messages(path, media_type, transcript, files=self.files, should_stop=should_stop):
            row = message.fields["segment"]
            segments = [segment_from_row(row)] if row else []
            transcript.add(segments, message.fields["at"])
            yield segments
