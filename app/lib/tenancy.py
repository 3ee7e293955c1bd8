"""The tenant scope: the organisations whose rows the running code may see, by row-level security behind the filters.

Each transaction sets its scope in PostgreSQL (`refdesk.scope`), and the row-level security of every tenant table
(app/accounts/row_security.py) shows only rows of those organisations. Code without a scope sees no rows.

A request gets its scope where its caller is identified (app/accounts/auth.py, app/portal/pages.py, the admin site).
Code outside requests sets its own scope: `organisations_visible(id)` for one organisation's work,
`everything_visible()` for the box's own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase

from app.lib.asgi.middleware_function import middleware

SETTING = "refdesk.scope"
# The role of the application's connections: it owns no table, so that row-level security applies to it.
ROLE = "refdesk_app"
# Set in the connection options: Django's `assume_role` deadlocks with a pool (5.2).
ACT_AS_ROLE = f"-c role={ROLE}"
NOTHING, EVERYTHING = "", "all"

_scope: ContextVar[str] = ContextVar("tenant_scope", default=NOTHING)


def scope_now() -> str:
    """Return the value of `refdesk.scope`: organisation ids separated by commas, `all`, or nothing."""
    return _scope.get()


def scope_value(organisations: tuple[UUID, ...]) -> str:
    # Made of UUIDs only: the value goes into SQL text.
    return ",".join(str(UUID(str(organisation))) for organisation in organisations)


def scope_enter(*organisations: UUID) -> None:
    """Set the scope for the rest of the running request."""
    _scope.set(scope_value(organisations))


def scope_enter_everything() -> None:
    """Make everything visible for the rest of the running request, command, thread or task."""
    _scope.set(EVERYTHING)


@contextmanager
def organisations_visible(*organisations: UUID) -> Iterator[None]:
    token = _scope.set(scope_value(organisations))
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
    """Send the scope in the same message and transaction as the statement: a wrapper of Django's execute.

    It adds no round trip; 10 to 20 µs a statement (docs/decisions/0003).
    """
    # After an error only a rollback is allowed, and a savepoint reads no rows.
    if sql.startswith(_OUTSIDE_TRANSACTIONS):
        return execute(sql, params, many, context)
    if many:
        raise NotImplementedError("executemany sends each set of values by itself; write one statement")
    result = execute(f"SET LOCAL {SETTING} = '{_scope.get()}'; {sql}", params, many, context)
    # The first of the two results belongs to SET.
    context["cursor"].nextset()
    return result


def connection_guard(*, connection: Any, **_: Any) -> None:
    """Wrap a connection's statements: a receiver of `connection_created`.

    The owner role, used for the schema, sees everything.
    """
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
    # A stream continues in the scope that app/lib/sse.py saved for it.
    _scope.reset(request._scope_before)  # type: ignore[attr-defined]
    return response


# A request begins with an empty scope, whatever its thread did before.
TenancyMiddleware = middleware(_end, begin=_begin)
