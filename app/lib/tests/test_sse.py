import asyncio
import re
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponseBase
from django.test import override_settings
from django.urls import path

from app.errors import RefdeskError
from app.lib.sse import HEARTBEAT, Event, sse

APP = Path(__file__).resolve().parents[2]
seen: dict[str, Any] = {}


async def _batches() -> AsyncIterator[Event | Sequence[Event]]:
    yield Event("start", {"a": 1})
    yield [Event("delta", b'{"text":"raw"}'), Event("delta", {"text": "é\n"})]


async def _failing(error: Exception) -> AsyncIterator[Event]:
    yield Event("start", {})
    raise error


async def _endless() -> AsyncIterator[Event]:
    try:
        yield Event("start", {})
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        seen["cancelled"] = asyncio.get_running_loop().time()
        raise
    finally:
        seen["closed"] = True


async def batches(request: HttpRequest) -> HttpResponseBase:
    return await sse(_batches(), after=int(request.GET.get("after", "0")))


async def refdesk_error(request: HttpRequest) -> HttpResponseBase:
    return await sse(_failing(RefdeskError("search_unavailable")), request_id="r1")


async def other_error(request: HttpRequest) -> HttpResponseBase:
    return await sse(_failing(ValueError("secret words")), request_id="r2")


async def endless(request: HttpRequest) -> HttpResponseBase:
    return await sse(_endless(), heartbeat_s=0.05)


async def guarded(request: HttpRequest) -> HttpResponseBase:
    return await sse(_endless(), allowed=_twice)


async def _twice() -> bool:
    """Return True, then raise, then return False."""
    seen["asked"] = seen.get("asked", 0) + 1
    if seen["asked"] == 2:
        raise ConnectionError
    return bool(seen["asked"] < 3)


urlpatterns = [path(view.__name__, view) for view in (batches, refdesk_error, other_error, endless, guarded)]


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """Serve with a real uvicorn in this loop and yield its address."""
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]), socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(ASGIHandler(), lifespan="off", log_level="warning"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        server.force_exit = True
        await serving


async def body_of(url: str) -> tuple[aiohttp.ClientResponse, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response, await response.text()


async def test_events_are_typed_numbered_and_never_held_back(address: str) -> None:
    response, body = await body_of(f"{address}/batches")
    assert body == (
        'id: 1\nevent: start\ndata: {"a":1}\n\n'
        'id: 2\nevent: delta\ndata: {"text":"raw"}\n\n'
        'id: 3\nevent: delta\ndata: {"text":"é\\n"}\n\n'
    )
    assert response.content_type == "text/event-stream"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in response.headers


async def test_a_resumed_stream_goes_on_counting(address: str) -> None:
    _, body = await body_of(f"{address}/batches?after=41")
    assert re.findall(r"id: (\d+)", body) == ["42", "43", "44"]


async def test_an_error_inside_is_the_last_event_in_the_one_shape(address: str) -> None:
    _, body = await body_of(f"{address}/refdesk_error")
    assert body.count("event: ") == 2
    assert '{"error":{"code":"search_unavailable"' in body.split("event: error")[1]
    assert '"request_id":"r1"' in body


async def test_an_unexpected_error_shows_no_inside(address: str) -> None:
    _, body = await body_of(f"{address}/other_error")
    assert '{"error":{"code":"internal"' in body.split("event: error")[1]
    assert "secret" not in body


async def test_heartbeats_come_while_nothing_happens_and_leaving_cancels_the_producer(address: str) -> None:
    seen.clear()
    async with aiohttp.ClientSession() as session, session.get(f"{address}/endless") as response:
        data = b""
        while data.count(HEARTBEAT) < 3:
            data += await response.content.readany()
        assert "cancelled" not in seen
    left = asyncio.get_running_loop().time()
    while "closed" not in seen:
        assert asyncio.get_running_loop().time() - left < 30
        await asyncio.sleep(0.01)
    assert seen["cancelled"] - left < 5


async def test_a_stream_ends_when_its_reader_may_no_longer_read(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen.clear()
    monkeypatch.setattr("app.lib.sse.ALLOWED_S", 0.05)
    _, body = await body_of(f"{address}/guarded")
    assert (seen["asked"], seen["closed"]) == (3, True)
    assert body.count("event: ") == 1


def test_only_the_factory_makes_streaming_responses() -> None:
    users = [
        file.relative_to(APP).as_posix()
        for file in APP.rglob("*.py")
        if "StreamingHttpResponse(" in file.read_text() and "tests" not in file.relative_to(APP).parts
    ]
    assert users == ["lib/sse.py"]
