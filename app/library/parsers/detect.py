"""Detection of a file's media type by its content; the name only chooses among kinds of text."""

import re
import zipfile
from pathlib import Path

from app.library.parsers.blocks import ParseError
from app.library.parsers.encoding import decode, wide_encoding
from app.library.parsers.media import CSV, DOCX, HTML, MARKDOWN, PDF, TEXT

_HEAD = 64 * 1024
# PDF readers accept a header anywhere in the first kilobyte, after bytes that a mail program or a script added.
_PDF_WITHIN = 1024
_MAX_CONTENT_TYPES = 1024 * 1024
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_FOREIGN = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"{\\rtf", "an RTF document"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"(\xb5/\xfd", "a Zstandard archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"%!PS", "a PostScript file"),
    (b"ID3", "a sound file"),
    (b"OggS", "a sound file"),
    (b"fLaC", "a sound file"),
    (b"RIFF", "a sound, picture or video file"),
)
# "BM", "MZ", "ID3" and the like also begin words: they are signatures only before binary content.
_TEXTUAL = frozenset({b"{\\rtf", b"%!PS"})
_HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,4000}?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_HTML_TAG = re.compile(r"<(?:html|head|body|title|meta|div|p|h[1-6]|table|ul|ol|br|span|a)\b[^>]{0,500}>", re.I)
_BY_SUFFIX = {".md": MARKDOWN, ".markdown": MARKDOWN, ".mdown": MARKDOWN, ".csv": CSV, ".tsv": CSV, ".tab": CSV}
_HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
# Tab, line and page ends, back space, end of file; shift out, in and escape switch ISO 2022 encodings.
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x08\x1a\x0e\x0f\x1b")


def detect_media_type(path: Path, name: str) -> str:
    """Return one of the six media types of `media`.

    Errors: empty_file, unsupported_type, broken_file, encrypted_file.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise ParseError("empty_file", "0 bytes")
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(path)
    if head.startswith(_OLE):
        return _ole_type(head, path)
    _refuse_foreign(head)
    return _text_type(head, Path(name).suffix.lower())


def _refuse_foreign(head: bytes) -> None:
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff")) or wide_encoding(head) is not None
    binary = not wide and _is_binary(head)
    for signature, label in _FOREIGN:
        if head.startswith(signature) and (binary or signature in _TEXTUAL):
            raise ParseError("unsupported_type", label)
    if head[4:8] == b"ftyp":
        raise ParseError("unsupported_type", "a video or picture file")
    if binary:
        raise ParseError("unsupported_type", "a binary file")


def _is_binary(head: bytes) -> bool:
    if b"\x00" in head:
        return True
    controls = sum(head.count(bytes([code])) for code in range(32) if code not in _TEXT_CONTROLS)
    return controls * 50 > len(head)


def _zip_type(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "[Content_Types].xml" not in names:
                raise ParseError("unsupported_type", _zip_kind(names))
            with archive.open("[Content_Types].xml") as file:
                types = file.read(_MAX_CONTENT_TYPES)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ParseError("broken_file", "a damaged zip container") from error
    for mark, label in ((b"spreadsheetml", "an Excel workbook"), (b"presentationml", "a PowerPoint presentation")):
        if mark in types and b"wordprocessingml.document.main" not in types:
            raise ParseError("unsupported_type", label)
    if b"wordprocessingml" in types or b"ms-word" in types:
        return DOCX
    raise ParseError("unsupported_type", "an Office file of another kind")


def _zip_kind(names: set[str]) -> str:
    if "content.xml" in names:
        return "an OpenDocument file"
    return "an EPUB book" if "META-INF/container.xml" in names else "a zip archive"


def _ole_type(head: bytes, path: Path) -> str:
    with path.open("rb") as file:
        data = head + file.read(4 * 1024 * 1024) if len(head) == _HEAD else head
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise ParseError("encrypted_file", "an Office file with a password")
    if "WordDocument".encode("utf-16-le") in data:
        raise ParseError("unsupported_type", "an old Word document (.doc)")
    raise ParseError("unsupported_type", "an old Office file or a mail message")


def _text_type(head: bytes, suffix: str) -> str:
    text = decode(head)
    if not text.strip("\ufeff \t\r\n\f\x00"):
        raise ParseError("empty_file", "white space only")
    if _HTML_START.match(text):
        return HTML
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if suffix in _HTML_SUFFIXES and _HTML_TAG.search(text):
        return HTML
    return TEXT
