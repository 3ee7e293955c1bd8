"""Recordings for tests: real ones of the folder `recordings`, and made ones."""

import io
import wave
from pathlib import Path

import av
import numpy as np

from app.library.speech.decoding import SoundTrack
from app.library.speech.transcript import Transcript

RATE = 16_000
FOLDER = Path(__file__).parent / "recordings"
JFK, SPEAKERS, NO_SOUND = FOLDER / "jfk.mp3", FOLDER / "two-speakers-timed.mp4", FOLDER / "no-audio-track.mp4"
JFK_WORDS = "and so my fellow americans ask not what your country can do for you ask what you can do for your country"


def wav(samples: "np.ndarray") -> bytes:
    """Return a WAV file of samples from -1 to 1."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def music(seconds: int) -> "np.ndarray":
    """Return chords with overtones that change every second, over a beat."""
    t = np.arange(seconds * RATE) / RATE
    roots = np.array([220.0, 174.6, 196.0, 261.6])[(t.astype(int)) % 4]
    tones = sum(np.sin(2 * np.pi * roots * ratio * t) / n for n, ratio in enumerate((1, 1.25, 1.5, 2, 3), 1))
    beat = np.exp(-((t * 2) % 1) * 8) * np.random.default_rng(1).normal(0, 0.3, len(t))
    return (0.15 * tones + 0.2 * beat).clip(-1, 1)


def noise(seconds: int) -> "np.ndarray":
    return np.random.default_rng(7).normal(0, 0.2, seconds * RATE).clip(-1, 1)


def speech(seconds: int) -> "np.ndarray":
    """Return the first seconds of the recording of `JFK`."""
    track = SoundTrack(JFK, "audio/mpeg")
    return np.concatenate([piece for _, piece in track.pieces()])[: seconds * RATE]


def webm_write(source: Path, target: Path) -> None:
    """Write a video as WebM, which every Chromium plays."""
    with av.open(str(source)) as read, av.open(str(target), "w", format="webm") as written:
        picture = written.add_stream("libvpx", rate=25)
        picture.width, picture.height, picture.pix_fmt = 160, 90, "yuv420p"
        sound = written.add_stream("libopus", rate=48_000)
        streams = {"video": picture, "audio": sound}
        for frame in read.decode(video=0, audio=0):
            kind = "video" if isinstance(frame, av.VideoFrame) else "audio"
            if kind == "video":
                if frame.time % 1 > 0.02:
                    continue
                frame = frame.reformat(160, 90, "yuv420p")
            written.mux(streams[kind].encode(frame))
        for stream in streams.values():
            written.mux(stream.encode(None))


def words_of(transcript: Transcript) -> list[str]:
    """Return the words of a transcript in small letters without punctuation."""
    text = " ".join(word.text for segment in transcript.segments for word in segment.words)
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter.isspace()).split()


def word_errors(found: list[str], reference: list[str]) -> int:
    """Return the fewest insertions, deletions and replacements between two texts."""
    before = list(range(len(reference) + 1))
    for row, word in enumerate(found, 1):
        now = [row]
        for column, other in enumerate(reference, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (word != other)))
        before = now
    return before[-1]
