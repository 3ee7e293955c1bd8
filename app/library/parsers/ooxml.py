"""Parts of an Office package (a zip of XML), read with limits on their expanded size; nothing external is loaded."""

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

from lxml import etree

from app.library.parsers.blocks import ParseError
from app.library.parsers.limits import MEBIBYTE, Limits

# These packages forbid a document type, which entity bombs and external references need.
_DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_DOCTYPE_WITHIN = 4096
# The strict form of the standard differs in the names of its namespaces only.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
_TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/\2"
_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError)


class Relation(NamedTuple):
    """A relation of a part: its kind (the last word of its type), and the part's name or an address outside."""

    kind: str
    target: str
    outside: bool


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

    def data(self, name: str) -> bytes | None:
        """Return the content of a small part, or None when the package has no such part."""
        if name not in self._parts:
            return None
        with damage_reported(), self._open(name, doctypes=True) as file:
            return file.read()

    def relations(self, name: str) -> dict[str, Relation]:
        """Return the relations of a part by their ids, in the order of the file; "" for those of the package."""
        folder, file = posixpath.split(name)
        root = self.tree(posixpath.join(folder, "_rels", f"{file}.rels"))
        relations: dict[str, Relation] = {}
        for element in root.iterfind(_RELATION) if root is not None else ():
            target, outside = element.get("Target", ""), element.get("TargetMode") == "External"
            if not outside:
                target = posixpath.normpath(posixpath.join(folder, target)) if target[:1] != "/" else target[1:]
            kind = element.get("Type", "").rpartition("/")[2]
            relations[element.get("Id", "")] = Relation(kind, target, outside)
        return relations

    def elements(self, name: str) -> Iterator[tuple[str, etree._Element]]:
        """Yield ("start" or "end", element) of a part, as they are read."""
        with damage_reported(), self._open(name) as file:
            yield from etree.iterparse(file, events=("start", "end"), **_SAFE)

    def _open(self, name: str, *, doctypes: bool = False) -> IO[bytes]:
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
        if not doctypes and any(mark in head for mark in _DOCTYPES):
            raise ParseError("file_too_complex", "a document type with entities")
        if _STRICT.search(head):
            return BytesIO(_STRICT.sub(_TRANSITIONAL, self._archive.read(info)))
        return self._archive.open(info)

    def stream(self, name: str) -> IO[bytes]:
        """Open a part of any size that is read piece by piece and never kept: only its packing has a limit."""
        info = self._parts[name]
        if info.flag_bits & 1:
            raise ParseError("encrypted_file", "an encrypted part")
        if info.file_size > MEBIBYTE and info.file_size / max(1, info.compress_size) > self._limits.expanded_ratio:
            raise ParseError("file_too_complex", f"a part of {info.file_size / MEBIBYTE:,.0f} MiB")
        with self._archive.open(info) as file:
            head = file.read(_DOCTYPE_WITHIN)
        if any(mark in head for mark in _DOCTYPES):
            raise ParseError("file_too_complex", "a document type with entities")
        return self._archive.open(info)

    @staticmethod
    def events(file: IO[bytes], *tags: str) -> Iterator[tuple[str, etree._Element]]:
        """Yield ("start" or "end", element) for the elements of some names, as a stream is read."""
        yield from etree.iterparse(file, events=("start", "end"), tag=tags, **_SAFE)

    @staticmethod
    def streamed(file: IO[bytes], *tags: str) -> Iterator[etree._Element]:
        """Yield the elements of some names as they end; what was yielded is then forgotten."""
        for _, element in etree.iterparse(file, events=("end",), tag=tags, **_SAFE):
            yield element
            forget(element)


def forget(element: etree._Element) -> None:
    """Free the memory of an element that was read, and of those before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


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
