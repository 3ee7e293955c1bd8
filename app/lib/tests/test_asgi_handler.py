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


urlpatterns = [path(view.__name__, view) for view in (name, meet, endless)]


async def get(application: ThreadReusingHandler, where: str) -> bytes:
    scope = {"type": "http", "method": "GET", "path": where, "headers": [], "query_string": b"", "http_version": "1.1"}
    communicator = ApplicationCommunicator(application, scope)
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
