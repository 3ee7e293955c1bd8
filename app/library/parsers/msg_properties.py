"""MAPI properties of an Outlook message in an OLE file (MS-OXMSG): texts, recipients, dates, attachments."""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import olefile

from app.library.parsers.blocks import ParseError
from app.library.parsers.encoding import clean, decode, one_line
from app.library.parsers.limits import Limits
from app.library.parsers.msg_rtf import rtf_html, rtf_text, rtf_unpacked

_UNICODE, _STRING8, _BINARY, _OBJECT = "001F", "001E", "0102", "000D"
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_CODEPAGES = {65001: "utf-8", 20127: "ascii", 28591: "cp1252", 20866: "koi8_r", 936: "gb18030", 950: "big5hkscs"}
_TYPES = {1: "To", 2: "Cc", 3: "Bcc"}
# Longer than what a directory of a valid message has; each is one stream.
_STREAMS = 100_000
_MESSAGE_PROPERTIES, _INSIDE_PROPERTIES, _OTHER_PROPERTIES = 32, 24, 8


@contextmanager
def open_message(path: Path, limits: Limits) -> Iterator["Storage"]:
    """Open a message. Errors: broken_file, file_too_complex."""
    try:
        with olefile.OleFileIO(str(path)) as ole:
            names = ole.listdir(streams=True, storages=True)
            if len(names) > _STREAMS:
                raise ParseError("file_too_complex", f"{len(names):,} streams")
            yield Storage(_Streams(ole, names, limits.expanded_bytes), (), _MESSAGE_PROPERTIES)
    except ParseError:
        raise
    except (OSError, ValueError, IndexError, KeyError, struct.error, RecursionError) as error:
        raise ParseError("broken_file", "a damaged Outlook message") from error


class _Streams:
    """The streams of the file by their folders. limit: of all that is read together."""

    def __init__(self, ole: olefile.OleFileIO, names: list[list[str]], limit: int) -> None:
        self._ole, self._remaining = ole, limit
        self._children: dict[tuple[str, ...], dict[str, str]] = {}
        for name in names:
            self._children.setdefault(tuple(name[:-1]), {})[name[-1].upper()] = name[-1]

    def children(self, folder: tuple[str, ...]) -> dict[str, str]:
        return self._children.get(folder, {})

    def size(self, folder: tuple[str, ...], name: str) -> int:
        real = self.children(folder).get(name.upper())
        return int(self._ole.get_size([*folder, real])) if real else 0

    def read(self, folder: tuple[str, ...], name: str) -> bytes:
        real = self.children(folder).get(name.upper())
        if real is None:
            return b""
        self._remaining -= self.size(folder, name)
        if self._remaining < 0:
            raise ParseError("file_too_complex", "more in the message than its size allows")
        with self._ole.openstream([*folder, real]) as stream:
            data: bytes = stream.read()
        return data


@dataclass(slots=True)
class Attachment:
    """A file of a message. inside: the message, when it is one. decorates: its body shows it."""

    storage: "Storage"
    name: str
    size: int
    decorates: bool
    inside: "Storage | None" = None

    def data(self) -> bytes:
        return self.storage.binary("3701")


@dataclass
class Storage:
    """A message, recipient or attachment: a folder of properties. head: bytes before its fixed properties."""

    streams: _Streams
    folder: tuple[str, ...]
    head: int
    encoding: str = field(default="")

    def __post_init__(self) -> None:
        self.encoding = self.encoding or self._stated_encoding()

    @cached_property
    def fixed(self) -> dict[str, bytes]:
        """Return the values of fixed size by property id."""
        data = self.streams.read(self.folder, "__properties_version1.0")
        values = {}
        for at in range(self.head, len(data) - 15, 16):
            tag = int.from_bytes(data[at : at + 4], "little")
            values[f"{tag >> 16:04X}"] = data[at + 8 : at + 16]
        return values

    def _stated_encoding(self) -> str:
        for name in ("3FFD", "3FDE"):
            number = self.number(name)
            if number:
                return _CODEPAGES.get(number, f"cp{number}")
        return ""

    def number(self, name: str) -> int:
        return int.from_bytes(self.fixed.get(name, b"")[:4], "little")

    def time(self, name: str) -> str:
        """Return a time as mail headers write it; empty when there is none."""
        ticks = int.from_bytes(self.fixed.get(name, b""), "little")
        try:
            moment = _EPOCH + timedelta(microseconds=ticks // 10) if ticks else None
        except OverflowError:
            return ""
        return moment.strftime("%a, %d %b %Y %H:%M:%S +0000") if moment else ""

    def binary(self, name: str) -> bytes:
        return self.streams.read(self.folder, f"__substg1.0_{name}{_BINARY}")

    def text(self, name: str) -> str:
        data = self.streams.read(self.folder, f"__substg1.0_{name}{_UNICODE}")
        if data:
            return clean(data.decode("utf-16-le", "replace"))
        data = self.streams.read(self.folder, f"__substg1.0_{name}{_STRING8}")
        return clean(decode(data, self.encoding or None)).rstrip("\0")

    def html(self) -> str:
        """Return the body as HTML, or as plain text in a preformatted element, where only RTF has it."""
        data = self.binary("1013")
        if data:
            return clean(decode(data, self.encoding or None))
        if self.text("1013"):
            return self.text("1013")
        rtf = rtf_unpacked(self.binary("1009"))
        return (rtf_html(rtf) or _as_html(rtf_text(rtf), bool(self.text("1000").strip()))) if rtf else ""

    def headers(self) -> dict[str, str]:
        """Return the headers that people read."""
        sender = _person(self.text("0C1A") or self.text("0042"), self._sender_address())
        people: dict[str, list[str]] = {"To": [], "Cc": [], "Bcc": []}
        for each in self._inside("__RECIP_VERSION1.0_", _OTHER_PROPERTIES):
            address = each.text("39FE") or (each.text("3003") if "@" in each.text("3003") else "")
            people[_TYPES.get(each.number("0C15") & 15, "To")].append(_person(each.text("3001"), address))
        shown = {name: ", ".join(filter(None, values)) for name, values in people.items()}
        shown = {
            name: value or one_line(self.text(stored))
            for (name, value), stored in zip(shown.items(), ("0E04", "0E03", "0E02"), strict=True)
        }
        date = self.time("0039") or self.time("0E06") or self._header("date")
        named = {"From": sender or self._header("from"), **shown, "Date": date}
        return {name: value for name, value in named.items() if value}

    def _sender_address(self) -> str:
        addresses = (self.text("5D01"), self.text("5D02"), self.text("0C1F"), self.text("0065"))
        return next((address for address in addresses if "@" in address), "")

    def _header(self, name: str) -> str:
        """Return a header of the message as it travelled, which messages that were received keep."""
        match = re.search(rf"(?im)^{name}:[ \t]*(.*(?:\n[ \t].*)*)", self.text("007D"))
        return one_line(match[1]) if match else ""

    def _inside(self, prefix: str, head: int) -> Iterator["Storage"]:
        for upper, name in sorted(self.streams.children(self.folder).items()):
            if upper.startswith(prefix):
                yield Storage(self.streams, (*self.folder, name), head, self.encoding)

    def attachments(self) -> Iterator[Attachment]:
        for each in self._inside("__ATTACH_VERSION1.0_", _OTHER_PROPERTIES):
            name = one_line(each.text("3707") or each.text("3704") or each.text("3001"))
            folder = f"__SUBSTG1.0_3701{_OBJECT}"
            method = each.number("3705")
            if method == 5 and folder in each.streams.children(each.folder):
                path = (*each.folder, each.streams.children(each.folder)[folder])
                inside = Storage(each.streams, path, _INSIDE_PROPERTIES)
                subject = one_line(inside.text("0037")).replace("/", "-")[:100]
                yield Attachment(each, f"{subject or name or 'message'}.eml", 0, False, inside)
                continue
            size = each.streams.size(each.folder, f"__substg1.0_3701{_BINARY}")
            if size:
                decorates = bool(each.text("3712")) and each.text("370E").startswith("image/")
                yield Attachment(each, name.replace("\\", "/").rpartition("/")[2] or "attachment", size, decorates)


def _person(name: str, address: str) -> str:
    name, address = one_line(name).strip("'\""), one_line(address)
    if not address or name == address:
        return name or address
    return f"{name} <{address}>" if name else address


def _as_html(text: str, has_plain: bool) -> str:
    """Return the text of RTF as HTML, when there is no plain body that has the same words."""
    if has_plain or not text.strip():
        return ""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"<p>{paragraph}</p>" for paragraph in escaped.split("\n") if paragraph.strip())
