"""Middleware that gives each request an id: in the response's X-Request-ID, in errors and in the log."""

from django.http import HttpRequest, HttpResponseBase
from uuid_utils.compat import uuid4

from app.lib.asgi.middleware_function import middleware


def request_id_get(request: HttpRequest) -> str:
    return getattr(request, "request_id", "")


def _begin(request: HttpRequest) -> None:
    request.request_id = uuid4().hex  # type: ignore[attr-defined]


def _mark(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response["X-Request-ID"] = request_id_get(request)
    return response


RequestIdMiddleware = middleware(_mark, begin=_begin)
