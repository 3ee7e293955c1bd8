"""Serve the vectors of the embedded default: Qdrant's Edge engine behind the operations of edge_operations.py.

It has its own process, because Edge holds the interpreter's lock in every call and locks its folder for one process.
Search is exact. Calls run on the event loop, one after the other: threads would only wait for each other.

    python -m app.embedded.qdrant --folder F --host 127.0.0.1 --port 6333

REFDESK_QDRANT_API_KEY, when set, is required everywhere except at the health addresses.
"""

import argparse
import asyncio
import contextlib
import hmac
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from app import env
from app.embedded import edge_requests as requests
from app.embedded.edge_operations import Call, operation_of
from app.embedded.edge_requests import Json
from app.embedded.edge_store import FolderInUse, Store
from app.embedded.serve import (
    Asgi,
    BodyTooLarge,
    ClientGone,
    Receive,
    Scope,
    Send,
    answer_send,
    body_read,
    json_send,
    run,
    with_lifespan,
)

VERSION = "1.18.0"  # of the REST API that this server follows
BODY_LIMIT = 32 * 1024 * 1024  # Qdrant's own limit
FLUSH_INTERVAL_S = 1
OPEN = {  # paths that need no key
    "/": orjson.dumps({"title": "qdrant - vector search engine", "version": VERSION}),
    "/healthz": b"healthz check passed",
    "/livez": b"healthz check passed",
    "/readyz": b"all shards are ready",
}


def perform(store: Store, scope: Scope, content: bytes) -> Any:
    operation, name = operation_of(scope["method"], scope["raw_path"].decode("ascii", "replace"))
    body: Any = {}
    if scope["method"] != "GET" and content:
        body = orjson.loads(content)
        if not isinstance(body, dict):
            raise requests.malformed("expected an object")
    return operation(Call(store, name, body, b"wait=true" in scope["query_string"]))


def allowed(scope: Scope, api_key: str | None) -> bool:
    if api_key is None or scope["path"] in OPEN:
        return True
    headers = dict(scope["headers"])
    key: bytes = headers.get(b"api-key") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
    return hmac.compare_digest(key, api_key.encode())


def application(store: Store, api_key: str | None) -> Asgi:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if not allowed(scope, api_key):
            await answer_send(send, 401, b"Must provide a valid API key", media_type=b"text/plain")
            return
        if scope["path"] in OPEN:
            await answer_send(send, 200, OPEN[scope["path"]], media_type=b"text/plain")
            return
        begun = time.perf_counter()
        status = 200
        try:
            content = await body_read(receive, limit=BODY_LIMIT)
            answer: Json = {"result": perform(store, scope, content), "status": "ok"}
        except ClientGone:
            return
        except BodyTooLarge:
            text = f"Payload error: JSON payload is larger than allowed (limit: {BODY_LIMIT} bytes)."
            status, answer = 400, {"status": {"error": text}}
        except Exception as error:
            refusal = requests.refusal_of(error)
            status, answer = refusal.status, {"status": {"error": str(refusal)}}
        answer["time"] = time.perf_counter() - begun
        await json_send(send, status, answer, default=requests.encoded)

    return serve


def flushed(app: Asgi, store: Store) -> Asgi:
    """Return `app` with a task that flushes the store periodically, and once more at the end."""
    tasks: list[asyncio.Task[None]] = []

    async def flush_now_and_then() -> None:
        while True:
            await asyncio.sleep(FLUSH_INTERVAL_S)
            store.flush()

    async def start() -> None:
        tasks.append(asyncio.create_task(flush_now_and_then()))

    async def stop() -> None:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        store.close()

    return with_lifespan(app, start=start, stop=stop)


def main() -> None:
    parser = argparse.ArgumentParser(description="Qdrant's Edge engine behind Qdrant's REST API")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6333, help="0 takes a free one")
    options = parser.parse_args()
    try:
        store = Store(options.folder)
        app = flushed(application(store, env.read("REFDESK_QDRANT_API_KEY")), store)
        run(app, name="qdrant", host=options.host, port=options.port)
    except (FolderInUse, env.EnvError, OSError) as error:
        sys.exit(f"qdrant: {error}")


if __name__ == "__main__":
    main()
