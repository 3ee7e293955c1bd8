"""Middleware that logs a line for each request, with REFDESK_LOG_FORMAT=json only: its route, and never its path."""

import logging
import time

from django.http import HttpRequest, HttpResponseBase

from app.lib.asgi.middleware_function import middleware

log = logging.getLogger(__name__)


def _begin(request: HttpRequest) -> None:
    request._began = time.perf_counter()  # type: ignore[attr-defined]


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    began: float = request._began  # type: ignore[attr-defined]
    fields = {
        "method": request.method,
        "route": request.resolver_match.route if request.resolver_match else None,
        "status": response.status_code,
        # Of a stream: until it begins. Its turn says how long it took.
        "latency_ms": round((time.perf_counter() - began) * 1000, 1),
    }
    log.info("request", extra={"fields": fields})
    return response


RequestLogMiddleware = middleware(_finish, begin=_begin)
