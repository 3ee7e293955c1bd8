"""Parser of zip archives: a list of their files, each of which is a document of its own."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from app.library.parsers.blocks import Parsed, ParseError
from app.library.parsers.encoding import decode, one_line
from app.library.parsers.limits import MEBIBYTE, Limits
from app.library.parsers.media import ZIP
from app.library.parsers.members import PIECE_BYTES, Member, Names, refused, size_text
from app.library.parsers.outline import Outline, Where
from app.library.parsers.tables import Row, table_lines

_DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError)
_ENCRYPTED = 1
_UTF8_NAME = 1 << 11
# Made by file managers beside the files themselves.
_JUNK_FOLDERS = frozenset({"__macosx", ".git", ".svn"})
_JUNK = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
# A longer list than anybody reads; the number of the rest is given.
_LISTED = 20_000


def parse(path: Path, limits: Limits) -> Parsed:
    """Parse a file into the list of its files. Errors: broken_file, encrypted_file, empty_file."""
    with _open(path) as archive:
        entries = _entries(archive)
        if not entries:
            raise ParseError("empty_file", "an archive without files")
        if all(entry.flag_bits & _ENCRYPTED for entry in entries):
            raise ParseError("encrypted_file", "an archive with a password")
        outline = Outline(limits)
        rows = [Row(["File", "Size"], [0, 1], True, 1)]
        for number, entry in enumerate(entries[:_LISTED], 2):
            locked = ", encrypted" if entry.flag_bits & _ENCRYPTED else ""
            rows.append(Row([_name(entry), size_text(entry.file_size) + locked], [0, 1], False, number))
        for line in table_lines(rows):
            outline.add("table_row", line.text, Where(rows=line.rows))
        if len(entries) > _LISTED:
            outline.add("paragraph", f"{len(entries) - _LISTED:,} more files are not listed.")
    return Parsed(tuple(outline.blocks), ZIP, members=len(entries))


def members(path: Path, limits: Limits) -> Iterator[Member]:
    """Yield the files of an archive. A file that cannot be read does not hide the others."""
    with _open(path) as archive:
        names = Names()
        for entry in _entries(archive):
            yield Member(names.unique(_name(entry)), lambda entry=entry: _content(archive, entry, limits))  # type: ignore[misc]


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise ParseError("broken_file", "a damaged zip archive") from error


def _entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [entry for entry in archive.infolist() if not entry.is_dir() and not _is_junk(entry.filename)]


def _is_junk(name: str) -> bool:
    parts = name.lower().replace("\\", "/").split("/")
    return parts[-1] in _JUNK or parts[-1].startswith("._") or not _JUNK_FOLDERS.isdisjoint(parts[:-1])


def _name(entry: zipfile.ZipInfo) -> str:
    """Return a name; one without the mark of UTF-8 is in the encoding of whoever packed it."""
    name = entry.filename
    if not entry.flag_bits & _UTF8_NAME and not name.isascii():
        name = decode(name.encode("cp437", "replace"))
    return one_line(name.replace("\\", "/")) or "file"


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: Limits) -> Iterator[bytes]:
    if entry.flag_bits & _ENCRYPTED:
        refused("encrypted_file", "a file with a password")
    ratio = entry.file_size / max(1, entry.compress_size)
    if entry.file_size > MEBIBYTE and ratio > limits.expanded_ratio:
        refused("file_too_complex", f"{entry.file_size / MEBIBYTE:,.0f} MiB in {entry.compress_size:,} bytes")
    try:
        # The size in the directory may be false, but nothing beyond it is ever read.
        with archive.open(entry) as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    except MemoryError as error:
        # The dictionary of LZMA may be said to be gigabytes.
        raise ParseError("parse_memory", "a packed file that needs too much memory") from error
    except (*_DAMAGE, RuntimeError) as error:
        raise ParseError("broken_file", "a damaged file in an archive") from error
