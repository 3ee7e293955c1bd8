"""Write an archive: a zip that is streamed as it is written, so that it is never in memory as a whole.

Each part's SHA-256 goes into manifest.json, which is written last.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import orjson

SCHEMA = "refdesk.export/1"
MANIFEST = "manifest.json"
READ_BYTES = 256 * 1024
# A part is compressed as its content comes; lines are gathered so that each call of zlib has something to do.
LINES_BYTES = 64 * 1024


class _Outlet:
    """A buffer that the zip is written to and that is emptied after each piece; it cannot seek.

    It is no io.RawIOBase: those are closed when collected, and a zip that was cut short then logs an error.
    """

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def flush(self) -> None:
        """Flush nothing: no bytes wait anywhere."""

    def take(self) -> bytes:
        taken, self._held = bytes(self._held), bytearray()
        return taken


class ArchiveWriter:
    """A writer of an archive. Its methods yield the zip's bytes: exhaust each generator before the next one."""

    def __init__(self, *, kind: str, version: str, counts: dict[str, int] | None = None) -> None:
        self._outlet = _Outlet()
        self._zip = zipfile.ZipFile(cast(BinaryIO, self._outlet), "w")
        self._kind, self._version = kind, version
        self._parts: dict[str, dict[str, Any]] = {}
        self.counts = counts if counts is not None else {}

    def table(self, name: str, rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
        """Yield a part of JSON Lines."""
        counted = 0

        def lines() -> Iterator[bytes]:
            nonlocal counted
            gathered = bytearray()
            for row in rows:
                gathered += orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
                counted += 1
                if len(gathered) >= LINES_BYTES:
                    yield bytes(gathered)
                    gathered.clear()
            yield bytes(gathered)

        yield from self.part(f"{name}.jsonl", lines(), packed=True)
        self.counts[name] = counted
        self._parts[f"{name}.jsonl"]["rows"] = counted

    def file(self, name: str, stream: BinaryIO) -> Iterator[bytes]:
        """Yield a part as it is: PDF and DOCX do not get smaller."""
        yield from self.part(name, iter(lambda: stream.read(READ_BYTES), b""), packed=False)

    def part(self, name: str, pieces: Iterable[bytes], *, packed: bool) -> Iterator[bytes]:
        info = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info.external_attr = 0o600 << 16
        digest, size = hashlib.sha256(), 0
        # The size is not known in advance: zip64 leaves room for more than 4 GiB.
        with self._zip.open(info, "w", force_zip64=True) as target:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                target.write(piece)
                if out := self._outlet.take():
                    yield out
        self._parts[name] = {"sha256": digest.hexdigest(), "bytes": size}
        yield self._outlet.take()

    def end(self, **more: Any) -> Iterator[bytes]:
        """Yield the manifest and the zip's directory."""
        manifest = {
            "schema": SCHEMA,
            "kind": self._kind,
            "made_by": f"Refdesk {self._version}",
            "created": datetime.now(UTC),
            "counts": self.counts,
            **more,
            "parts": self._parts,
        }
        text = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)
        self._zip.writestr(zipfile.ZipInfo(MANIFEST, datetime.now(UTC).timetuple()[:6]), text)
        self._zip.close()
        yield self._outlet.take()


class PulledStream(io.RawIOBase):
    """A readable stream of a generator's bytes, as the store's upload needs it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


def file_part(sha256: str, name: str) -> str:
    """Return the part of an original file: its hash, and its extension so that it opens. Nothing else that a person
    chose.
    """
    extension = re.search(r"\.([a-z0-9]{1,10})$", name.lower())
    return f"files/{sha256}" + (f".{extension[1]}" if extension else "")
