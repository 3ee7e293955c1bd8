"""Short statements on PostgreSQL from the event loop, without the ORM and without a thread.

For the few places where every millisecond counts (a chat's turn): the async ORM costs 6.5 to 8.8 ms of CPU for what
two plain statements do in less than one. Each statement is its own transaction, prepared at its second use, and says
its tenant scope (app/lib/tenancy.py) in the same round trip.
"""

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.conf import settings
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.errors import RefdeskError
from app.lib.tenancy import SETTING, scope_now

MOST_CONNECTIONS = 8  # a statement takes milliseconds: 8 serve thousands of streams
WAIT_S = 5.0
# Planned once a connection. By itself PostgreSQL plans the first five uses of each anew: 2 to 9 ms for those of a turn.
GENERIC_PLANS = " -c plan_cache_mode=force_generic_plan"
_SCOPE = f"SELECT set_config('{SETTING}', $1, true)".encode()
Pool = AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]]

_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()


def _conninfo() -> str:
    database = settings.DATABASES["default"]
    options = {key: value for key, value in database["OPTIONS"].items() if key != "pool"}
    options["options"] += GENERIC_PLANS
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: database[key] for name, key in named.items() if database.get(key)}
    return make_conninfo(**given, **options, connect_timeout=3, application_name="refdesk-turns")


def of_organisation(table: str) -> str:
    """The condition on a table's organisation (a parameter of that name) where rows are looked up by their ids.

    Written so that no index serves it: a plan made while the tables were small would go on to read every row of the
    organisation to find 18 of them.
    """
    return f"({table}.organisation_id = %(organisation)s) IS TRUE"


async def _pool() -> Pool:
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        # Prepared from the second use on: the statements are few and long.
        kwargs = {"autocommit": True, "prepare_threshold": 1, "cursor_factory": psycopg.AsyncRawCursor}
        pool = AsyncConnectionPool(
            _conninfo(), min_size=1, max_size=MOST_CONNECTIONS, timeout=WAIT_S, kwargs=kwargs, open=False
        )
        _pools[loop] = pool
        await pool.open()
    return pool


_PARAMETER = re.compile(r"%(?:%|\((\w+)\)s)")


@cache
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """A statement with `$1` for the first name and so on, and the names.

    Done once: psycopg itself reads statements of more than 4,096 characters anew at every use, 0.1 ms for a turn's.
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
    """The rows of one statement, which is a transaction of its own. Statements are constants: each is kept for good.

    After a restart of PostgreSQL every kept connection is dead, so the statement is sent again on the next one. It may
    then have been carried out already: write statements that do no harm the second time, or fail on a unique key.

    Raises:
        RefdeskError: database_unavailable, disk_full.
        psycopg.IntegrityError and other errors of the statement itself.
    """
    try:
        pool = await _pool()
        query, names = _numbered(statement)
        parameters = [values[name] for name in names]
        for _ in range(MOST_CONNECTIONS):
            async with pool.connection() as connection:
                try:
                    # What is sent between two syncs of a pipeline is one transaction.
                    async with connection.pipeline():
                        await connection.execute(_SCOPE, [scope_now()])
                        cursor = await connection.execute(query, parameters)
                    return await cursor.fetchall() if cursor.description else []
                except psycopg.OperationalError:
                    if not connection.closed:
                        raise
        raise RefdeskError("database_unavailable")
    except psycopg.errors.DiskFull as error:
        raise RefdeskError("disk_full") from error
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, OSError) as error:
        raise RefdeskError("database_unavailable", details={"reason": type(error).__name__}) from error
