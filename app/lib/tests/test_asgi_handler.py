import asyncio
import gc
import logging
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import uvicorn
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import Settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path

from app.lib.asgi.handler import ThreadReusingHandler
from app.lib.sse import Event, sse

together = threading.Barrier(2, timeout=5)


async def name(request: HttpRequest) -> HttpResponse:
    return HttpResponse(await sync_to_async(lambda: threading.current_thread().name)())


async def meet(request: HttpRequest) -> HttpResponse:
    """Respond only when another request is in its thread at the same time."""
    await sync_to_async(together.wait)()
    return HttpResponse("met")


async def endless(request: HttpRequest) -> HttpResponseBase:
    async def events() -> AsyncIterator[Event]:
        yield Event("start", {})
        await asyncio.sleep(3600)

    return await sse(events())


class Closing(HttpResponse):
    """A response that records the thread in which its resources are closed."""

    def __init__(self, content: str) -> None:
        super().__init__(content)
        self._resource_closers.append(self.note)

    def note(self) -> None:
        closings.append(threading.current_thread().name)


closings: list[str] = []
opened: list[Any] = []


async def plain(request: HttpRequest) -> HttpResponse:
    return Closing("plain")


async def reading(request: HttpRequest) -> HttpResponse:
    """Open a connection in the request's thread."""

    def read() -> None:
        opened.append(connections["default"])
        opened[0].ensure_connection()

    await sync_to_async(read)()
    return Closing("reading")


async def slow(request: HttpRequest) -> HttpResponse:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        closings.append("cancelled")
        raise
    return HttpResponse()


urlpatterns = [path(view.__name__, view) for view in (name, meet, endless, plain, reading, slow)]


def scope_of(where: str) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": where, "headers": [], "query_string": b"", "http_version": "1.1"}


async def get(application: ThreadReusingHandler, where: str) -> bytes:
    communicator = ApplicationCommunicator(application, scope_of(where))
    await communicator.send_input({"type": "http.request"})
    await communicator.receive_output(5)
    body: dict[str, Any] = await communicator.receive_output(5)
    await communicator.wait(5)
    return bytes(body["body"])


async def test_a_thread_is_used_again_by_the_next_request(settings: Settings) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    application = ThreadReusingHandler()
    assert len({await get(application, "/name") for _ in range(5)}) == 1


async def test_requests_at_the_same_time_have_a_thread_each(settings: Settings) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    application = ThreadReusingHandler()
    assert await asyncio.gather(get(application, "/meet"), get(application, "/meet")) == [b"met", b"met"]


async def test_a_request_without_a_connection_is_closed_without_a_thread(settings: Settings) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    application = ThreadReusingHandler()
    closings.clear()
    assert await get(application, "/plain") == b"plain"
    assert closings == [threading.current_thread().name]
    assert [thread._threads for thread in application._free] == [set()], "no thread was started"


@pytest.mark.django_db(transaction=True)
async def test_a_request_that_opened_a_connection_closes_it_in_its_thread(settings: Settings) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    application = ThreadReusingHandler()
    closings.clear()
    opened.clear()
    assert await get(application, "/reading") == b"reading"
    assert closings[0].startswith("request")
    assert [each.connection for each in opened] == [None]


async def test_a_client_that_leaves_cancels_its_view_and_leaves_nothing_running(settings: Settings) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    application = ThreadReusingHandler()
    closings.clear()
    tasks = asyncio.all_tasks()
    communicator = ApplicationCommunicator(application, scope_of("/slow"))
    await communicator.send_input({"type": "http.request"})
    await asyncio.sleep(0.05)
    await communicator.send_input({"type": "http.disconnect"})
    await communicator.wait(5)
    assert closings == ["cancelled"]
    assert asyncio.all_tasks() == tasks


async def test_a_view_s_own_failure_is_raised_to_the_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    application = ThreadReusingHandler()

    async def fail(response: HttpResponse, send: object) -> None:
        raise ConnectionResetError("the socket is gone")

    monkeypatch.setattr(application, "send_response", fail)
    communicator = ApplicationCommunicator(application, scope_of("/plain"))
    await communicator.send_input({"type": "http.request"})
    with pytest.raises(ConnectionResetError):
        await communicator.wait(5)


async def test_a_stream_that_is_open_when_the_process_ends_is_no_failure(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    caplog.set_level(logging.WARNING)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(ThreadReusingHandler(), lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/endless"
        async with aiohttp.ClientSession() as session, session.get(address) as response:
            assert b"start" in await response.content.readuntil(b"\n\n")
            server.should_exit = True
            await serving
    await asyncio.sleep(0.1)
    gc.collect()
    assert "Cancel 1 running task(s)" in caplog.text
    assert [record.message for record in caplog.records if record.exc_info] == []
