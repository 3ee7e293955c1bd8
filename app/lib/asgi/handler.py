"""Django's ASGI handler with threads that are reused between requests, and no thread where a request needs none.

Django starts a thread for each request's synchronous code and ends it with the request. Starting threads was a quarter
of a turn's CPU (bench/README.md). A request still has one thread to itself, so a database connection, which is bound
to a thread, is never shared. Django also goes to that thread before and after each request, for what looks after its
database connections; a request that opened none is spared that, a fifteenth of a turn.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import connections
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponseBase
from django.urls import set_script_prefix

from app.lib.asgi.body import BodyReceiver, BodyRequest, body_read

IDLE_THREADS = 32
# One entry for each database connection opened for the running request.
_opened: ContextVar[list[bool] | None] = ContextVar("database_opened", default=None)
# Bytes of a form in addition to its files.
FRAME_BYTES = 64 * 1024


def connection_record(**_: Any) -> None:
    """Record an opened connection: a receiver of Django's signal `connection_created`."""
    opened = _opened.get()
    if opened is not None:
        opened.append(True)


async def connections_give_back() -> None:
    """Close the running request's connections. A request without any skips the hop to its thread."""
    opened = _opened.get()
    if opened != []:
        await sync_to_async(connections.close_all)()
        if opened:
            opened.clear()


async def response_close(response: HttpResponseBase) -> None:
    """Close a sent response: in the request's thread with Django's signal if connections are open, else here."""
    if _opened.get() != []:
        await sync_to_async(response.close)()
        return
    closers: list[Any] = response._resource_closers  # type: ignore[attr-defined]
    for close in closers:
        with contextlib.suppress(Exception):  # as Django does
            close()
    closers.clear()
    response.closed = True


class ThreadReusingHandler(ASGIHandler):
    """Django's ASGI application; create it after `django.setup()`.

    files_at: patterns of the paths that accept files, with the byte limit of one request there.
    """

    request_class = BodyRequest

    def __init__(self, files_at: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self._files_at = [(re.compile(pattern), most) for pattern, most in (files_at or {}).items()]
        self._free: list[ThreadPoolExecutor] = []
        connection_created.connect(connection_record)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _opened.set([])
        thread = self._free.pop() if self._free else ThreadPoolExecutor(1, thread_name_prefix="request")
        receiver = BodyReceiver(receive, self._body_limit(scope), form=self._form(scope))
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receiver, send)
        except asyncio.CancelledError:
            # The process ends and the server no longer waits for a stream. A raised error would be logged as a
            # failure of the application.
            receiver.dropped = True
        finally:
            # Code that a request left running (its client has disconnected) keeps its thread busy: the next request
            # waits for this code.
            if len(self._free) < IDLE_THREADS:
                self._free.append(thread)
            else:
                thread.shutdown(wait=False)

    def file_limit(self, path: str) -> int:
        """Return the byte limit of a request that uploads files to a path; 0 where uploads are not accepted."""
        return next((most for pattern, most in self._files_at if pattern.fullmatch(path)), 0)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. Django's own handle sends request_started, whose receivers check connections."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with contextlib.closing(body):
            set_script_prefix(get_script_prefix(scope))
            response: HttpResponseBase | None
            request, response = self.create_request(scope, body)
            if request is not None:
                response = await self._respond(request, receive, send)
            elif response is not None:
                await self.send_response(response, send)
            if response is None:
                await connections_give_back()
            else:
                await response_close(response)

    async def _respond(self, request: HttpRequest, receive: Any, send: Any) -> HttpResponseBase | None:
        """Send the response to a request and return it; None when the client disconnected before there was one."""
        leaving = asyncio.create_task(self.listen_for_disconnect(receive))
        responding = asyncio.create_task(self._send_response_to(request, send))
        await asyncio.wait((leaving, responding), return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            # A view may catch its cancellation, so it is awaited.
            responding.cancel()
            await asyncio.wait((responding,))
            with contextlib.suppress(RequestAborted):
                leaving.result()
        else:
            leaving.cancel()
            await asyncio.wait((leaving,))
        return None if responding.cancelled() else responding.result()

    async def _send_response_to(self, request: HttpRequest, send: Any) -> HttpResponseBase:
        response: HttpResponseBase = await self.run_get_response(request)
        # If the client disconnects meanwhile, the response is still closed.
        with contextlib.suppress(asyncio.CancelledError):
            await self.send_response(response, send)
        return response

    def _body_limit(self, scope: Any) -> int:
        """Return the byte limit of a request's body; 0 for a request that announces more."""
        most = self.file_limit(scope["path"]) or settings.DATA_UPLOAD_MAX_MEMORY_SIZE + FRAME_BYTES
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        return most if announced.isdigit() and int(announced[:20]) <= most else 0

    def _form(self, scope: Any) -> str:
        """Return the content type of a form to a path that accepts files, else an empty one."""
        content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
        is_form = scope["method"] == "POST" and content_type.lower().startswith("multipart/form-data")
        return content_type if is_form and self.file_limit(scope["path"]) else ""

    async def read_body(self, receive: Any) -> Any:
        return await body_read(receive)
