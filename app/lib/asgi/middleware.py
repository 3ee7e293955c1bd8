"""Django's own middleware without a hop to a thread for each step.

Django runs the synchronous halves of its middleware in a thread, two hops each: 1.2 ms of CPU a request, a quarter of
a whole chat turn (bench/README.md). They only read and set headers; steps that may reach the database (a changed
session, shown messages) still run in the thread.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponseBase
from django.middleware import clickjacking, common, csrf, security
from django.utils.deprecation import MiddlewareMixin

from app.lib.error_responses import wrong_host


class _Direct(MiddlewareMixin):
    """Middleware that runs `process_request` and `process_response` in the event loop."""

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        before: Any = getattr(self, "process_request", None)
        response = before(request) if before is not None else None
        if response is None:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        after: Any = getattr(self, "process_response", None)
        if after is None:
            return cast("HttpResponseBase", response)
        if self.needs_thread(request):
            after = sync_to_async(after, thread_sensitive=True)
            return cast("HttpResponseBase", await after(request, response))
        return cast("HttpResponseBase", after(request, response))

    def needs_thread(self, request: HttpRequest) -> bool:
        """Return whether `process_response` may reach the database."""
        return False


class SecurityMiddleware(_Direct, security.SecurityMiddleware):
    pass


class CommonMiddleware(_Direct, common.CommonMiddleware):
    def process_request(self, request: HttpRequest) -> Any:
        """Refuse a foreign host name plainly: left to Django, each such request is a traceback in the log."""
        try:
            request.get_host()
        except DisallowedHost:
            return wrong_host(request)
        return super().process_request(request)


class XFrameOptionsMiddleware(_Direct, clickjacking.XFrameOptionsMiddleware):
    pass


class AuthenticationMiddleware(_Direct, auth.AuthenticationMiddleware):
    """Authentication that reads `request.user` from the database at its first use."""


class SessionMiddleware(_Direct, sessions.SessionMiddleware):
    def needs_thread(self, request: HttpRequest) -> bool:
        return bool(request.session.modified)


class MessageMiddleware(_Direct, messages.MessageMiddleware):
    def needs_thread(self, request: HttpRequest) -> bool:
        storage: Any = getattr(request, "_messages", None)
        return storage is not None and bool(storage.used or storage.added_new)


class CsrfViewMiddleware(_Direct, csrf.CsrfViewMiddleware):
    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if self.async_mode:
            check = self.process_view

            async def process_view(request: HttpRequest, *args: Any) -> Any:
                return check(request, *args)

            self.process_view = process_view  # type: ignore[method-assign,assignment]
