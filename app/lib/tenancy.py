"""Which organisations' rows the running code may see: the database's own wall behind the selectors' filters.

Each transaction tells PostgreSQL its scope (`refdesk.scope`), and the row-level security of every tenant's table
(app/accounts/row_security.py) shows rows of those organisations only. Code that says nothing sees nothing.

A request gets its scope where its caller is known (app/accounts/auth.py, app/portal/pages.py, the admin site). What
runs by itself says what it sees: `organisations_visible(id)` for one organisation's work, `everything_visible()` for
the box's own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase

from app.lib.asgi.middleware_function import middleware

SETTING = "refdesk.scope"
# What the application's connections act as: it owns no table, so that row-level security holds for it.
ROLE = "refdesk_app"
# Said with the connection itself: Django's `assume_role` waits for itself where there is a pool (5.2).
ACT_AS_ROLE = f"-c role={ROLE}"
NOTHING, EVERYTHING = "", "all"

_scope: ContextVar[str] = ContextVar("tenant_scope", default=NOTHING)


def scope_now() -> str:
    """The value of `refdesk.scope`: organisation ids with commas between, `all`, or nothing."""
    return _scope.get()


def scope_of(organisations: tuple[UUID, ...]) -> str:
    # Formed of UUIDs alone: it goes into SQL text.
    return ",".join(str(UUID(str(organisation))) for organisation in organisations)


def scope_enter(*organisations: UUID) -> None:
    """For the rest of the running request."""
    _scope.set(scope_of(organisations))


def scope_enter_everything() -> None:
    """For the rest of the running request, command, thread or task."""
    _scope.set(EVERYTHING)


@contextmanager
def organisations_visible(*organisations: UUID) -> Iterator[None]:
    token = _scope.set(scope_of(organisations))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def everything_visible() -> Iterator[None]:
    token = _scope.set(EVERYTHING)
    try:
        yield
    finally:
        _scope.reset(token)


_OUTSIDE_TRANSACTIONS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK")


def statement_scoped(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Django's execute wrapper: says the scope in the same message as the statement, which share one transaction.

    No round trip more; 10 to 20 µs a statement (docs/decisions/0003).
    """
    # After an error only a rollback may come, and a savepoint reads no rows.
    if sql.startswith(_OUTSIDE_TRANSACTIONS):
        return execute(sql, params, many, context)
    if many:
        raise NotImplementedError("executemany sends each set of values by itself; write one statement")
    result = execute(f"SET LOCAL {SETTING} = '{_scope.get()}'; {sql}", params, many, context)
    # The first of the two results is that of SET.
    context["cursor"].nextset()
    return result


def connection_guard(*, connection: Any, **_: Any) -> None:
    """For Django's signal `connection_created`. The owner's work on the schema sees everything."""
    wrappers = connection.execute_wrappers
    if ACT_AS_ROLE in connection.settings_dict["OPTIONS"]["options"]:
        if statement_scoped not in wrappers:
            wrappers.append(statement_scoped)
        return
    if statement_scoped in wrappers:
        wrappers.remove(statement_scoped)
    with connection.cursor() as cursor:
        cursor.execute(f"SET {SETTING} = '{EVERYTHING}'")


def _begin(request: HttpRequest) -> None:
    request._scope_before = _scope.set(NOTHING)  # type: ignore[attr-defined]


def _end(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    # A stream goes on in the scope that its maker kept for it (app/lib/sse.py).
    _scope.reset(request._scope_before)  # type: ignore[attr-defined]
    return response


# A request begins with nothing, whatever ran on its thread before.
TenancyMiddleware = middleware(_end, begin=_begin)
