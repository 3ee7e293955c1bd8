"""Statements from the event loop: one transaction each, prepared once, also after errors and restarts."""

import asyncio
from uuid import UUID

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from app.accounts.models import Organisation
from app.accounts.row_security import as_owner
from app.lib.async_sql import MOST_CONNECTIONS, Connection, _pool, fetch
from app.lib.tenancy import ROLE, organisations_visible

pytestmark = pytest.mark.django_db(transaction=True)
ONE, OTHER = UUID(int=1), UUID(int=2)
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'refdesk-turns' AND datname = current_database()"
)
READ = "SELECT %(id)s::uuid, current_setting('refdesk.scope', true), txid_current_if_assigned() IS NULL"


async def connections() -> list[Connection]:
    """Return the loop's connections, all of them idle."""
    return list((await _pool())._pool)


async def prepared() -> list[bytes]:
    return [query for each in await connections() for query, _ in each.prepared]


@pytest.fixture(autouse=True)
async def one_connection(loop_connections: None) -> None:
    """Reduce the pool to one connection: a pool that is opening may have made two."""
    pool = await _pool()
    await pool.wait()
    while len(await connections()) > 1:
        kept = await pool.getconn()
        await kept.close()
        pool._nconns -= 1


@sync_to_async
def execute(statement: str) -> None:
    """Execute a statement as the owner of the tables."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(statement)


async def test_values_and_rows_keep_their_types() -> None:
    statement = """SELECT %(text)s::text, %(number)s::int, %(ids)s::uuid[], %(yes)s::bool, %(none)s::uuid,
        100 %% 7, %(number)s::int + 1 UNION ALL SELECT NULL, 0, NULL, false, NULL, 0, 0"""
    values = {"text": "ä'\n", "number": 7, "ids": [ONE, OTHER], "yes": True, "none": None}
    assert await fetch(statement, values) == [
        ("ä'\n", 7, [ONE, OTHER], True, None, 2, 8),
        (None, 0, None, False, None, 0, 0),
    ]
    assert await fetch("SELECT 1 WHERE false", {}) == []
    assert await fetch("SET LOCAL statement_timeout = 0", {}) == []


async def test_a_statement_says_its_scope_and_leaves_none_behind() -> None:
    with organisations_visible(ONE):
        assert (await fetch(READ, {"id": ONE}))[0][1] == str(ONE)
    with organisations_visible():
        assert (await fetch(READ, {"id": ONE}))[0][1] == ""


async def test_a_statement_is_prepared_once_for_each_types_of_its_parameters() -> None:
    for _ in range(3):
        await fetch(READ, {"id": ONE})
    await fetch(READ, {"id": None})
    (kept,) = await connections()
    assert len(kept.prepared) == kept.statements == 2


async def test_a_statement_that_fails_changes_nothing_and_the_connection_goes_on(acme: Organisation) -> None:
    rename = """WITH renamed AS (UPDATE accounts_organisation SET name = 'B' RETURNING name)
        SELECT 1 / %(n)s::int, (SELECT name FROM renamed)"""
    with pytest.raises(psycopg.errors.UndefinedTable):
        await fetch("SELECT * FROM nowhere", {})
    with pytest.raises(psycopg.errors.DivisionByZero):
        await fetch(rename, {"n": 0})
    assert await fetch("SELECT name FROM accounts_organisation", {}) == [("Acme",)]
    assert await fetch(rename, {"n": 1}) == [(1, "B")]
    assert await fetch("SELECT name FROM accounts_organisation", {}) == [("B",)]
    # A statement that fails while it runs stays prepared; one that cannot be parsed is not prepared.
    known = b" ".join(await prepared())
    assert (b"renamed" in known, b"nowhere" in known) == (True, False)


async def test_a_table_that_has_changed_is_read_as_it_is_now() -> None:
    await execute(f"CREATE TABLE probe (id int); GRANT ALL ON probe TO {ROLE}; INSERT INTO probe VALUES (1)")
    try:
        assert await fetch("SELECT * FROM probe", {}) == [(1,)]
        await execute("ALTER TABLE probe ADD COLUMN name text DEFAULT 'x'")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            await fetch("SELECT * FROM probe", {})
        assert await fetch("SELECT * FROM probe", {}) == [(1, "x")]
    finally:
        await execute("DROP TABLE probe")


async def test_a_statement_that_is_given_up_is_cancelled_and_its_connection_used_again() -> None:
    (kept,) = await connections()
    sleeping = asyncio.create_task(fetch("SELECT pg_sleep(30)", {}))
    await asyncio.sleep(0.2)
    sleeping.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await sleeping
        assert await fetch("SELECT 1", {}) == [(1,)]
    assert await connections() == [kept]


async def test_connections_that_the_server_has_closed_are_passed_over() -> None:
    await asyncio.gather(*(fetch("SELECT pg_sleep(0.1)", {}) for _ in range(MOST_CONNECTIONS)))
    await execute(TERMINATE)
    assert await fetch("SELECT 1", {}) == [(1,)]


async def test_a_statement_whose_connection_dies_under_it_is_sent_again() -> None:
    sleeping = asyncio.create_task(fetch("SELECT 1 FROM pg_sleep(0.5)", {}))
    await asyncio.sleep(0.2)
    await execute(TERMINATE)
    assert await sleeping == [(1,)]


def test_a_loop_that_ends_after_its_first_statement_ends() -> None:
    for number in range(60):
        assert asyncio.run(fetch("SELECT %(number)s::int", {"number": number})) == [(number,)]
