"""The Content-Security-Policy of every page: nothing runs, loads or is embedded that Refdesk did not ship."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Unfold's Alpine.js evaluates expressions and sets styles inline.
ADMIN = (
    "default-src 'none'; script-src 'self' 'unsafe-eval' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "font-src 'self'; img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# Swagger's page sets styles inline.
DOCS = STRICT.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
DOCS_PATH = "/api/v1/docs"

Next = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


def _mark(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if "Content-Security-Policy" not in response:
        policy = ADMIN if request.path.startswith("/admin/") else DOCS if request.path == DOCS_PATH else STRICT
        response["Content-Security-Policy"] = policy
    return response


@sync_and_async_middleware
def ContentPolicyMiddleware(get_response: Next) -> Next:  # noqa: N802 (named as Django names middleware)
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _mark(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        assert isinstance(response, HttpResponseBase)
        return _mark(request, response)

    return answer
