"""The whole REST surface: `/api/v1`."""

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import orjson
import psycopg
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, RawPostDataException
from django.http.multipartparser import MultiPartParserError
from django.urls import reverse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from app.accounts.api import router as accounts
from app.accounts.auth import caller_identify, policy
from app.analytics.api import router as usage
from app.api_page import ApiPage
from app.audit.api import router as audit
from app.bots.api import router as bots
from app.chat.api import router as chat
from app.errors import CODES, RefdeskError, retry_after
from app.lib.authenticate_header import challenge_of_scope
from app.lib.json_body import JSON, json_body
from app.lib.request_id import request_id_get
from app.library.api.documents import router as documents
from app.library.api.sources import router as sources
from app.llm.api import router as llm
from app.operations.metrics import ERRORS
from app.privacy.api import router as privacy
from app.retrieval.api import router as retrieval
from app.settings import VERSION

log = logging.getLogger(__name__)


class OrjsonRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data, default=str)


class OrjsonParser(Parser):
    """The parser of every JSON body but that of a push, which is a form or JSON."""

    def parse_body(self, request: HttpRequest) -> Any:
        return json_body(request)


class Surface(NinjaAPI):
    """The API, whose description has operation ids, the API key and the error schema as client generators need them."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**kwargs)
        schema["components"]["securitySchemes"] = {"key": policy.openapi_security_schema}
        schema["components"]["schemas"]["Error"] = ERROR_SCHEMA
        error = {"$ref": "#/components/schemas/Error"}
        for methods in schema["paths"].values():
            for call in methods.values():
                call["security"] = [{"key": []}]
                # A sentence, where ninja makes words of the function's name.
                call["summary"] = " ".join(call.get("description", call["summary"]).split("\n\n")[0].split())
                call["responses"]["default"] = {
                    "description": "Any error",
                    "content": {"application/json": {"schema": error}},
                }
        return schema


ERROR_SCHEMA = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "enum": sorted(CODES)},
                "message": {"type": "string"},
                "details": {"type": "object"},
                "request_id": {"type": "string"},
            },
            "required": ["code", "message", "details", "request_id"],
        }
    },
    "required": ["error"],
}


def _members_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Restrict the API's description to callers who may use the API."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            caller_identify(request)
        except RefdeskError as error:
            if request.path == reverse("api:openapi-view") and error.code == "not_signed_in":
                return redirect_to_login(request.get_full_path())
            return error_response(request, error)
        return view(request, *args, **kwargs)

    return guarded


api = Surface(
    title="Refdesk",
    version=VERSION,
    renderer=OrjsonRenderer(),
    parser=OrjsonParser(),
    docs=ApiPage(),
    docs_url="/docs",
    docs_decorator=_members_only,
    urls_namespace="api",
)
api.add_router("", accounts)
api.add_router("", audit)
api.add_router("", usage)
api.add_router("", documents)
api.add_router("", sources)
api.add_router("", retrieval)
api.add_router("", llm)
api.add_router("", bots)
api.add_router("", chat)
api.add_router("", privacy)


def error_response(request: HttpRequest, error: RefdeskError) -> HttpResponse:
    """Return the response for an error; every error response of the API is made here."""
    ERRORS.labels(error.code).inc()
    answer = api.create_response(request, error.as_json(request_id_get(request)), status=error.status)
    if error.status == 403 and (header := challenge_of_scope(request, error)):
        answer["WWW-Authenticate"] = header
    if error.retry_after_s is not None:
        answer["Retry-After"] = retry_after(error)
    return answer


@api.exception_handler(RefdeskError)
def _refdesk_error(request: HttpRequest, error: RefdeskError) -> HttpResponse:
    return error_response(request, error)


@api.exception_handler(ValidationError)
def _validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    if any(one["type"] == "missing" and one["loc"][0] == "body" and len(one["loc"]) == 2 for one in error.errors):
        return error_response(request, RefdeskError("malformed_body", "The body of the request is empty."))
    fields = [{"field": _field(one["loc"]), "message": one["msg"]} for one in error.errors]
    return error_response(request, RefdeskError("invalid_request", details={"fields": fields}))


def _field(place: Sequence[Any]) -> str:
    """Return `body.stream` for ("body", "turn", "stream"): the group's name in the middle is not in the request."""
    grouped = len(place) > 2 and (place[0] == "body" or place[1] == "ninja_pagination")
    parts = [*place[:1], *place[2:]] if grouped else place
    return ".".join(str(part) for part in parts)


@api.exception_handler(AuthenticationError)
def _authentication_error(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return error_response(request, RefdeskError("not_signed_in"))


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    # The parser's error, which django-ninja wraps.
    if isinstance(error.__cause__, RefdeskError):
        return error_response(request, error.__cause__)
    if error.status_code == 400:
        return error_response(request, RefdeskError("malformed_body"))
    codes = {404: "not_found", 405: "method_not_allowed"}
    return error_response(request, RefdeskError(codes.get(error.status_code, "invalid_request"), error.message))


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return error_response(request, RefdeskError("not_found"))


@api.exception_handler(RawPostDataException)
def _wrong_media_type(request: HttpRequest, error: RawPostDataException) -> HttpResponse:
    return error_response(request, RefdeskError("wrong_content_type", details={"expected": [JSON]}))


@api.exception_handler(MultiPartParserError)
@api.exception_handler(SuspiciousOperation)
def _unreadable(request: HttpRequest, error: Exception) -> HttpResponse:
    if isinstance(error, RequestDataTooBig):
        return error_response(request, RefdeskError("request_too_large"))
    return error_response(request, RefdeskError("malformed_body", f"The form cannot be read: {_form_fault(error)}"))


def _form_fault(error: Exception) -> str:
    """Return why a form was refused, in words of ours: the framework's may repeat what was sent."""
    if isinstance(error, TooManyFieldsSent | TooManyFilesSent):
        return "it has too many fields or files."
    return "it is cut off, or its boundary is not the one in Content-Type."


# PostgreSQL refuses values that no schema can check: a NUL in a text, a number beyond its column.
@api.exception_handler(DataError)
@api.exception_handler(psycopg.DataError)
def _refused_by_database(request: HttpRequest, error: Exception) -> HttpResponse:
    return error_response(
        request, RefdeskError("invalid_request", "A value cannot be stored: too large, or it holds NUL.")
    )


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
@api.exception_handler(psycopg.OperationalError)
def _database_gone(request: HttpRequest, error: Exception) -> HttpResponse:
    if isinstance(error.__cause__ or error, psycopg.errors.DiskFull):
        return error_response(request, RefdeskError("disk_full"))
    log.warning("request %s: the database does not answer (%s)", request_id_get(request), type(error).__name__)
    return error_response(request, RefdeskError("database_unavailable", retry_after_s=5))


@api.exception_handler(Exception)
def _internal(request: HttpRequest, error: Exception) -> HttpResponse:
    # The text of an unexpected error may contain a document's words: only the traceback goes to the log.
    log.exception("request %s failed", request_id_get(request))
    return error_response(request, RefdeskError("internal"))
