"""The program that reads a scan: it draws the pages of the foreign file and recognises their text, confined.

    python -m app.library.ocr.child < REQUEST

Each page is a line of JSON on the standard output, the last line says that it is the end.
"""

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from app.library.ocr.page_images import PageImages
from app.library.ocr.rapid import RapidRecogniser
from app.library.parsers.blocks import ParseError
from app.library.speech.confinement import confine

# Besides the loaded models: the picture as it is opened (100 million pixels in colour take 300 MB, and as much again
# while they are converted), the page's image and what the models compute of it (350 MB).
MEMORY_BYTES = 1200 * 1024 * 1024


def main() -> None:
    # Before anything is loaded: libraries print.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    request = orjson.loads(sys.stdin.buffer.read())
    try:
        _read(request, output)
    except ParseError as error:
        _send(output, error=error.code, detail=error.detail)
    except Exception as error:  # the boundary of the sandbox: every error of a library is reported
        # ONNX Runtime and OpenCV have errors of their own for memory.
        memory = isinstance(error, MemoryError) or "alloc" in str(error) or "memory" in str(error)
        _send(output, error="parse_memory" if memory else "parse_crashed", detail=type(error).__name__)


def _read(request: dict[str, Any], output: BinaryIO) -> None:
    recogniser = RapidRecogniser(threads=request["threads"])
    confine(request["parent"], memory_bytes=MEMORY_BYTES)
    images = PageImages(Path(request["path"]), request["media_type"])
    skipped = set(request["skipped"])
    wanted = request["pages"] or range(1, images.count + 1)
    for number in wanted:
        if number in skipped or number > images.count:
            continue
        image = images.image(number)
        if image is None:
            _send(output, page=number, count=images.count, width=1, height=1, turn=0, pieces=[])
            continue
        found = recogniser.recognise(image)
        height, width = image.shape[:2]
        pieces = [(piece.text, round(piece.confidence, 3), *map(round, piece.corners)) for piece in found.pieces]
        _send(output, page=number, count=images.count, width=width, height=height, turn=found.turn, pieces=pieces)
    _send(output, end=True, count=images.count)


def _send(output: BinaryIO, **message: Any) -> None:
    output.write(orjson.dumps(message) + b"\n")
    output.flush()


if __name__ == "__main__":
    main()
