"""The whole REST surface: `/api/v1`."""

import logging
from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.renderers import BaseRenderer

from app.accounts.api import router as accounts
from app.errors import RefdeskError, error_json
from app.lib.request_id import request_id_of
from app.settings import VERSION

log = logging.getLogger(__name__)


class OrjsonRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data, default=str)


api = NinjaAPI(title="Refdesk", version=VERSION, renderer=OrjsonRenderer(), docs_url="/docs", urls_namespace="api")
api.add_router("", accounts)


def error_answer(request: HttpRequest, error: RefdeskError) -> HttpResponse:
    """The one way an error becomes an HTTP answer."""
    answer = api.create_response(request, error.as_json(request_id_of(request)), status=error.status)
    if error.retry_after_s is not None:
        answer["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return answer


@api.exception_handler(RefdeskError)
def _refdesk_error(request: HttpRequest, error: RefdeskError) -> HttpResponse:
    return error_answer(request, error)


@api.exception_handler(ValidationError)
def _validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = [{"field": ".".join(str(part) for part in one["loc"]), "message": one["msg"]} for one in error.errors]
    return error_answer(request, RefdeskError("invalid_request", details={"fields": fields}))


@api.exception_handler(AuthenticationError)
def _authentication_error(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return error_answer(request, RefdeskError("not_signed_in"))


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    codes = {404: "not_found", 405: "method_not_allowed"}
    code = codes.get(error.status_code, "invalid_request")
    body = error_json(code, error.message, request_id=request_id_of(request))
    return api.create_response(request, body, status=error.status_code)


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return error_answer(request, RefdeskError("not_found"))


@api.exception_handler(Exception)
def _internal(request: HttpRequest, error: Exception) -> HttpResponse:
    # The text of an unexpected error may hold a document's words: only its place goes to the log.
    log.exception("request %s failed", request_id_of(request))
    return error_answer(request, RefdeskError("internal"))
