"""The trace of the running code: ids that join the lines of a request, of its turn and of the jobs that it made.

The trace id is that of the caller's `traceparent` (W3C Trace Context), or the request's own id where there is none.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest

# Version ff is none, and 00 ends with its flags; later versions may say more. Ids of zeros alone are none.
_TRACEPARENT = re.compile(
    r"(?:00|(?!00|ff)[0-9a-f]{2}(?=-.{52}(?:-|$)))-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


@dataclass(frozen=True, slots=True)
class Trace:
    """Ids alone. client_id: of the API key or the user. organisation: of a request whose caller is known."""

    trace_id: str = ""
    request_id: str = ""
    client_id: str = ""
    organisation: str = ""


NO_TRACE = Trace()
_now: ContextVar[Trace | HttpRequest | None] = ContextVar("trace", default=None)


def traceparent_read(header: str) -> str:
    """Return the trace id of a `traceparent`, or "" when it is not a valid one."""
    found = _TRACEPARENT.match(header)
    if found is None or (header.startswith("00") and len(header) != found.end()):
        return ""
    return found[1]


def trace_now() -> Trace:
    """Return the trace of the running code. Reads nothing from the database."""
    current = _now.get()
    if current is None:
        return NO_TRACE
    return current if isinstance(current, Trace) else trace_of(current)


def trace_of(request: HttpRequest) -> Trace:
    caller = getattr(request, "caller", None)
    organisation = caller.organisation_id if caller is not None else getattr(request, "organisation_id", None)
    return Trace(
        getattr(request, "trace_id", ""),
        getattr(request, "request_id", ""),
        _client(request),
        str(organisation) if organisation else "",
    )


def trace_id_now() -> str:
    """Return the trace id of the running code, or ""."""
    return getattr(_now.get(), "trace_id", "")


def trace_enter(trace: Trace | HttpRequest) -> None:
    """Set the trace of this task or thread from now on. A request is asked for its caller when a line is written."""
    _now.set(trace)


def trace_leave(request: HttpRequest) -> None:
    """End a request's trace, unless the running code has another one already."""
    if _now.get() is request:
        _now.set(None)


@contextmanager
def traced(trace: Trace) -> Iterator[None]:
    token = _now.set(trace)
    try:
        yield
    finally:
        _now.reset(token)


def _client(request: HttpRequest) -> str:
    caller = getattr(request, "caller", None)
    id: UUID | None = None
    if caller is not None:
        id = caller.api_key_id or caller.user_id
    else:
        # Only a session's user that somebody has read already: a line of the log reads no row.
        user = getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)
        id = user.pk if user is not None else None
    return str(id) if id else ""
