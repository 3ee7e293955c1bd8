"""Threads for Django's synchronous code, used again by request after request.

Django gives each request a thread of its own, made when it is first needed and ended with the request; three of its
own steps need it in every request. Making threads was a quarter of a turn's CPU (docs/benchmarks.md). A request still
has one thread to itself, so what is bound to a thread (a database connection) is never shared.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler

MOST_KEPT = 32


class RequestThreads(ASGIHandler):
    """Django's ASGI application. `django.setup()` has been called."""

    def __init__(self) -> None:
        super().__init__()
        self._free: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        thread = self._free.pop() if self._free else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            # What a request left running (its reader has gone) keeps its thread busy: the next request waits for it.
            if len(self._free) < MOST_KEPT:
                self._free.append(thread)
            else:
                thread.shutdown(wait=False)
