"""Error responses outside the routes: the API's JSON body under /api/, a plain page everywhere else."""

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string

from app.errors import CODES, error_json
from app.lib.asgi.middleware_function import middleware
from app.lib.request_id import request_id_get

_JSON_PATHS = ("/api/", "/v1/", "/mcp/")


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith(_JSON_PATHS)


def error_response(request: HttpRequest, code: str, *, status: int | None = None) -> HttpResponse:
    """Return the response of an error code, in JSON."""
    body = orjson.dumps(error_json(code, request_id=request_id_get(request)))
    return HttpResponse(body, content_type="application/json", status=status or CODES[code].status)


def _response(request: HttpRequest, code: str, *, page: str, status: int) -> HttpResponse:
    if wants_json(request):
        return error_response(request, code)
    entry = CODES[code]
    context = {"heading": entry.message, "words": entry.hint, "request_id": request_id_get(request)}
    # Without the request: the cause of the error could make a context processor fail too.
    return HttpResponse(render_to_string(page, context), status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _response(request, "invalid_request", page="error.html", status=400)


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


# django-ninja answers a wrong method with plain text, bypassing its own error handlers.
MethodErrorMiddleware = middleware(_method_refused)
