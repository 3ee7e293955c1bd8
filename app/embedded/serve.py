"""A small JSON server on uvicorn for the engines: an ASGI app without a framework, which would add 5 MB to each."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import uvicorn

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

# A client that stays connected during a stop is disconnected after this.
SHUTDOWN_S = 5


class BodyTooLarge(Exception):
    """Raised when a request's body is larger than the engine's limit."""


class ClientGone(Exception):
    """Raised when the client closed its connection, so that no response is needed."""


async def body_read(receive: Receive, *, limit: int) -> bytes:
    """Read the whole body.

    Raises:
        BodyTooLarge: more than `limit` bytes.
        ClientGone: the connection closed first.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLarge
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


async def client_left(receive: Receive) -> None:
    """Wait until the client has closed its connection. Call it only after the body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer_send(
    send: Send,
    status: int,
    body: bytes,
    *,
    media_type: bytes = b"application/json",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    fields = [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def json_send(
    send: Send,
    status: int,
    content: Any,
    *,
    default: Callable[[Any], Any] | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    await answer_send(send, status, orjson.dumps(content, default=default), headers=headers)


def with_lifespan(app: Asgi, *, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> Asgi:
    """Return `app` with a start and a stop, which run on the event loop before the first request and after the last."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await receive()
            await start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await stop()
            await send({"type": "lifespan.shutdown.complete"})

    return serve


def run(app: Asgi, *, name: str, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Port 0 selects a free one, which the line on standard output shows.

    Raises:
        OSError: the address is taken or not on this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    # Accepted connections inherit it; without it a response waits 40 ms for the client's acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    address = listener.getsockname()
    print(f"{name} listens on http://{address[0]}:{address[1]}", flush=True)  # noqa: T201
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="on",
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
