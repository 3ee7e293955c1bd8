"""A backup of a running box: PostgreSQL by one snapshot, and the stored files that the snapshot's rows name.

Stored files never change, so most of them are copied before the snapshot is taken, which shortens the time that it is
open. If a file is deleted between the snapshot and its copying, another snapshot is taken.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import psycopg.sql
from django.conf import settings

from app import env
from app.backup.archive.reading import DUMP, FORMAT, LISTS, SECRET_KEY, SECRETS_KEYS, SETTINGS
from app.backup.archive.writing import ArchiveWriter, Unwritable, archive_written
from app.backup.pg_dump import database_dump, owner_address, owner_connect, snapshot_taken
from app.lib.storage import ObjectMissing, Storage, exports_storage, storage

Say = Callable[[str], None]
Beside = Callable[[ArchiveWriter], dict[str, Any]]
# Deletions while a backup runs are few: the second snapshot nearly always finds every file.
SNAPSHOTS = 4
SNAPSHOT_PAUSE_S = 1.0
# PostgreSQL stops when the disk is full: this much stays free.
KEEP_FREE_BYTES = 256 * 1024 * 1024
# Hosts of engines that a box, or the appliance, starts itself.
OURS = ("127.0.0.1", "embeddings")
# Addresses of this box's engines and settings for the first start, which another box must not take over.
OWN = (*env.FIRST_START, "REFDESK_DATA", "REFDESK_HOST", "REFDESK_PORT", "REFDESK_SECRET_KEY", "REFDESK_SECRETS_KEYS",
       "REFDESK_DATABASE_URL", "REFDESK_VALKEY_URL", "REFDESK_QDRANT_URL", "REFDESK_QDRANT_API_KEY",
       "REFDESK_S3_URL", "REFDESK_S3_BUCKET", "REFDESK_S3_ACCESS_KEY", "REFDESK_S3_SECRET_KEY", "REFDESK_S3_PUBLIC_URL",
       "REFDESK_INTERNAL_HOST", "REFDESK_OIDC_INTERNAL_URL", "REFDESK_WORKER_BEATS", "REFDESK_ALIVE_FILE")  # fmt: skip

# Files that rows name. A retired version's file may be gone: it is copied if it is there.
_NAMED = {
    "objects": "SELECT storage_key, bool_or(state <> 'retired') FROM library_documentversion GROUP BY 1 ORDER BY 1",
    "exports": "SELECT storage_key, false FROM privacy_export WHERE state = 'done' AND storage_key <> ''"
    " GROUP BY 1 ORDER BY 1",
}


@dataclass
class Made:
    """Counts of a finished backup. missing: files that rows name and that the store lacks or has damaged."""

    path: Path
    bytes: int = 0
    rows: int = 0
    documents: int = 0
    files: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def nothing(writer: ArchiveWriter) -> dict[str, Any]:
    return {}


def backup_make(*, path: Path, exports: bool, say: Say, copies: int = 1, beside: Beside = nothing) -> Made:
    """Write a backup to `path`, which must not exist. Checks for room for `copies` of it. `beside` adds the data of
    another part of the box, and returns its facts for the manifest.

    Raises:
        Unwritable: the path exists, or the file cannot be made.
        ProgramFailed: the database could not be copied.
        RefdeskError: the file store does not answer.
    """
    if path.exists():
        raise Unwritable(f"{path} is there already; a backup replaces no file.")
    _room_check(path, copies)
    with archive_written(path) as writer:
        made = Made(path)
        _Backup(writer, made, exports=exports, say=say).run(beside)
    return made


# Versions with the same bytes share one stored file.
_BYTES = """
SELECT coalesce(sum(bytes), 0)
FROM (SELECT DISTINCT storage_key, bytes FROM library_documentversion WHERE state <> 'retired') files
"""


def _room_check(path: Path, copies: int) -> None:
    """Check the free space before the work begins; a later shortage still gives a plain error. Raises Unwritable."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise Unwritable(f"{path.parent} cannot be written: {error.strerror}.") from error
    with owner_connect() as connection:
        row = connection.execute(_BYTES).fetchone()
    wanted = int(row[0]) * copies if row else 0
    if free < wanted + KEEP_FREE_BYTES:
        raise Unwritable(
            f"The disk of {path.parent} has {free // 10**6:,} MB free, and a backup takes at least "
            f"{wanted // 10**6:,} MB. Name another place, or make room."
        )


class _Backup:
    def __init__(self, writer: ArchiveWriter, made: Made, *, exports: bool, say: Say) -> None:
        self._writer, self._made, self._say = writer, made, say
        self._stores: dict[str, Storage] = {"objects": storage()}
        if exports:
            self._stores["exports"] = exports_storage()
        # 16 bytes for each file instead of its key of 103 letters.
        self._copied: dict[str, dict[bytes, int]] = {kind: {} for kind in self._stores}

    def run(self, beside: Beside) -> None:
        began = datetime.now(UTC)
        with owner_connect() as connection:
            for kind in self._stores:
                self._copy(connection, kind)
        for attempt in range(SNAPSHOTS):
            with snapshot_taken(owner_address()) as (connection, snapshot):
                last = attempt == SNAPSHOTS - 1
                missing = [key for kind in self._stores for key in self._copy(connection, kind)]
                if missing and not last:
                    self._say(f"Files were deleted meanwhile ({len(missing)}); another snapshot is taken")
                    time.sleep(SNAPSHOT_PAUSE_S)
                    continue
                self._made.missing = missing
                self._say("Copying the database …")
                self._writer.add(DUMP, lambda put, name=snapshot: database_dump(put, snapshot=name))  # type: ignore[misc]
                self._end(connection, began, beside)
                return

    def _copy(self, connection: psycopg.Connection[tuple[Any, ...]], kind: str) -> list[str]:
        """Copy the files that this snapshot names and that are not copied yet; return the keys of missing ones."""
        missing, copied, total = [], self._copied[kind], 0
        for key, needed in _named(connection, kind):
            if _short(key) in copied:
                continue
            try:
                with self._stores[kind].open(key) as source:
                    size = self._writer.add_object(f"{kind}/{key}", source, sha256=key.rpartition("/")[2])
            except ObjectMissing:
                size = None
            if size is not None:
                copied[_short(key)] = size
                total += 1
                if total % 500 == 0:
                    self._say(f"{len(copied)} files, {self._writer.written // 10**6:,} MB …")
            elif needed:
                missing.append(f"{kind}/{key}")
        return missing

    def _end(self, connection: psycopg.Connection[tuple[Any, ...]], began: datetime, beside: Beside) -> None:
        for kind in LISTS:
            self._writer.add(LISTS[kind], lambda put, kind=kind: self._list(connection, kind, put))  # type: ignore[misc]
        self._writer.add_bytes(SETTINGS, json.dumps(settings_kept(), indent=1, sort_keys=True).encode())
        self._writer.add_bytes(SECRET_KEY, settings.SECRET_KEY.encode())
        if settings.SECRETS_KEYS:
            self._writer.add_bytes(SECRETS_KEYS, settings.SECRETS_KEYS.encode())
        more = beside(self._writer)
        tables = table_counts(connection)
        self._made.rows = sum(tables.values())
        self._made.documents = tables["library_document"]
        self._writer.end(
            {
                "format": FORMAT,
                "product": "refdesk",
                "version": settings.VERSION,
                "made": began.isoformat(timespec="seconds"),
                "postgres": _server_version(connection),
                "migrations": _migrations(connection),
                "tables": tables,
                "files": self._made.files,
                "missing": self._made.missing,
                "embedding_models": _embedding_models(connection),
                **more,
            }
        )
        self._made.bytes = self._writer.written

    def _list(self, connection: psycopg.Connection[tuple[Any, ...]], kind: str, put: Callable[[bytes], object]) -> None:
        copied = self._copied.get(kind, {})
        count = 0
        for key, _ in _named(connection, kind) if copied else ():
            if (size := copied.get(_short(key))) is not None:
                put(f"{key}\t{size}\n".encode())
                count += 1
        self._made.files[kind] = count


def _named(connection: psycopg.Connection[tuple[Any, ...]], kind: str) -> Iterator[tuple[str, bool]]:
    # A cursor on the server: a million keys would take 200 MB here.
    with connection.cursor(name="named") as cursor:
        cursor.itersize = 2000
        for key, needed in cursor.execute(_NAMED[kind]):
            yield str(key), bool(needed)


def settings_kept() -> dict[str, str]:
    """Return the given settings, including secrets, for another box; for a `_FILE` its content."""
    found = {}
    for name, setting in env.NAMES.items():
        value = None if name in OWN else env.read_deployment(name)
        if value is not None and str(value) != setting.default:
            found[name] = str(value)
    ours = [name.removesuffix("URL") for name, value in found.items() if any(f"//{host}:" in value for host in OURS)]
    return {name: value for name, value in found.items() if not name.startswith(tuple(ours))}


def table_counts(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, int]:
    names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    counts = {}
    for (name,) in names:
        statement = psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(name))
        row = connection.execute(statement).fetchone()
        counts[str(name)] = int(row[0]) if row else 0
    return counts


def _migrations(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for app, name in connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name"):
        found.setdefault(app, []).append(name)
    return found


def _embedding_models(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    rows = connection.execute("SELECT DISTINCT embedding_model FROM library_documentversion WHERE state = 'active'")
    return sorted(model for (model,) in rows if model)


def _server_version(connection: psycopg.Connection[tuple[Any, ...]]) -> str:
    return f"{connection.info.server_version // 10000}.{connection.info.server_version % 10000}"


def _short(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=16).digest()
