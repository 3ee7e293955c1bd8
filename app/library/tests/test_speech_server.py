"""Speech to text by a server of the deployment, on the wire: what is sent, what is read, what fails."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import orjson
import pytest

from app.errors import Upstream
from app.library.speech.remote import RemoteTranscriber
from app.library.speech.transcript import Transcript
from app.library.tests.sounds import JFK, RATE, wav, words_of
from app.llm.endpoint import Endpoint
from app.llm.transcription import TranscriptionClient
from app.llm.transcription import words_of as words_matched

WORDS = [{"word": "And", "start": 0.0, "end": 0.4}, {"word": "so", "start": 0.4, "end": 0.9}]
SEGMENT = {"text": " And so,", "start": 0.0, "end": 1.0, "avg_logprob": -0.2, "no_speech_prob": 0.01}
Form = dict[str, list[bytes]]


@dataclass
class Server:
    """A speech-to-text server: `reply` gives the status and the body for a form."""

    reply: Callable[[Form], tuple[int, Any]]
    url: str = ""
    forms: list[Form] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def form_read(content_type: str, body: bytes) -> Form:
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    form: Form = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        form.setdefault(str(name), []).append(part.get_payload(decode=True))
    return form


@contextmanager
def serving(reply: Callable[[Form], tuple[int, Any]]) -> Iterator[Server]:
    state = Server(reply)

    class Responder(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            form = form_read(self.headers["Content-Type"], body)
            state.forms.append(form)
            state.keys.append(self.headers["Authorization"] or "")
            state.paths.append(self.path)
            status, content = state.reply(form)
            data = content if isinstance(content, bytes) else orjson.dumps(content)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Responder)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def write_down(server: Server, path: Any = JFK, media_type: str = "audio/mpeg") -> Transcript:
    client = TranscriptionClient(Endpoint(server.url, "whisper-small", "the-key-of-the-server"))
    transcript = Transcript("whisper-small")
    for _ in RemoteTranscriber(client).transcribe(path, media_type, transcript):
        pass
    return transcript


def test_a_server_gets_decoded_sound_and_gives_words_with_times() -> None:
    with serving(lambda _: (200, {"language": "en", "segments": [SEGMENT], "words": WORDS})) as server:
        transcript = write_down(server)
    [form] = server.forms
    assert form["model"] == [b"whisper-small"]
    assert form["response_format"] == [b"verbose_json"]
    assert form["timestamp_granularities[]"] == [b"word", b"segment"]
    assert form["file"][0][:4] == b"RIFF"
    assert len(form["file"][0]) == 44 + 2 * 11 * RATE
    assert (server.paths, server.keys) == (["/v1/audio/transcriptions"], ["Bearer the-key-of-the-server"])
    # The words' punctuation comes from the text.
    assert [(word.text, word.start_s) for word in transcript.segments[0].words] == [(" And", 0.0), (" so,", 0.4)]
    assert (transcript.language, transcript.position_s) == ("en", 11.0)


def test_a_server_without_times_gives_the_text_of_each_piece() -> None:
    def reply(form: Form) -> tuple[int, Any]:
        refused = form["response_format"] == [b"verbose_json"]
        return (400, {"error": "not supported"}) if refused else (200, {"text": "Ask not."})

    with serving(reply) as server:
        transcript = write_down(server)
    assert [(one.text, one.start_s, one.end_s) for one in transcript.segments] == [("Ask not.", 0.0, 11.0)]
    assert len(server.forms) == 2


def test_guesses_of_a_server_are_left_out_and_silence_is_not_sent(tmp_path: Any) -> None:
    guess = {**SEGMENT, "avg_logprob": -1.4}
    with serving(lambda _: (200, {"segments": [guess], "language": "english"})) as server:
        assert words_of(write_down(server)) == []
        quiet = tmp_path / "quiet.wav"
        quiet.write_bytes(wav(np.zeros(5 * RATE)))
        transcript = write_down(server, quiet, "audio/wav")
    assert (transcript.segments, transcript.position_s, transcript.language) == ([], 5.0, "")
    assert len(server.forms) == 1


@pytest.mark.parametrize("reply", [(401, {"error": "no: the-key-of-the-server"}), (200, b"<html>"), (200, {"a": 1})])
def test_a_server_that_refuses_or_answers_something_else_is_unavailable(reply: tuple[int, Any]) -> None:
    with serving(lambda _: reply) as server, pytest.raises(Upstream) as caught:
        write_down(server)
    assert caught.value.code == "speech_unavailable"
    assert "the-key-of-the-server" not in str(caught.value.details)


def test_words_that_are_others_than_those_of_the_text_are_not_used() -> None:
    assert words_matched("A cat, sat.", [("A", 0, 1), ("cat", 1, 2), ("sat", 2, 3)])[1] == (" cat,", 1, 2)
    assert words_matched("A cat, sat.", [("A", 0, 1), ("catsat", 1, 3)]) == ()
