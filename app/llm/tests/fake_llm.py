"""A fake OpenAI-compatible server: a real HTTP process whose text, timing and faults tests and benchmarks script.

`python -m app.llm.tests.fake_llm [--port N]` prints its address. Besides `/v1/models`, `/v1/chat/completions`,
`/v1/embeddings` (deterministic vectors), `/props` and `/health`:

- `PUT /script` with a JSON `Script` or a list of them: the first whose `when` is part of the request sets the reply.
- `GET /requests`: an item for each chat request, with its body and the time its reader disconnected; `DELETE /requests`
  clears them.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import struct
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

WORDS_64 = [" The"] + [f" word{number}" for number in range(61)] + [" [1]", "."]
MODEL = "scripted"


@dataclass
class Script:
    """A reply of the server.

    Attributes:
        when: text that the request must contain; empty: any.
        tokens: the reply, split as the model would split it (`"[1", "]"`).
        deltas: deltas on the wire, in place of those of the tokens: `[{"tool_calls": […]}]`.
        finish_reason: the finish reason of the reply.
        first_s, between_s: delays before the first and between further tokens.
        fault: "" | hang (accepts, never answers) | silent (sends headers and a role, then nothing) | drop (after the
            tokens, without an end) | malformed (after the tokens) | endless (the tokens repeated) | error (in the
            stream, after the tokens).
        status: another HTTP status instead of a reply; `refusal` is its message.
        models, models_status: entries of /v1/models instead of the one, and its status.
        plain: one JSON object although a stream was requested.
        at_once: all tokens in one write.
    """

    when: str = ""
    tokens: list[str] = field(default_factory=lambda: list(WORDS_64))
    deltas: list[dict[str, Any]] = field(default_factory=list)
    finish_reason: str = "stop"
    first_s: float = 0.0
    between_s: float = 0.0
    fault: str = ""
    status: int = 200
    refusal: str = "scripted"
    models: list[dict[str, Any]] = field(default_factory=list)
    models_status: int = 200
    plain: bool = False
    at_once: bool = False
    done_marker: bool = True
    usage: bool = True
    context: int = 4096
    slots: int = 64

    @property
    def contents(self) -> list[dict[str, Any]]:
        return self.deltas or [{"content": token} for token in self.tokens]


def _event(content: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": content, "finish_reason": reason}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice], **more}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def vector(text: str, dimensions: int = 384) -> list[float]:
    """Return a unit vector that depends only on the text."""
    seed = hashlib.sha256(text.encode()).digest()
    raw = [byte - 127.5 for byte in (seed * (dimensions // len(seed) + 1))[:dimensions]]
    length = sum(value * value for value in raw) ** 0.5
    return [value / length for value in raw]


class Server:
    def __init__(self) -> None:
        self.scripts = [Script()]
        self.requests: list[dict[str, Any]] = []
        self._at_once: dict[int, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ", 2)
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                if not await self._respond(method, path, headers, body, reader, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _respond(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        if path == "/v1/chat/completions":
            return await self._chat(headers, body, reader, writer)
        status, content = 200, self._simple(method, path, body)
        if content is None:
            status, content = 404, {"error": {"message": "not here"}}
        elif path == "/v1/models":
            status = self.scripts[0].models_status
        self._json(writer, status, content)
        await writer.drain()
        return True

    def _simple(self, method: str, path: str, body: bytes) -> Any:
        if path == "/script":
            scripts = json.loads(body)
            self.scripts = [Script(**script) for script in (scripts if isinstance(scripts, list) else [scripts])]
            self._at_once.clear()
            return {}
        if path == "/requests":
            if method == "DELETE":
                self.requests.clear()
            return self.requests
        if path == "/v1/models":
            return {"object": "list", "data": self.scripts[0].models or [{"id": MODEL, "object": "model"}]}
        if path == "/props":
            first = self.scripts[0]
            return {"default_generation_settings": {"n_ctx": first.context}, "total_slots": first.slots}
        if path == "/v1/embeddings":
            return self._embeddings(json.loads(body))
        return {"status": "ok"} if path == "/health" else None

    def _embeddings(self, request: dict[str, Any]) -> Any:
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        data = []
        for index, text in enumerate(texts):
            values: Any = vector(text)
            if request.get("encoding_format") == "base64":
                values = base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
            data.append({"object": "embedding", "index": index, "embedding": values})
        return {"object": "list", "model": "scripted-embeddings", "data": data, "usage": {"prompt_tokens": 1}}

    def _json(self, writer: asyncio.StreamWriter, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    async def _chat(
        self, headers: dict[str, str], body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Reply to a chat request; return whether the connection can be used again."""
        text = body.decode()
        script = next((script for script in self.scripts if script.when in text), self.scripts[0])
        entry: dict[str, Any] = {"began": time.time(), "left": None, "ended": None, "body": json.loads(text)}
        entry["authorization"] = headers.get("authorization")
        self.requests.append(entry)
        del self.requests[:-2000]
        if script.status != 200:
            self._json(writer, script.status, {"error": {"message": script.refusal}})
            await writer.drain()
            return True
        writing = asyncio.ensure_future(self._write(script, writer))
        leaving = asyncio.ensure_future(reader.read(1)) if not script.at_once else None
        await asyncio.wait({task for task in (writing, leaving) if task}, return_when=asyncio.FIRST_COMPLETED)
        if not writing.done() or isinstance(writing.exception(), ConnectionError):
            entry["left"] = time.time()
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writing
            return False
        entry["ended"] = time.time()
        if leaving is not None:
            # A byte read while waiting belongs to the next request: without it the connection cannot be kept.
            leaving.cancel()
            return False
        return writing.result()

    async def _write(self, script: Script, writer: asyncio.StreamWriter) -> bool:
        if script.fault == "hang":
            await asyncio.sleep(3600)
        await asyncio.sleep(script.first_s if script.fault != "silent" else 0)
        if script.plain:
            message = {"role": "assistant", "content": "".join(script.tokens)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._json(writer, 200, {"choices": [choice], "usage": self._usage(script)})
            return True
        if script.at_once:
            writer.write(self._whole(script))
            return True
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(_chunk(_event({"role": "assistant", "content": ""})))
        if script.fault == "silent":
            await writer.drain()
            await asyncio.sleep(3600)
        await self._tokens(script, writer)
        if script.fault == "drop":
            return False
        tail = {"malformed": b"data: {not json\n\n", "error": b'data: {"error": {"message": "scripted"}}\n\n'}
        writer.write(_chunk(tail.get(script.fault) or self._tail(script)))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _tokens(self, script: Script, writer: asyncio.StreamWriter) -> None:
        endless = script.fault == "endless"
        while True:
            for content in script.contents:
                writer.write(_chunk(_event(content)))
                await writer.drain()
                if script.between_s or endless:
                    await asyncio.sleep(script.between_s)
            if not endless:
                return

    def _tail(self, script: Script) -> bytes:
        tail = _event({}, script.finish_reason)
        if script.usage:
            tail += b"data: " + json.dumps({"choices": [], "usage": self._usage(script)}).encode() + b"\n\n"
        return tail + (b"data: [DONE]\n\n" if script.done_marker else b"")

    def _usage(self, script: Script) -> dict[str, int]:
        return {"prompt_tokens": 100, "completion_tokens": len(script.tokens), "total_tokens": 0}

    def _whole(self, script: Script) -> bytes:
        """Return the whole reply as bytes, built once, so that the server costs nearly nothing."""
        if id(script) not in self._at_once:
            events = b"".join(_event(content) for content in script.contents) + self._tail(script)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            self._at_once[id(script)] = head + _chunk(events) + b"0\r\n\r\n"
        return self._at_once[id(script)]


# A model is free within a second after its reader disconnects (bench/turn.py measures it). The limit is higher for a
# busy machine, and the scripts of the tests that check it last much longer.
SOON_S = 5.0


class ScriptedModel:
    """The server as a child process: `with ScriptedModel() as model: model.script(…)`."""

    def __enter__(self) -> Self:
        root = Path(__file__).resolve().parents[3]
        command = [sys.executable, "-m", "app.llm.tests.fake_llm"]
        self.process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.url = f"{self.address}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read())

    def script(self, *scripts: Script) -> None:
        """Reply with these from now on, and clear the requests so far."""
        self.call("PUT", "/script", [asdict(script) for script in scripts])
        self.call("DELETE", "/requests")

    def requests(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.call("GET", "/requests")
        return entries

    async def request_arrived(self) -> None:
        """Wait for the only request of a turn to arrive."""
        await self._entry_time("began")

    async def reader_left(self) -> float:
        """Wait until the only reader has disconnected; return the time of it."""
        return await self._entry_time("left")

    async def _entry_time(self, name: str) -> float:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            requests = await asyncio.to_thread(self.requests)
            if requests and requests[0][name]:
                assert len(requests) == 1
                return float(requests[0][name])
            await asyncio.sleep(0.02)
        raise AssertionError(f"not within 30 s: {name}")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    server = await asyncio.start_server(Server().serve, "127.0.0.1", arguments.port, limit=2**24)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)  # noqa: T201 (its starter reads the address)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
