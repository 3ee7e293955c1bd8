"""Error responses outside the routes: the API's JSON body under /api/, a plain page everywhere else."""

import logging

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string

from app.errors import CODES, error_json
from app.lib.asgi.middleware_function import middleware
from app.lib.authenticate_header import challenge
from app.lib.request_id import request_id_get

log = logging.getLogger(__name__)

_JSON_PATHS = ("/api/", "/v1/", "/mcp/")


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith(_JSON_PATHS)


def error_response(
    request: HttpRequest, code: str, *, status: int | None = None, message: str | None = None
) -> HttpResponse:
    """Return the error of a code, in JSON."""
    body = orjson.dumps(error_json(code, message, request_id=request_id_get(request)))
    return HttpResponse(body, content_type="application/json", status=status or CODES[code].status)


def _response(
    request: HttpRequest, code: str, *, page: str, status: int, message: str | None = None, home: str = "/"
) -> HttpResponse:
    if wants_json(request):
        return error_response(request, code, message=message)
    entry = CODES[code]
    request_id = request_id_get(request)
    context = {"heading": message or entry.message, "words": entry.hint, "request_id": request_id, "home": home}
    # Without the request: a context processor could fail for the reason that caused the error.
    return HttpResponse(render_to_string(page, context), status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _response(request, "invalid_request", page="error.html", status=400)


def wrong_host(request: HttpRequest) -> HttpResponse:
    """Return the response to a request for a host name that is none of ours, and log one line of it."""
    host, address = request.META.get("HTTP_HOST", "")[:100], settings.PUBLIC_URL
    log.warning(
        "request %s: refused for the host %r: this Refdesk answers at %s (REFDESK_URL)",
        request_id_get(request),
        host,
        address,
    )
    message = f"This Refdesk answers at {address}, not at the name that you used."
    return _response(request, "wrong_host", page="error.html", status=400, message=message, home=address)


def not_allowed(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _response(request, "not_allowed", page="403.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _response(request, "not_found", page="404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _response(request, "internal", page="500.html", status=500)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return the response of Django's CSRF_FAILURE_VIEW."""
    return _response(request, "csrf_failed", page="403_csrf.html", status=403)


def _method_refused(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if (
        response.status_code != 405
        or not wants_json(request)
        or response["Content-Type"].startswith("application/json")
    ):
        return response
    refusal = error_response(request, "method_not_allowed")
    if "Allow" in response:
        refusal["Allow"] = response["Allow"]
    return refusal


def _challenged(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code == 401 and "WWW-Authenticate" not in response:
        response["WWW-Authenticate"] = challenge(request)
    return response


# A 401 names the way to authenticate wherever it comes from: a route, a page, the metrics.
ChallengeMiddleware = middleware(_challenged)
# django-ninja answers a wrong method with plain text, past its own error handlers.
MethodErrorMiddleware = middleware(_method_refused)
