"""Parts of an Office package (a zip of XML), read with limits on their expanded size; nothing external is loaded."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from lxml import etree

from app.library.parsers.blocks import ParseError
from app.library.parsers.limits import MEBIBYTE, Limits

# These packages forbid a document type, which entity bombs and external references need.
_DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_DOCTYPE_WITHIN = 4096
# The strict form of the standard differs in the names of its namespaces only.
_STRICT = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
_TRANSITIONAL = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError)


class Package:
    """An open package. Errors of all methods: broken_file, encrypted_file, file_too_complex."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._remaining = limits.expanded_bytes
        self._parts = {info.filename: info for info in archive.infolist()}

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def tree(self, name: str) -> etree._Element | None:
        """Return the root of a small part, or None when the package has no such part."""
        if name not in self._parts:
            return None
        with damage_reported(), self._open(name) as file:
            return etree.parse(BytesIO(file.read()), etree.XMLParser(**_SAFE)).getroot()

    def elements(self, name: str) -> Iterator[tuple[str, etree._Element]]:
        """Yield ("start" or "end", element) of a part, as they are read."""
        with damage_reported(), self._open(name) as file:
            yield from etree.iterparse(file, events=("start", "end"), **_SAFE)

    def _open(self, name: str) -> IO[bytes]:
        info = self._parts[name]
        if info.flag_bits & 1:
            raise ParseError("encrypted_file", "an encrypted part")
        self._remaining -= info.file_size
        ratio = info.file_size / max(1, info.compress_size)
        if self._remaining < 0 or (info.file_size > MEBIBYTE and ratio > self._limits.expanded_ratio):
            raise ParseError("file_too_complex", f"a part of {info.file_size / MEBIBYTE:,.0f} MiB")
        # The size in the directory may be false, but nothing beyond it is ever read.
        with self._archive.open(info) as file:
            head = file.read(_DOCTYPE_WITHIN)
        if any(mark in head for mark in _DOCTYPES):
            raise ParseError("file_too_complex", "a document type with entities")
        if _STRICT in head:
            return BytesIO(self._archive.read(info).replace(_STRICT, _TRANSITIONAL))
        return self._archive.open(info)


@contextmanager
def damage_reported() -> Iterator[None]:
    try:
        yield
    except etree.XMLSyntaxError as error:
        text = str(error)
        if "depth" in text or "ntity" in text or "amplification" in text:
            raise ParseError("file_too_complex", "XML nested or expanded too far") from error
        raise ParseError("broken_file", "XML that is not well formed") from error
    except _DAMAGE as error:
        raise ParseError("broken_file", "a damaged zip container") from error


@contextmanager
def open_package(path: Path, limits: Limits) -> Iterator[Package]:
    with damage_reported(), zipfile.ZipFile(path) as archive:
        yield Package(archive, limits)
