"""Threads for Django's synchronous code, used again by request after request.

Django gives each request a thread of its own, made when it is first needed and ended with the request; three of its
own steps need it in every request. Making threads was a quarter of a turn's CPU (docs/benchmarks.md). A request still
has one thread to itself, so what is bound to a thread (a database connection) is never shared.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.db.backends.signals import connection_created

from app.lib.asgi.body import Arriving, BodyRequest, body_read

MOST_KEPT = 32
# Of the running request: one entry for each connection to the database that was opened for it.
_opened: ContextVar[list[bool] | None] = ContextVar("database_opened", default=None)
# Room beside the data for the frame of a form.
FRAME_BYTES = 64 * 1024


def connection_noted(**_: Any) -> None:
    """For Django's signal `connection_created`."""
    opened = _opened.get()
    if opened is not None:
        opened.append(True)


async def connections_give_back() -> None:
    """Close the running request's connections. A request that opened none is spared the way to its thread."""
    if _opened.get() != []:
        await sync_to_async(connections.close_all)()


class RequestThreads(ASGIHandler):
    """Django's ASGI application. `django.setup()` has been called.

    files_at: the paths that take files, with the bytes that one request may bring there.
    """

    request_class = BodyRequest

    def __init__(self, files_at: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self._files_at = dict(files_at or {})
        self._free: list[ThreadPoolExecutor] = []
        connection_created.connect(connection_noted)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _opened.set([])
        thread = self._free.pop() if self._free else ThreadPoolExecutor(1, thread_name_prefix="request")
        arriving = Arriving(receive, self._most(scope))
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, arriving, send)
        except asyncio.CancelledError:
            # The process ends and the server waits no longer for a stream. Raised, it would be logged as our failure.
            arriving.dropped = True
        finally:
            # What a request left running (its reader has gone) keeps its thread busy: the next request waits for it.
            if len(self._free) < MOST_KEPT:
                self._free.append(thread)
            else:
                thread.shutdown(wait=False)

    def _most(self, scope: Any) -> int:
        """Bytes that a request's body may have; 0 for one that announces more."""
        most = self._files_at.get(scope["path"], settings.DATA_UPLOAD_MAX_MEMORY_SIZE + FRAME_BYTES)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        return most if announced.isdigit() and int(announced[:20]) <= most else 0

    async def read_body(self, receive: Any) -> Any:
        return await body_read(receive)
