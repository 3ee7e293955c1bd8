"""Old Word and PowerPoint files: recognised here, and converted by LibreOffice before they are read.

This process may not write files, so the conversion is a step of the worker (app/library/pipeline/office.py).
"""

from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.detect_office import ole_type
from app.library.parsers.limits import Limits
from app.library.parsers.media import DOC, format_of

# The beginning of Word's text, at the beginning of a sector; a bit of its flags says that the text is encrypted.
_WORD = tuple(b"\xec\xa5" + version for version in (b"\xc1\0", b"\xd9\0", b"\1\1", b"\x0c\1", b"\x12\1"))
_SECTOR = 512
_FLAGS_AT = 11
_HEAD = 4 * 1024 * 1024
_ENCRYPTED_SLIDES = "EncryptedSummary".encode("utf-16-le")


def parse(path: Path, limits: Limits) -> Parsed:
    """Never parse. Errors: office_not_installed, which asks for a conversion; encrypted_file."""
    del limits
    with path.open("rb") as file:
        head = file.read(_HEAD)
    starts = (at for at in range(0, len(head), _SECTOR) if head.startswith(_WORD, at))
    word = next(starts, None)
    if word is not None and head[word + _FLAGS_AT : word + _FLAGS_AT + 1] > b"" and head[word + _FLAGS_AT] & 1:
        raise ParseError("encrypted_file", "an old Word document with a password")
    if _ENCRYPTED_SLIDES in head:
        raise ParseError("encrypted_file", "an old PowerPoint presentation with a password")
    media_type = ole_type(path)
    entry = format_of(media_type)
    raise ParseError("office_not_installed", entry.label if entry is not None else DOC)
