"""Old Word and PowerPoint files: recognised here, and converted by LibreOffice before they are read.

This process may not write files, so the conversion is a step of the worker (app/library/pipeline/office.py).
"""

from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.detect_office import ole_type
from app.library.parsers.limits import Limits
from app.library.parsers.media import DOC, format_of

# The first sector holds the beginning of Word's text in all files that Word writes.
_FIRST_SECTOR = 512
_WORD = b"\xec\xa5"
_HEAD = 64 * 1024
_ENCRYPTED_SLIDES = "EncryptedSummary".encode("utf-16-le")


def parse(path: Path, limits: Limits) -> Parsed:
    """Never parse. Errors: office_not_installed, which asks for a conversion; encrypted_file."""
    del limits
    with path.open("rb") as file:
        head = file.read(_HEAD)
    flags = head[_FIRST_SECTOR + 10 : _FIRST_SECTOR + 12]
    if head[_FIRST_SECTOR : _FIRST_SECTOR + 2] == _WORD and flags[1:] and flags[1] & 1:
        raise ParseError("encrypted_file", "an old Word document with a password")
    if _ENCRYPTED_SLIDES in head:
        raise ParseError("encrypted_file", "an old PowerPoint presentation with a password")
    media_type = ole_type(path)
    entry = format_of(media_type)
    raise ParseError("office_not_installed", entry.label if entry is not None else DOC)
