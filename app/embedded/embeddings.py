"""The packaged embedding model behind OpenAI's /v1/embeddings, in its own process.

    python -m app.embedded.embeddings --host 127.0.0.1 --port 8081

A request with `X-Priority: question` goes before documents. A text longer than the model's limit is cut, and its item
has `"truncated": true`. REFDESK_EMBEDDINGS_API_KEY, when set, is required everywhere except at /health.
"""

import argparse
import asyncio
import base64
import hmac
import sys
from typing import Any

import orjson

from app import env
from app.embedded.embedder import Busy, Embedder, EmbeddingWork, memory_return
from app.embedded.serve import (
    Asgi,
    BodyTooLarge,
    ClientGone,
    Receive,
    Scope,
    Send,
    body_read,
    client_left,
    json_send,
    run,
    with_lifespan,
)
from app.llm.embedding_models import DEFAULT, MODELS, ModelMissing

BODY_LIMIT = 16 * 1024 * 1024
INPUTS_LIMIT = 2048  # OpenAI's own
TRIM_INTERVAL_S = 5

Json = dict[str, Any]


class RefusedRequest(Exception):
    """Raised for a request that is refused: HTTP status and text, in OpenAI's shape."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    def as_json(self) -> Json:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": str(self), "type": kind, "code": None, "param": None}}


def inputs_of(body: Json) -> list[str]:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise RefusedRequest(400, "`input` must be a text or a list of texts, none of them empty.")
    if len(texts) > INPUTS_LIMIT:
        raise RefusedRequest(400, f"`input` must have at most {INPUTS_LIMIT} texts.")
    return texts


def format_of(body: Json) -> str:
    asked = body.get("encoding_format") or "float"
    if asked not in ("float", "base64"):
        raise RefusedRequest(400, "`encoding_format` must be float or base64.")
    return str(asked)


def vectors_response(work: EmbeddingWork, model: str, encoding: str) -> Json:
    """Return OpenAI's response for work whose futures are done."""
    data: list[Json] = [{}] * len(work.tokens)
    for future, places in work.batches:
        for place, vector in zip(places, future.result(), strict=True):
            shown = base64.b64encode(vector.tobytes()).decode() if encoding == "base64" else vector.tolist()
            data[place] = {"object": "embedding", "index": place, "embedding": shown}
            if work.truncated[place]:
                data[place]["truncated"] = True
    tokens = sum(work.tokens)
    return {
        "object": "list",
        "model": model,
        "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


async def work_finish(work: EmbeddingWork, receive: Receive) -> None:
    """Wait until the work is done.

    Raises:
        ClientGone: the client disconnected first; batches that had not begun are dropped.
    """
    done = asyncio.gather(*(asyncio.wrap_future(future) for future, _ in work.batches))
    left = asyncio.ensure_future(client_left(receive))
    try:
        await asyncio.wait((done, left), return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise ClientGone
        await done
    finally:
        left.cancel()
        work.cancel()
        done.cancel()


class Server:
    def __init__(self, embedder: Embedder, api_key: str | None) -> None:
        self.embedder, self.api_key = embedder, api_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: tuple[tuple[bytes, bytes], ...] = ()
        try:
            status, answer = 200, await self.answer(scope, receive)
        except ClientGone:
            return
        except BodyTooLarge:
            status, answer = 413, RefusedRequest(413, f"At most {BODY_LIMIT} bytes are taken.").as_json()
        except RefusedRequest as refused:
            status, answer = refused.status, refused.as_json()
        except Busy as busy:
            status, answer = 429, RefusedRequest(429, "Too many texts wait for the model.").as_json()
            headers = ((b"retry-after", str(busy.retry_after_s).encode()),)
        except Exception as error:  # the boundary of a request: reported to the client and in the log
            sys.stderr.write(f"embeddings: {error!r}\n")
            status, answer = 500, RefusedRequest(500, "The model failed.").as_json()
        await json_send(send, status, answer, headers=headers)

    async def answer(self, scope: Scope, receive: Receive) -> Json:
        door = (scope["method"], scope["path"].rstrip("/"))
        if door == ("GET", "/health"):
            return self.health()
        headers = dict(scope["headers"])
        key: bytes = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        if self.api_key is not None and not hmac.compare_digest(key, self.api_key.encode()):
            raise RefusedRequest(401, "The API key is wrong.")
        if door == ("GET", "/v1/models"):
            return {"object": "list", "data": [self.model()]}
        if door == ("POST", "/v1/embeddings"):
            return await self.embed(await body_read(receive, limit=BODY_LIMIT), headers, receive)
        raise RefusedRequest(404, f"{door[0]} {door[1]} is not here.")

    def model(self) -> Json:
        model = self.embedder.model
        return {
            "id": model.name,
            "object": "model",
            "created": 0,
            "owned_by": "refdesk",
            "max_model_len": model.max_tokens,
            "dimensions": model.dimensions,
        }

    def health(self) -> Json:
        waiting = {"questions": self.embedder.questions.waiting, "documents": self.embedder.documents.waiting}
        return {"status": "ok", "model": self.embedder.model.name, "waiting": waiting}

    async def embed(self, content: bytes, headers: dict[bytes, bytes], receive: Receive) -> Json:
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise RefusedRequest(400, f"The body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise RefusedRequest(400, "The body must be an object.")
        name = self.embedder.model.name
        if body.get("model") not in (None, "", name):
            raise RefusedRequest(404, f"The model here is {name}.")
        texts, encoding = inputs_of(body), format_of(body)
        lane = self.embedder.enter(len(texts), question=headers.get(b"x-priority") == b"question")
        try:
            work = self.embedder.start(await asyncio.to_thread(self.embedder.encode, texts), lane)
            await work_finish(work, receive)
        finally:
            lane.waiting -= len(texts)
        return vectors_response(work, name, encoding)


def application(embedder: Embedder, api_key: str | None) -> Asgi:
    tasks: list[asyncio.Task[None]] = []

    async def trim_when_idle() -> None:
        runs = 0
        while True:
            before, runs = runs, embedder.runs
            await asyncio.sleep(TRIM_INTERVAL_S)
            if before != runs == embedder.runs:
                await asyncio.to_thread(memory_return)

    async def start() -> None:
        tasks.append(asyncio.create_task(trim_when_idle()))

    async def stop() -> None:
        tasks.pop().cancel()
        embedder.close()

    return with_lifespan(Server(embedder, api_key), start=start, stop=stop)


def main() -> None:
    parser = argparse.ArgumentParser(description="The packaged embedding model behind /v1/embeddings")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081, help="0 takes a free one")
    parser.add_argument("--model", choices=sorted(MODELS), default=DEFAULT.name)
    options = parser.parse_args()
    try:
        app = application(Embedder(MODELS[options.model]), env.read("REFDESK_EMBEDDINGS_API_KEY"))
        run(app, name="embeddings", host=options.host, port=options.port)
    except (ModelMissing, env.EnvError, OSError) as error:
        sys.exit(f"embeddings: {error}")


if __name__ == "__main__":
    main()
