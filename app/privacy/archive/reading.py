"""Read an archive from an untrusted source: check everything before use, and unpack nothing to a path.

A part is read by its name in the manifest's list, and a name has one of three forms.
"""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, BinaryIO, Literal, cast

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import RefdeskError
from app.privacy.archive.rows import LATER_TABLES, ORGANISATION_TABLES, Row
from app.privacy.archive.writing import MANIFEST, SCHEMA

READ_BYTES = 256 * 1024
MANIFEST_BYTES = 256 * 1024 * 1024
PARTS = 500_000
# A passage has a few thousand characters, an answer about ten thousand.
LINE_BYTES = 16 * 1024 * 1024
# Files are stored uncompressed and rows shrink to about a tenth, so that a valid archive stays below this ratio.
GROWTH, GROWTH_FREE_BYTES = 200, 64 * 1024 * 1024
_NAME = re.compile(
    r"(?:[a-z_]{1,40}\.jsonl|files/[0-9a-f]{64}(?:\.[a-z0-9]{1,10})?"
    r"|texts/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.json)"
)


def refused(why: str) -> RefdeskError:
    return RefdeskError("archive_refused", f"This archive cannot be imported: {why}")


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: int = Field(ge=0)
    rows: int | None = Field(None, ge=0)


class Manifest(BaseModel):
    """The fields of a manifest that an import reads; others are ignored, since another version may write them."""

    schema_name: Literal["refdesk.export/1"] = Field(alias="schema")
    kind: Literal["organisation"]
    counts: dict[str, int]
    conversations: bool = True
    missing_files: list[str] = Field(default_factory=list)
    parts: dict[str, Part]


class ArchiveReader:
    """A reader of an archive: enter it with `with`, then `check` it, then read its tables and files.

    Every method raises RefdeskError (archive_refused) for damaged or invalid content.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest

    def __enter__(self) -> "ArchiveReader":
        try:
            self._zip = zipfile.ZipFile(self.path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise refused("it is not a whole zip file.") from error
        try:
            self.manifest = self._manifest()
            self._names_check()
        except BaseException:
            self._zip.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def _manifest(self) -> Manifest:
        if MANIFEST not in self._zip.namelist():
            raise refused("it has no manifest.json, so it is not an export of Refdesk.")
        if self._zip.getinfo(MANIFEST).file_size > MANIFEST_BYTES:
            raise refused("its manifest is too large.")
        try:
            content = orjson.loads(b"".join(self._read(MANIFEST, MANIFEST_BYTES)))
        except ValueError as error:
            raise refused("its manifest cannot be read.") from error
        named = content.get("schema") if isinstance(content, dict) else None
        if named != SCHEMA:
            raise refused(f"its schema is {str(named)[:60]!r}; this version reads {SCHEMA!r}.")
        if content.get("kind") != "organisation":
            raise refused("it holds the data of a person; only an organisation's can be imported.")
        try:
            return Manifest.model_validate(content)
        except ValidationError as error:
            raise refused(f"its manifest is wrong: {_first(error)}") from error

    def _names_check(self) -> None:
        infos = self._zip.infolist()
        if len(infos) > PARTS:
            raise refused(f"it has more than {PARTS:,} parts.")
        names = [info.filename for info in infos]
        if len(set(names)) != len(names):
            raise refused("two of its parts have the same name.")
        wrong = [name for name in names if name != MANIFEST and not _NAME.fullmatch(name)]
        if wrong:
            raise refused(f"a part has a name that no export gives: {wrong[0][:100]!r}.")
        if set(names) - {MANIFEST} != set(self.manifest.parts):
            raise refused("its parts are not those that its manifest lists.")
        tables = {f"{table}.jsonl" for table in ORGANISATION_TABLES}
        if lacking := tables - {f"{table}.jsonl" for table in LATER_TABLES} - set(names):
            raise refused(f"it lacks {min(lacking)}.")
        if extra := {name for name in names if name.endswith(".jsonl")} - tables:
            raise refused(f"it has a table that this version does not know: {min(extra)}.")
        sizes = {info.filename: info.file_size for info in infos}
        if any(sizes[name] != part.bytes for name, part in self.manifest.parts.items()):
            raise refused("a part has another size than its manifest says.")
        if sum(sizes.values()) > self.path.stat().st_size * GROWTH + GROWTH_FREE_BYTES:
            raise refused("it would grow beyond all measure when unpacked.")

    def check(self) -> Iterator[int]:
        """Compare every part with its digest; yield the bytes read so far."""
        done = 0
        for name, part in self.manifest.parts.items():
            digest = hashlib.sha256()
            for piece in self._read(name, part.bytes):
                digest.update(piece)
                done += len(piece)
                yield done
            if digest.hexdigest() != part.sha256:
                raise refused(f"{name} is damaged: its SHA-256 is another one.")

    def rows(self, table: str) -> Iterator[Any]:
        """Yield rows of a table, each one checked."""
        shape, count = ORGANISATION_TABLES[table], 0
        for line in self._lines(f"{table}.jsonl"):
            count += 1
            yield _row(shape, line, f"{table}.jsonl line {count}")
        if count != self.manifest.counts.get(table):
            raise refused(f"{table}.jsonl has {count} rows, and its manifest says another number.")

    def file(self, name: str) -> BinaryIO:
        """Return a part to read."""
        if name not in self.manifest.parts:
            raise refused(f"it names a part that it lacks: {name[:100]!r}.")
        return cast(BinaryIO, self._zip.open(name))

    def _lines(self, name: str) -> Iterator[bytes]:
        rest = b""
        for piece in self._read(name, self.manifest.parts[name].bytes):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
            if len(rest) > LINE_BYTES:
                raise refused(f"a line of {name} is too long.")
        if rest:
            raise refused(f"{name} ends in the middle of a line.")

    def _read(self, name: str, most: int) -> Iterator[bytes]:
        """Yield never more than `most` bytes, whatever the zip's own words about a part are."""
        left = most
        try:
            with self._zip.open(name) as file:
                while piece := file.read(READ_BYTES):
                    left -= len(piece)
                    if left < 0:
                        raise refused(f"{name} is longer than it says.")
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise refused(f"{name} is damaged.") from error


def _row(shape: type[Row], line: bytes, where: str) -> Row:
    try:
        # orjson first: it refuses lone surrogates, and nesting that would overflow the stack.
        return shape.model_validate(orjson.loads(line))
    except ValidationError as error:
        raise refused(f"{where}: {_first(error)}") from error
    except ValueError as error:
        raise refused(f"{where} is not JSON.") from error


def _first(error: ValidationError) -> str:
    """Return which field and what is wrong with it; never its value."""
    found = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(each)[:40] for each in found['loc'])}: {found['msg'][:200]}"
