"""Recordings: nothing is read of them here but what kind they are.

Their speech is written down afterwards, outside the time and memory of a parser (`app/library/pipeline/recordings.py`).
"""

from pathlib import Path

from app.library.parsers.blocks import Parsed
from app.library.parsers.detect import detect_media_type
from app.library.parsers.limits import Limits

# The warning of a file that a parser has not read whole: its speech has to be written down.
NEEDS_SPEECH = "needs_speech"


def parse(path: Path, limits: Limits) -> Parsed:
    return Parsed((), detect_media_type(path, ""), warnings=(NEEDS_SPEECH,))
