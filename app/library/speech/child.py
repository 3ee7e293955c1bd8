"""The program that reads a recording: it decodes the foreign file and recognises its speech, confined.

    python -m app.library.speech.child < REQUEST

Messages go to the standard output: a line of JSON, and after one with "samples" as many bytes (16 kHz, one channel, 16
bits). With a model in the request it sends segments, without one the pieces themselves, for a server to write down.
"""

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from app.library.parsers.blocks import ParseError
from app.library.speech.confinement import confine
from app.library.speech.decoding import SoundTrack


def main() -> None:
    # Before anything is loaded: libraries print.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    request = orjson.loads(sys.stdin.buffer.read())
    try:
        _read(request, output)
    except ParseError as error:
        _send(output, error=error.code, detail=error.detail)
    except MemoryError:
        _send(output, error="parse_memory", detail="")
    except Exception as error:  # the boundary of the sandbox: every error of a library is reported
        # CTranslate2 and NumPy have errors of their own for memory.
        memory = "alloc" in str(error) or "memory" in str(error)
        _send(output, error="parse_memory" if memory else "parse_crashed", detail=type(error).__name__)


def _read(request: dict[str, Any], output: BinaryIO) -> None:
    recogniser = None
    if request["files"]:
        # Imported here, because it loads libraries of 150 MB that decoding alone does not need.
        from app.library.speech.recognition import Recogniser

        files = {name: [Path(part) for part in parts] for name, parts in request["files"].items()}
        recogniser = Recogniser(files, threads=request["threads"], language=request["language"])
    confine(request["parent"])
    track = SoundTrack(Path(request["path"]), request["media_type"])
    for begin_s, piece in track.pieces(request["start_s"]):
        if recogniser is None:
            samples = (piece * 32767).astype("<i2").tobytes()
            _send(output, at=begin_s, duration=track.duration_s, samples=len(samples))
            output.write(samples)
            output.flush()
            continue
        for at, row in recogniser.rows(piece, begin_s):
            _send(output, at=at, segment=row, duration=track.duration_s, language=recogniser.language)
    _send(output, end=True, duration=track.duration_s, cut_short=track.cut_short)


def _send(output: BinaryIO, **message: Any) -> None:
    output.write(orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
    output.flush()


if __name__ == "__main__":
    main()
