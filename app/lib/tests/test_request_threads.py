import asyncio
import threading
from typing import Any

from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import Settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from app.lib.request_threads import RequestThreads

together = threading.Barrier(2, timeout=5)


async def name(request: HttpRequest) -> HttpResponse:
    return HttpResponse(await sync_to_async(lambda: threading.current_thread().name)())


async def meet(request: HttpRequest) -> HttpResponse:
    """Answers only when another request is in its thread at the same time."""
    await sync_to_async(together.wait)()
    return HttpResponse("met")


urlpatterns = [path("name", name), path("meet", meet)]


async def get(application: RequestThreads, where: str) -> bytes:
    scope = {"type": "http", "method": "GET", "path": where, "headers": [], "query_string": b"", "http_version": "1.1"}
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request"})
    await communicator.receive_output(5)
    body: dict[str, Any] = await communicator.receive_output(5)
    await communicator.wait(5)
    return bytes(body["body"])


async def test_a_thread_is_used_again_by_the_next_request(settings: Settings) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    application = RequestThreads()
    assert len({await get(application, "/name") for _ in range(5)}) == 1


async def test_requests_at_the_same_time_have_a_thread_each(settings: Settings) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    application = RequestThreads()
    assert await asyncio.gather(get(application, "/meet"), get(application, "/meet")) == [b"met", b"met"]
