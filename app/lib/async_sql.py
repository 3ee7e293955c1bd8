"""Short statements on PostgreSQL from the event loop, without the ORM and without a thread.

For the few places where every millisecond counts (a chat's turn): the async ORM costs 6.5 to 8.8 ms of CPU for two
statements that cost less than one as plain SQL. Each statement is its own transaction, prepared at its first use on a
connection, and sets its tenant scope (app/lib/tenancy.py) in the same round trip. psycopg's own pipeline waits for its
socket three times for this, through three context managers: 0.17 ms more a statement, measured.
"""

import asyncio
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from django.conf import settings
from psycopg.adapt import PyFormat, Transformer
from psycopg.conninfo import make_conninfo
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.errors import RefdeskError
from app.lib.tenancy import SETTING, scope_now

MOST_CONNECTIONS = 8  # a statement takes milliseconds: 8 serve thousands of streams
WAIT_S = 5.0
# Planned once a connection. PostgreSQL's default plans the first five uses of each anew: 2 to 9 ms for a turn's.
GENERIC_PLANS = " -c plan_cache_mode=force_generic_plan"
_SCOPE = f"SELECT set_config('{SETTING}', $1, true)".encode()
# A migration has changed the tables, or the server has dropped the prepared statement: it is prepared anew.
_PLAN_GONE = (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName)


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection with the names of its prepared statements, by text and types of the parameters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self.statements = 0
        self.knows_scope = False  # whether the statement that sets the scope is prepared


Pool = AsyncConnectionPool[Connection]
Result = TypeVar("Result")
Exchange = Generator[Wait, Ready | int, Result]

_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()


def _conninfo() -> str:
    database = settings.DATABASES["default"]
    options = {key: value for key, value in database["OPTIONS"].items() if key != "pool"}
    options["options"] += GENERIC_PLANS
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: database[key] for name, key in named.items() if database.get(key)}
    return make_conninfo(**given, **options, connect_timeout=3, application_name="refdesk-turns")


def of_organisation(table: str) -> str:
    """Return the condition on a table's organisation (a parameter of that name) where rows are looked up by their ids.

    Written so that no index serves it: a plan made while the tables were small would otherwise go on reading every row
    of the organisation to find 18 of them.
    """
    return f"({table}.organisation_id = %(organisation)s) IS TRUE"


async def _pool() -> Pool:
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = AsyncConnectionPool(
            _conninfo(),
            connection_class=Connection,
            min_size=1,
            max_size=MOST_CONNECTIONS,
            timeout=WAIT_S,
            kwargs={"autocommit": True},
            open=False,
        )
        _pools[loop] = pool
        try:
            # Otherwise the first statement, finding no connection, has a second one made. A loop that ends meanwhile
            # never ends: the pool's worker outlives its cancellation (one in 50 loops, with Python 3.11).
            await pool.open(wait=True, timeout=WAIT_S)
        except PoolTimeout:
            _pools.pop(loop, None)
            raise
    return pool


_PARAMETER = re.compile(r"%(?:%|\((\w+)\)s)")


@cache
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement with `$1` for the first name and so on, and the names.

    Cached: psycopg itself parses statements of more than 4,096 characters at every use, 0.1 ms for a turn's.
    """
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        name = found[1]
        return "%" if name is None else f"${names.setdefault(name, len(names) + 1)}"

    return _PARAMETER.sub(number, statement).encode(), tuple(names)


async def database_close() -> None:
    """Close the running loop's connections."""
    pool = _pools.pop(asyncio.get_running_loop(), None)
    if pool is not None:
        await pool.close()


async def fetch(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of one statement, which is its own transaction. Statements are constants, cached for good.

    After a restart of PostgreSQL every pooled connection is dead, so the statement is sent again on the next one. It
    may then run twice: write statements that are harmless the second time, or fail on a unique key.

    Raises:
        RefdeskError: database_unavailable, disk_full.
        psycopg.IntegrityError and other errors of the statement itself.
    """
    try:
        pool = await _pool()
        query, names = _numbered(statement)
        parameters = [values[name] for name in names]
        for _ in range(MOST_CONNECTIONS + 1):
            connection = await pool.getconn()
            try:
                return await connection.wait(_exchange(connection, query, parameters, scope_now()))
            except psycopg.OperationalError:
                if not connection.closed:
                    raise
            finally:
                await pool.putconn(connection)
        raise RefdeskError("database_unavailable")
    except psycopg.errors.DiskFull as error:
        raise RefdeskError("disk_full") from error
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, OSError) as error:
        raise RefdeskError("database_unavailable", details={"reason": type(error).__name__}) from error


def _exchange(
    connection: Connection, query: bytes, parameters: list[Any], scope: str
) -> Exchange[list[tuple[Any, ...]]]:
    """Set the scope and run the statement in one round trip and one transaction: a pipeline up to its sync is one.

    Yields the socket events to wait for.
    """
    adapter = Transformer(connection)
    dumped = adapter.dump_sequence(parameters, [PyFormat.AUTO] * len(parameters))
    types, formats = adapter.types or (), adapter.formats
    pgconn, key = connection.pgconn, (query, types)
    sends: list[Callable[[], None]] = []
    if not connection.knows_scope:
        sends.append(partial(pgconn.send_prepare, b"scope", _SCOPE))
    sends.append(partial(pgconn.send_query_prepared, b"scope", [scope.encode()]))
    name = connection.prepared.get(key)
    if name is None:
        connection.statements += 1
        name = b"statement_%d" % connection.statements
        sends.append(partial(pgconn.send_prepare, name, query, types))
    sends.append(partial(pgconn.send_query_prepared, name, dumped, formats))
    results = yield from _pipeline(pgconn, sends)
    connection.knows_scope = connection.knows_scope or results[0].status == ExecStatus.COMMAND_OK
    # Prepared statements survive the end of the transaction, failed or not.
    if results[-1].status != ExecStatus.PIPELINE_ABORTED:
        connection.prepared[key] = name
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            error = psycopg.errors.error_from_result(result)
            if isinstance(error, _PLAN_GONE):
                connection.prepared.pop(key, None)
            raise error
    if not results[-1].nfields:
        return []
    adapter.set_pgresult(results[-1])
    return adapter.load_rows(0, results[-1].ntuples, tuple)


def _pipeline(pgconn: PGconn, sends: Sequence[Callable[[], None]]) -> Exchange[list[PGresult]]:
    """Send commands as one pipeline and collect the result of each. An interruption closes the connection."""
    results: list[PGresult] = []
    try:
        pgconn.enter_pipeline_mode()
        for send in sends:
            send()
        pgconn.pipeline_sync()
        while pgconn.flush():
            ready = yield Wait.RW
            if ready & Ready.R:
                pgconn.consume_input()
        while not results or results[-1].status != ExecStatus.PIPELINE_SYNC:
            while pgconn.is_busy():
                yield Wait.R
                pgconn.consume_input()
            # libpq returns None between the results of two commands.
            result = pgconn.get_result()
            if result is not None:
                results.append(result)
        pgconn.exit_pipeline_mode()
    except BaseException:
        pgconn.finish()
        raise
    return results[:-1]
