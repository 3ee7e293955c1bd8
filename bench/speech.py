"""Speech to text: words against their references, seconds against theirs, cost against bare faster-whisper, memory.

    python -m bench.speech [--model whisper-tiny.en] [--folder FOLDER] [--minutes 10] [--pause 2]

FOLDER has recordings and transcripts.json (their words by the name of the file). The bare library reads the same files
in the same run, whole, with the same options and its model already loaded. A recording of some minutes is made of those
files, with pauses between them.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import threading
import time
import unicodedata
import wave
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
from app.library.parsers.detect import detect_media_type
from app.library.speech import reading_process
from app.library.speech.local import LocalTranscriber
from app.library.speech.transcript import Transcript
from app.llm.speech_models import SPEECH_MODELS, SpeechModel, speech_model_files

RATE = 16_000


def words(text: str) -> list[str]:
    """Return the words of a text in small letters without punctuation; each Chinese sign is a word."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return re.findall(r"[\u4e00-\u9fff]|[\w']+", text)


def errors(found: list[str], reference: list[str]) -> int:
    """Return the fewest insertions, deletions and replacements, up to the reference's last word: some are shorter."""
    before = list(range(len(reference) + 1))
    fewest = before[-1]
    for row, word in enumerate(found, 1):
        now = [row]
        for column, other in enumerate(reference, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (word != other)))
        before, fewest = now, min(fewest, now[-1])
    return fewest


def bare_model(model: SpeechModel) -> Any:
    sys.modules.setdefault("huggingface_hub", ModuleType("huggingface_hub"))
    from faster_whisper import WhisperModel

    files = speech_model_files(model)
    contents = {name: b"".join(part.read_bytes() for part in parts) for name, parts in files.items()}
    return WhisperModel(
        "packaged", device="cpu", compute_type="int8", cpu_threads=reading_process.THREADS, files=contents
    )


def bare_read(model: Any, path: Path) -> str:
    from faster_whisper import decode_audio

    from app.library.speech.recognition import OPTIONS

    segments, _ = model.transcribe(decode_audio(str(path)), **OPTIONS)
    return "".join(segment.text for segment in segments)


def ours_read(transcriber: LocalTranscriber, path: Path) -> Transcript:
    transcript = Transcript(transcriber.name)
    for _ in transcriber.transcribe(path, detect_media_type(path, path.name), transcript):
        pass
    return transcript


def text_of(transcript: Transcript) -> str:
    return "".join(word.text for segment in transcript.segments for word in segment.words)


def accuracy(transcriber: LocalTranscriber, model: Any, folder: Path) -> None:
    references = json.loads((folder / "transcripts.json").read_text())
    total = mistakes = 0
    for path in sorted(folder.iterdir()):
        reference = words(references.get(path.stem, ""))
        if not reference or (transcriber.model.english and not path.stem.isascii()):
            continue
        wrong = errors(words(text_of(ours_read(transcriber, path))), reference)
        bare = errors(words(bare_read(model, path)), reference)
        total, mistakes = total + len(reference), mistakes + wrong
        print(f"{path.name:28} {wrong:3} of {len(reference):3} words wrong ({wrong / len(reference):.3f}), bare {bare}")
    print(f"{'all':28} {mistakes:3} of {total:3} words wrong ({mistakes / total:.3f})")


def seconds(transcriber: LocalTranscriber, folder: Path) -> None:
    for subtitles in sorted(folder.glob("*.vtt")):
        cues = re.findall(r"(\d\d):(\d\d):(\d\d\.\d+) -->.*\n(.+)", subtitles.read_text())
        transcript = ours_read(transcriber, subtitles.with_suffix(".mp4"))
        said = [word for segment in transcript.segments for word in segment.words]
        distances = []
        for hours, minutes, second, text in cues:
            begin = int(hours) * 3600 + int(minutes) * 60 + float(second)
            first = words(text)[0]
            near = [abs(one.start_s - begin) for one in said if words(one.text)[:1] == [first]]
            distances.append(min(near, default=float("inf")))
        distances.sort()
        within = sum(distance <= 1 for distance in distances)
        median = distances[len(distances) // 2]
        print(
            f"{subtitles.name}: {within} of {len(cues)} sentences within 1 s of their beginning, median {median:.2f} s"
        )


def recording(folder: Path, target: Path, total_s: float, pause_s: int) -> None:
    """Write a recording of speech with pauses."""
    from faster_whisper import decode_audio

    pieces = [decode_audio(str(path)) for path in sorted(folder.glob("*.mp3"))]
    silence = np.zeros(pause_s * RATE, np.int16).tobytes()
    with wave.open(str(target), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        written, turn = 0.0, 0
        while written < total_s:
            piece = pieces[turn % len(pieces)]
            sound.writeframes((piece * 32767).astype("<i2").tobytes() + silence)
            written, turn = written + len(piece) / RATE + pause_s, turn + 1


def memory_watch(stop: threading.Event, peak: list[int]) -> None:
    """Keep the largest memory of this process's youngest children."""
    while not stop.wait(0.5):
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            if f"PPid:\t{os.getpid()}\n" in text and (found := re.search(r"VmHWM:\s+(\d+)", text)):
                peak[0] = max(peak[0], int(found[1]) // 1024)


def cost(transcriber: LocalTranscriber, model: Any, path: Path, loading_s: float) -> None:
    stop, peak = threading.Event(), [0]
    watch = threading.Thread(target=memory_watch, args=(stop, peak))
    watch.start()
    begun = os.times()
    transcript = ours_read(transcriber, path)
    ended = os.times()
    ours_s = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    stop.set()
    watch.join()
    begun_s = time.process_time()
    bare_read(model, path)
    bare_s = time.process_time() - begun_s
    length_s = transcript.duration_s or 1
    print(f"{length_s:.0f} s of sound: {ours_s:.1f} s of processor time, bare {bare_s:.1f} and {loading_s:.1f} to load")
    print(
        f"ratio to the bare library {ours_s / bare_s:.2f}, to the library that loads its model first "
        f"{ours_s / (bare_s + loading_s):.2f}"
    )
    megabytes = transcriber.model.bytes >> 20
    print(f"real-time factor {ours_s / length_s:.3f}; memory {peak[0]} MB, the model's file {megabytes} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=sorted(SPEECH_MODELS), default="whisper-tiny.en")
    parser.add_argument("--folder", type=Path, default=Path("app/library/tests/recordings"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pause", type=int, default=2)
    parser.add_argument("--long-only", action="store_true")
    options = parser.parse_args()
    transcriber = LocalTranscriber(SPEECH_MODELS[options.model])
    begun_s = time.process_time()
    model = bare_model(transcriber.model)
    loading_s = time.process_time() - begun_s
    if not options.long_only:
        if (options.folder / "transcripts.json").exists():
            accuracy(transcriber, model, options.folder)
        seconds(transcriber, options.folder)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        recording(options.folder, path, options.minutes * 60, options.pause)
        cost(transcriber, model, path, loading_s)


if __name__ == "__main__":
    main()
