"""Speech to text by the packaged model in the confined program: words, times, silence, damage and hostile files."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.library.parsers.blocks import ParseError
from app.library.parsers.detect import detect_media_type
from app.library.speech.local import LocalTranscriber
from app.library.speech.transcript import Transcript, transcript_parsed
from app.library.tests.sounds import JFK, JFK_WORDS, NO_SOUND, RATE, SPEAKERS, music, noise, wav, word_errors, words_of
from app.llm.embedding_models import file_find
from app.llm.speech_models import SPEECH_MODELS, TINY_ENGLISH
from tests.engines import ROOT


def write_down(path: Path, media_type: str = "", transcript: Transcript | None = None) -> Transcript:
    """Return the transcript of a recording, by a program of its own as subprocess.Popen starts it."""
    transcript = transcript or Transcript(TINY_ENGLISH.name)
    for _ in LocalTranscriber(TINY_ENGLISH).transcribe(
        path, media_type or detect_media_type(path, path.name), transcript
    ):
        pass
    return transcript


def failure(path: Path, media_type: str = "") -> str:
    with pytest.raises(ParseError) as caught:
        write_down(path, media_type)
    return caught.value.code


def test_a_recording_becomes_words_with_their_seconds() -> None:
    transcript = write_down(JFK)
    assert word_errors(words_of(transcript), JFK_WORDS.split()) <= 1
    assert (transcript.duration_s, transcript.language, transcript.warnings) == (11.0, "en", [])
    starts = [word.start_s for segment in transcript.segments for word in segment.words]
    assert starts == sorted(starts)
    assert starts[-1] > 8
    assert transcript.position_s == pytest.approx(11, abs=0.1)


def test_sentences_of_a_video_begin_when_they_are_said() -> None:
    cues = re.findall(r"00:(\d\d):(\d\d\.\d+) -->.*\n(\w+)", SPEAKERS.with_suffix(".vtt").read_text())
    truth = {word.lower(): int(minutes) * 60 + float(seconds) for minutes, seconds, word in cues}
    found = {}
    for segment in write_down(SPEAKERS).segments:
        for word in segment.words:
            found.setdefault(word.text.strip(" .,").lower(), word.start_s)
    near = [name for name, second in truth.items() if name in found and abs(found[name] - second) < 0.6]
    assert len(near) >= 7, (found, truth)


def test_work_goes_on_where_it_ended() -> None:
    transcript = write_down(JFK, transcript=Transcript(TINY_ENGLISH.name, position_s=8.0))
    assert transcript.segments[0].words[0].start_s >= 8.0
    assert words_of(transcript)[-4:] == ["do", "for", "your", "country"]


def test_silence_noise_and_music_do_not_become_words(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(wav(np.concatenate([np.zeros(10 * RATE), noise(10), music(20)])))
    transcript = write_down(path)
    assert transcript.segments == []
    assert transcript.position_s == pytest.approx(40, abs=0.1)


def test_a_cut_off_recording_is_read_as_far_as_it_goes_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    path.write_bytes(JFK.read_bytes()[:40_000])
    transcript = write_down(path)
    assert words_of(transcript)[:5] == JFK_WORDS.split()[:5]
    assert transcript_parsed(transcript, "audio/mpeg").warnings == ("recording_cut_short:6",)


def test_files_without_sound_are_refused_with_a_reason(tmp_path: Path) -> None:
    data = SPEAKERS.read_bytes()
    assert failure(NO_SOUND) == "no_sound"
    without_index = tmp_path / "cut.mp4"
    without_index.write_bytes(data[: len(data) // 2])
    assert failure(without_index) == "broken_file"
    junk = tmp_path / "junk.wav"
    junk.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + os.urandom(2000))
    assert failure(junk) == "broken_file"


def test_a_playlist_in_the_name_of_a_video_opens_no_file_and_no_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n"
        # FFmpeg knows a playlist by its name, too.
        for name, media_type in (("holiday.mp4", "video/mp4"), ("holiday.m3u8", "audio/mpeg")):
            path = tmp_path / name
            path.write_text(playlist)
            with pytest.raises(ParseError) as caught:
                detect_media_type(path, path.name)
            assert (caught.value.code, caught.value.detail[:10]) == ("unsupported_type", "a playlist")
            assert failure(path, media_type) == "broken_file"
        with pytest.raises(TimeoutError):
            server.accept()


def test_the_confined_program_reaches_no_network_no_program_and_no_memory() -> None:
    code = """
import os, socket, threading
from app.library.speech.confinement import confine
started = threading.Event()
results = []
def attempt(name, action):
    try:
        action()
        results.append(f"{name} went through")
    except (OSError, MemoryError) as error:
        results.append(type(error).__name__)
def early():
    started.wait()
    attempt("thread", socket.socket)
thread = threading.Thread(target=early)
thread.start()
confine(os.getppid())
started.set()
thread.join()
attempt("socket", socket.socket)
attempt("program", lambda: os.execv("/bin/true", ["true"]))
attempt("memory", lambda: bytearray(600 * 1024 * 1024))
attempt("file", lambda: os.write(os.open("/tmp", os.O_TMPFILE | os.O_WRONLY), b"x"))
print(results)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "['PermissionError', 'PermissionError', 'PermissionError', 'MemoryError', 'OSError']\n", done


def test_every_packaged_model_is_pinned_in_its_lock_file_and_is_the_published_one() -> None:
    locks = {"whisper-base": "speech-model.txt", "whisper-tiny.en": "speech-model-small.txt"}
    for model in SPEECH_MODELS.values():
        parts = [part for files in model.files.values() for part in files]
        lock = (ROOT / "requirements" / locks[model.name]).read_text()
        pinned = {line.split(" ")[0] for line in lock.splitlines() if "==" in line}
        assert pinned == {f"{part.package}=={part.version}" for part in parts}
    [weights] = TINY_ENGLISH.files["model.bin"]
    assert weights.sha256 == TINY_ENGLISH.sha256
    assert file_find(weights).stat().st_size == TINY_ENGLISH.bytes
