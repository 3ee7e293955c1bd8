"""Media types of zip containers and of the older Office files (OLE)."""

import re
import zipfile
import zlib
from pathlib import Path

from app.library.parsers.blocks import ParseError
from app.library.parsers.media import DOC, DOCX, EPUB, MSG, ODP, ODS, ODT, PPT, PPTX, XLS, XLSX, ZIP

_MAX_CONTENT_TYPES = 1024 * 1024
_OLE_HEAD = 4 * 1024 * 1024
_OLE_TYPES = (
    ("WordDocument", DOC),
    ("PowerPoint Document", PPT),
    ("__properties_version1.0", MSG),
    ("Workbook", XLS),
    ("Book", XLS),
)
# The type of the main part: other types belong to what is embedded, such as a workbook behind a slide's chart.
_OOXML_MAIN = re.compile(
    rb"(wordprocessingml|ms-word|spreadsheetml|ms-excel|presentationml|ms-powerpoint)"
    rb"\.(?:document|sheet|presentation|slideshow|template|addin)\.(?:macroEnabled\.)?main"
)
_OOXML = {
    b"wordprocessingml": DOCX,
    b"ms-word": DOCX,
    b"spreadsheetml": XLSX,
    b"ms-excel": XLSX,
    b"presentationml": PPTX,
    b"ms-powerpoint": PPTX,
}
_OPEN_DOCUMENT = {b"text": ODT, b"spreadsheet": ODS, b"presentation": ODP}


def zip_type(path: Path) -> str:
    """Return the media type of a file in a zip container. Errors: broken_file, unsupported_type, encrypted_file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "[Content_Types].xml" in names:
                return _ooxml_type(_part(archive, "[Content_Types].xml"))
            if "mimetype" in names:
                stated = _part(archive, "mimetype").strip()
            elif "content.xml" in names:
                stated = _part(archive, "META-INF/manifest.xml") if "META-INF/manifest.xml" in names else b""
            else:
                stated = b""
            encrypted = "META-INF/manifest.xml" in names and b"encryption-data" in _part(
                archive, "META-INF/manifest.xml"
            )
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ParseError("broken_file", "a damaged zip container") from error
    if b"epub+zip" in stated or "META-INF/container.xml" in names:
        return EPUB
    if "content.xml" not in names and b"opendocument" not in stated:
        return ZIP
    if encrypted:
        raise ParseError("encrypted_file", "an OpenDocument file with a password")
    for mark, media_type in _OPEN_DOCUMENT.items():
        if b"opendocument." + mark in stated:
            return media_type
    raise ParseError("unsupported_type", "an OpenDocument file of another kind")


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        return file.read(_MAX_CONTENT_TYPES)


def _ooxml_type(types: bytes) -> str:
    main = _OOXML_MAIN.search(types)
    if main is None:
        raise ParseError("unsupported_type", "an Office file of another kind")
    return _OOXML[main[1]]


def ole_type(path: Path) -> str:
    """Return the media type of an older Office file by the names of its streams."""
    with path.open("rb") as file:
        head = file.read(_OLE_HEAD)
        # The directory may be at the end of the file: its sector is in the header.
        size = 1 << min(16, int.from_bytes(head[30:32], "little"))
        file.seek((int.from_bytes(head[48:52], "little") + 1) * size)
        head += file.read(16 * size)
    if "EncryptedPackage".encode("utf-16-le") in head:
        raise ParseError("encrypted_file", "an Office file with a password")
    for name, media_type in _OLE_TYPES:
        if name.encode("utf-16-le") in head:
            return media_type
    raise ParseError("unsupported_type", "an old Office file of another kind")
