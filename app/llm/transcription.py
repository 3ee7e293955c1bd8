"""Speech to text by a server: OpenAI's `/v1/audio/transcriptions`, which many servers of Whisper models speak too.

Sound is sent as WAV (16 kHz, one channel), so that no server has to read a foreign file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import orjson
import urllib3
from django.conf import settings

from app.errors import Upstream
from app.llm.endpoint import Endpoint
from app.llm.exchange import Exchange, ExchangeFailed, RequestPolicy, WireRequest, content_of, exchange_run

RATE = 16_000
# OpenAI's own default of servers that name none.
DEFAULT_MODEL = "whisper-1"
# Two minutes of sound may take as long on a slow processor.
ATTEMPTS, TIMEOUT_S = 5, 600.0
_VERBOSE = "verbose_json"
_DETAILS = ("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")


@dataclass(frozen=True, slots=True)
class ServedSegment:
    """A segment in a server's response. words: (word, start, end) in seconds; None where it tells no such number."""

    text: str
    start_s: float
    end_s: float
    words: tuple[tuple[str, float, float], ...] = ()
    logprob: float | None = None
    no_speech: float | None = None
    compression: float | None = None


@dataclass(frozen=True, slots=True)
class ServedTranscription:
    segments: list[ServedSegment]
    language: str


class TranscriptionClient:
    """A speech-to-text server, asked from a worker's thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.model = endpoint.model or DEFAULT_MODEL
        self.pool = urllib3.PoolManager(maxsize=2, retries=False)

    def transcribe(self, samples: bytes, *, language: str = "") -> ServedTranscription:
        """Return what is said in samples of 16 bits. language: ISO 639-1, "" when it is not known.

        Raises:
            Upstream: speech_unavailable.
        """
        boundary = token_hex(16)
        policy = RequestPolicy(
            ATTEMPTS, TIMEOUT_S, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
        )
        exchange = _exchange(self.endpoint, self.model, samples, language, boundary)
        try:
            return exchange_run(exchange, endpoint=self.endpoint, policy=policy, pool=self.pool)
        except ExchangeFailed as failure:
            raise Upstream("speech_unavailable", details=failure.details) from failure


def transcription_endpoint() -> Endpoint | None:
    """Return the deployment's speech-to-text server; None: the packaged model writes down."""
    if not settings.SPEECH_URL:
        return None
    return Endpoint(settings.SPEECH_URL, settings.SPEECH_MODEL, settings.SPEECH_API_KEY)


def _exchange(
    endpoint: Endpoint, model: str, samples: bytes, language: str, boundary: str
) -> Exchange[ServedTranscription]:
    """Ask for segments with times; a server that has none of them (gpt-4o-transcribe) gives the text alone."""
    url, learnt = f"{endpoint.url}/audio/transcriptions", endpoint.learnt
    fields = [("model", model), *([("language", language)] if language else [])]
    wave, duration_s = wave_of(samples), len(samples) / 2 / RATE
    if _VERBOSE not in learnt.refused:
        verbose = [*fields, ("response_format", _VERBOSE), *_DETAILS]
        response = yield WireRequest(url, form_of(verbose, wave, boundary))
        if response.status not in (400, 422):
            return transcription_read(content_of(response, endpoint), duration_s)
    response = yield WireRequest(url, form_of([*fields, ("response_format", "json")], wave, boundary))
    content = content_of(response, endpoint)
    learnt.refused.add(_VERBOSE)
    return transcription_read(content, duration_s)


def wave_of(samples: bytes) -> bytes:
    """Return a WAV file of samples with 16 bits."""
    head = b"RIFF" + (36 + len(samples)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    kind = (1).to_bytes(2, "little") * 2 + RATE.to_bytes(4, "little") + (2 * RATE).to_bytes(4, "little")
    size = (2).to_bytes(2, "little") + (16).to_bytes(2, "little")
    return head + kind + size + b"data" + len(samples).to_bytes(4, "little") + samples


def form_of(fields: Sequence[tuple[str, str]], wave: bytes, boundary: str) -> bytes:
    """Return a multipart form with the fields and the file."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="sound.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    )
    return b"".join([*parts, head.encode(), wave, f"\r\n--{boundary}--\r\n".encode()])


def transcription_read(content: bytes, duration_s: float) -> ServedTranscription:
    """Read a response. Raises ExchangeFailed for anything else."""
    try:
        body = orjson.loads(content)
        language = str(body.get("language") or "")
        rows = body.get("segments")
        if rows is None:
            text = str(body["text"]).strip()
            segments = [ServedSegment(text, 0.0, duration_s)] if text else []
        else:
            words = [_word(row) for row in body.get("words") or ()]
            segments = [_segment(row, words, duration_s) for row in rows]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ExchangeFailed("the response is no transcription") from error
    # Servers name it by code or in English words; only a code can be sent back.
    return ServedTranscription(segments, language if len(language) == 2 else "")


def _word(row: Mapping[str, Any]) -> tuple[str, float, float]:
    return str(row["word"]), float(row["start"]), float(row["end"])


def _segment(row: Mapping[str, Any], words: Sequence[tuple[str, float, float]], duration_s: float) -> ServedSegment:
    text = str(row["text"]).strip()
    start = min(max(0.0, float(row["start"])), duration_s)
    end = min(max(start, float(row["end"])), duration_s)
    own = [_word(word) for word in row.get("words") or ()] or [
        word for word in words if start - 0.01 <= (word[1] + word[2]) / 2 <= end + 0.01
    ]
    return ServedSegment(
        text,
        start,
        end,
        words_of(text, own),
        logprob=row.get("avg_logprob"),
        no_speech=row.get("no_speech_prob"),
        compression=row.get("compression_ratio"),
    )


def words_of(text: str, words: Sequence[tuple[str, float, float]]) -> tuple[tuple[str, float, float], ...]:
    """Return the words of a segment's text with their times; none where the server's words are others.

    OpenAI's words have neither spaces nor punctuation, which the text has.
    """
    written = text.split()
    if len(written) != len(words):
        return ()
    return tuple((f" {word}", start, end) for word, (_, start, end) in zip(written, words, strict=True))
