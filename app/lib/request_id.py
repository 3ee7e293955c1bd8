"""Middleware that gives each request an id: in the response's X-Request-ID, in errors and in the log.

With it goes the id of the trace that the request belongs to (app/lib/trace.py).
"""

from django.http import HttpRequest, HttpResponseBase
from uuid_utils.compat import uuid4

from app.lib.asgi.middleware_function import middleware
from app.lib.trace import trace_enter, trace_leave, traceparent_read


def request_id_get(request: HttpRequest) -> str:
    return getattr(request, "request_id", "")


def _begin(request: HttpRequest) -> None:
    request.request_id = id = uuid4().hex  # type: ignore[attr-defined]
    header = request.META.get("HTTP_TRACEPARENT")
    # A request that no trace brought begins one, by the same random number.
    request.trace_id = (traceparent_read(header) if header else "") or id  # type: ignore[attr-defined]
    trace_enter(request)


def _mark(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response["X-Request-ID"] = request_id_get(request)
    # A stream goes on in a task of its own, which keeps its trace.
    if not response.streaming:
        trace_leave(request)
    return response


RequestIdMiddleware = middleware(_mark, begin=_begin)
