"""Pictures: nothing is read of them here but what kind they are; their text is recognised afterwards (`scans.py`)."""

from pathlib import Path

from app.library.parsers.blocks import Parsed
from app.library.parsers.detect import detect_media_type
from app.library.parsers.limits import Limits

# The warning of a file of which a parser has read nothing: all its pages have to be recognised.
NEEDS_OCR = "needs_ocr"


def parse(path: Path, limits: Limits) -> Parsed:
    return Parsed((), detect_media_type(path, ""), warnings=(NEEDS_OCR,))
