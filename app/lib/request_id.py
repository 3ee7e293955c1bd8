"""Gives each request an id: in the answer's X-Request-ID, in errors and in the log."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from uuid_utils.compat import uuid4

Next = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


def request_id_of(request: HttpRequest) -> str:
    return getattr(request, "request_id", "")


@sync_and_async_middleware
def RequestIdMiddleware(get_response: Next) -> Next:  # noqa: N802 (named as Django names middleware)
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            request.request_id = uuid4().hex  # type: ignore[attr-defined]
            response: HttpResponseBase = await get_response(request)
            response["X-Request-ID"] = request_id_of(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        request.request_id = uuid4().hex  # type: ignore[attr-defined]
        response = get_response(request)
        assert isinstance(response, HttpResponseBase)
        response["X-Request-ID"] = request_id_of(request)
        return response

    return answer
