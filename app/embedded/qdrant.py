"""Vectors of the embedded default: Qdrant's Edge engine behind the part of Qdrant's REST API that Refdesk uses.

A process of its own, because Edge holds the interpreter's lock in every call and locks its folder to one process.
Search is exact. Calls run on the event loop, one after the other: threads would only wait for each other.

    python -m app.embedded.qdrant --folder F --host 127.0.0.1 --port 6333

REFDESK_QDRANT_API_KEY, when set, is asked for everywhere but at the health doors.
"""

import argparse
import asyncio
import contextlib
import hmac
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from app import env
from app.embedded import edge_requests as requests
from app.embedded.edge_requests import Json, Refusal
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

VERSION = "1.18.0"  # of the REST API that this follows
BODY_LIMIT = 32 * 1024 * 1024  # the server's own
FLUSH_INTERVAL_S = 1
OPEN = {  # the paths that need no key
    "/": orjson.dumps({"title": "qdrant - vector search engine", "version": VERSION}),
    "/healthz": b"healthz check passed",
    "/livez": b"healthz check passed",
    "/readyz": b"all shards are ready",
}


@dataclass(slots=True)
class Call:
    """`name` is the collection's, "" in a path without one."""

    store: Store
    name: str
    body: Json
    wait: bool


def create_index(call: Call) -> Json:
    collection = call.store.named(call.name)
    field, schema, operation = requests.keyword_index(call.body)
    answer = collection.update(operation, wait=call.wait)
    collection.indexes[field] = schema
    call.store.save()
    return answer


def upsert(call: Call) -> Json:
    return call.store.named(call.name).update(requests.upsert(call.body), wait=call.wait)


def delete(call: Call) -> Json:
    return call.store.named(call.name).update(requests.delete(call.body), wait=call.wait)


def retrieve(call: Call) -> list[Any]:
    ids: list[Any] = [requests.point_id(one) for one in call.body["ids"]]
    return call.store.named(call.name).shard.retrieve(ids, **requests.fields_of(call.body, payload=True))


def scroll(call: Call) -> Json:
    points, following = call.store.named(call.name).shard.scroll(requests.scroll_of(call.body))
    return {"points": points, "next_page_offset": following}


def count(call: Call) -> Json:
    return {"count": call.store.named(call.name).shard.count(requests.count_of(call.body))}


def query(call: Call) -> Json:
    return {"points": call.store.named(call.name).shard.query(requests.query_of(call.body))}


def query_batch(call: Call) -> list[Json]:
    """One after the other: `shard.query_batch` scores them no faster."""
    shard = call.store.named(call.name).shard
    return [{"points": shard.query(requests.query_of(one))} for one in call.body["searches"]]


def aliases(call: Call) -> Json:
    named = call.store.aliases.items()
    return {"aliases": [{"alias_name": alias, "collection_name": target} for alias, target in named]}


Work = Callable[[Call], Any]
# Method and what follows /collections/{name}; the first is the list of all.
CALLS: dict[tuple[str, str | None], Work] = {
    ("GET", None): lambda call: {"collections": [{"name": name} for name in call.store.collections]},
    ("GET", ""): lambda call: call.store.named(call.name).info(),
    ("PUT", ""): lambda call: call.store.create(call.name, call.body),
    ("DELETE", ""): lambda call: call.store.delete(call.name),
    ("GET", "exists"): lambda call: {"exists": call.name in call.store.collections or call.name in call.store.aliases},
    ("PUT", "index"): create_index,
    ("PUT", "points"): upsert,
    ("POST", "points/delete"): delete,
    ("POST", "points"): retrieve,
    ("POST", "points/scroll"): scroll,
    ("POST", "points/count"): count,
    ("POST", "points/query"): query,
    ("POST", "points/query/batch"): query_batch,
}


ALIAS_CALLS: dict[tuple[str, str], Work] = {
    ("GET", "aliases"): aliases,
    ("POST", "collections/aliases"): lambda call: call.store.aliases_change(call.body["actions"]),
}


def work_of(method: str, path: str) -> tuple[Work, str]:
    """What a request asks for, and the name of its collection. `path` is raw, so %2F stays in a name."""
    first, _, rest = path.strip("/").partition("/")
    name, _, action = rest.partition("/")
    work = CALLS.get((method, action if name else None)) if first == "collections" else None
    if path.strip("/") in ("aliases", "collections/aliases"):
        work = ALIAS_CALLS.get((method, path.strip("/")))
    if work is None:
        raise Refusal(404, f"{method} {path} is not in the embedded Qdrant")
    return work, unquote(name)


def perform(store: Store, scope: Scope, content: bytes) -> Any:
    work, name = work_of(scope["method"], scope["raw_path"].decode("ascii", "replace"))
    body: Any = {}
    if scope["method"] != "GET" and content:
        body = orjson.loads(content)
        if not isinstance(body, dict):
            raise requests.malformed("expected an object")
    return work(Call(store, name, body, b"wait=true" in scope["query_string"]))


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
    """`app`, with what only the log has written down from time to time and at the end."""
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
