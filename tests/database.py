"""Fixtures of the test database: made once a process by the migrations, emptied after each test that commits."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import TransactionTestCase
from django.test.utils import setup_databases, teardown_databases

from app.lib.tenancy import ACT_AS_ROLE
from tests.engines import POSTGRES

# Rows that the migrations make, and that no test changes.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}
# Larger tables are truncated: deleted rows stay in the file until a vacuum, and the next look would read them all.
TRUNCATED_FROM_BYTES = 256 * 1024
WRITERS_END_S = 30


class CleanDatabase:
    """The database as the migrations left it, restored by emptying the tables that hold rows.

    1 to 7 ms, where Django's `flush` (all tables truncated, content types and permissions made anew, two
    reconnections) takes 570 to 860 ms, and a copy of a template database 120 to 160 ms, on a busy machine of 2 cores.
    """

    def __init__(self, name: str) -> None:
        self._connection = psycopg.connect(POSTGRES.url(name, role="postgres"), autocommit=True)
        # No foreign keys, which would ask for an order, and no triggers of append-only tables.
        self._connection.execute("SET session_replication_role = replica")
        rows = self._connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        self._tables = [table for (table,) in rows if table not in KEPT]
        assert self._tables
        # Rows that the migrations ship, such as plans.
        self._shipped = {table: self._copy_out(table) for table, _ in self._filled()}

    def restore(self) -> None:
        self._await_writers()
        statements = [
            f"TRUNCATE {table} CASCADE" if size > TRUNCATED_FROM_BYTES else f"DELETE FROM {table}"
            for table, size in self._filled()
        ]
        if statements:
            self._connection.execute("; ".join(statements))
        for table, rows in self._shipped.items():
            with self._connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
                copy.write(rows)

    def close(self) -> None:
        self._connection.close()

    def _copy_out(self, table: str) -> bytes:
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as copy:
            return b"".join(copy)

    def _filled(self) -> list[tuple[str, int]]:
        """Return the tables with rows, and their sizes in bytes."""
        parts = (
            f"SELECT '{table}', pg_relation_size('{table}') WHERE EXISTS (SELECT FROM {table})"
            for table in self._tables
        )
        return self._connection.execute(" UNION ALL ".join(parts)).fetchall()

    def _await_writers(self) -> None:
        """Wait for what a test left running: rows that are committed later would be the next test's."""
        deadline = time.monotonic() + WRITERS_END_S
        writers = (
            "SELECT query FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_xid IS NOT NULL"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        while running := self._connection.execute(writers).fetchall():
            assert time.monotonic() < deadline, f"a test has left transactions open: {running}"
            time.sleep(0.01)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: str, valkey: str) -> None:
    """Start the database, and the cache for sessions and streams, before pytest-django makes the test database."""
    # The owner makes databases and tables; the application's role may not.
    options = connection.settings_dict["OPTIONS"]
    options["options"] = options["options"].replace(ACT_AS_ROLE, "")


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: Any
) -> Iterator[CleanDatabase]:
    """Make the test database; at its end, end the connections of others first (threads of async tests).

    In place of pytest-django's own, which makes none for tests that reach the database by a fixture of a module.
    """
    options = connection.settings_dict["OPTIONS"]
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases=["default"])
    _disconnect()
    options["options"] = ACT_AS_ROLE
    database = CleanDatabase(connection.settings_dict["NAME"])
    with pytest.MonkeyPatch.context() as patch:
        # In place of `flush`, Django's way to clean up after a test that commits.
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: database.restore())
        yield database
    database.close()
    _disconnect()
    options["options"] = ""
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                # Not autovacuum, which the owner of the database may not end.
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        teardown_databases(made, verbosity=0)


def _disconnect() -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def clean_database(django_db_setup: CleanDatabase) -> CleanDatabase:
    return django_db_setup


def as_superuser(statement: str, values: Sequence[Any] = ()) -> int:
    """Execute what the application's role may not, such as rewriting history; return the number of rows."""
    address = POSTGRES.url(connection.settings_dict["NAME"], role="postgres")
    with psycopg.connect(address, autocommit=True) as superuser:
        return superuser.execute(statement, values).rowcount
