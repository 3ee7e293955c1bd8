"""The reading of recordings: minutes of speech to text, in the slow lane, saved as it goes.

What is written down so far is stored as the version's text, where people can read it already; a worker that takes over
goes on from there.
"""

import time
import zlib

from app.errors import IngestFailed
from app.library.choices import Step
from app.library.models import VersionText
from app.library.parsers.blocks import blocks_to_json
from app.library.pipeline.context import IngestContext
from app.library.pipeline.sandbox import ParsedChunks, blocks_chunk
from app.library.services.jobs import INGEST_SLOW
from app.library.speech.protocol import Transcriber
from app.library.speech.transcribers import transcriber_choose
from app.library.speech.transcript import Transcript, transcript_from_blocks, transcript_parsed, transcript_to_blocks

SAVE_S = 10.0


def recording_read(context: IngestContext, media_type: str) -> ParsedChunks | None:
    """Write down a recording and return its passages; None: the job has moved to the slow lane, which will do it.

    Raises:
        IngestFailed: speech_not_installed, no_speech.
        ParseError: what transcribers raise.
        Upstream: speech_unavailable.
    """
    transcriber = transcriber_choose()
    if context.job.lease.kind.kind != INGEST_SLOW:
        context.job.move(INGEST_SLOW)
        return None
    transcript = _stored(context, transcriber)
    _write_down(context, transcriber, transcript, media_type)
    parsed = transcript_parsed(transcript, media_type)
    if not parsed.blocks:
        raise IngestFailed("no_speech")
    return blocks_chunk(
        blocks_to_json(parsed),
        target_tokens=context.row.organisation.chunk_tokens,
        overlap_tokens=context.row.organisation.chunk_overlap,
        max_tokens=context.max_tokens,
        counter=context.space.model,
        should_stop=context.job.stop.is_set,
    )


def _stored(context: IngestContext, transcriber: Transcriber) -> Transcript:
    """Return what an earlier worker has written down with the same model, else an empty transcript."""
    row = VersionText.objects.filter(version=context.version).first()
    stored = transcript_from_blocks(zlib.decompress(row.blocks)) if row else None
    return stored if stored and stored.model == transcriber.name else Transcript(transcriber.name)


def _write_down(context: IngestContext, transcriber: Transcriber, transcript: Transcript, media_type: str) -> None:
    assert context.path is not None
    saved = time.monotonic()
    steps = transcriber.transcribe(context.path, media_type, transcript, should_stop=context.job.stop.is_set)
    for _ in steps:
        context.check()
        context.job.progress(Step.PARSE, transcript.share)
        if time.monotonic() - saved > SAVE_S:
            _save(context, transcript, media_type)
            saved = time.monotonic()


def _save(context: IngestContext, transcript: Transcript, media_type: str) -> None:
    blocks = zlib.compress(transcript_to_blocks(transcript, media_type), 6)
    with context.job.keep():
        VersionText.objects.update_or_create(
            version_id=context.version, defaults={"organisation_id": context.organisation, "blocks": blocks}
        )
