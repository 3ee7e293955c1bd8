"""Middleware made from a function of a request and its response, for the event loop and for threads."""

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

Next = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
Finish = Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]


def middleware(
    finish: Finish, *, begin: Callable[[HttpRequest], None] = lambda request: None
) -> Callable[[Next], Next]:
    """Make a middleware that calls `begin` before a view and `finish` after it. Neither may block."""

    @sync_and_async_middleware
    def make(get_response: Next) -> Next:
        if iscoroutinefunction(get_response):

            async def respond_async(request: HttpRequest) -> HttpResponseBase:
                begin(request)
                return finish(request, await cast("Awaitable[HttpResponseBase]", get_response(request)))

            return respond_async

        def respond(request: HttpRequest) -> HttpResponseBase:
            begin(request)
            return finish(request, cast("HttpResponseBase", get_response(request)))

        return respond

    return make
