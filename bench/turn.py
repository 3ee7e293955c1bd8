"""Cost of a turn over the model server alone: time to the first token at 1 and 32 streams, turns a second, CPU.

    python -m bench.turn [--turns 400]

Real web process and engines; the model is a scripted server that answers at once with 64 tokens, so all time is ours.
Questions repeat, so that their embedding is remembered, and it is measured beside with new ones. Prints a table, saves
JSON in bench/results/.
"""

import argparse
import asyncio
import http.client
import itertools
import json
import statistics
import subprocess
import time
import urllib.request
from typing import Any

import uvloop

from app.llm.tests.fake_llm import Script
from bench.desk import Desk, cpu_s, desk, tree_cpu_s, worker_process
from bench.engines import RESULTS, memory_mb

FILLER = (
    "The {a} unit of the {b} plant is checked each quarter by the people of the workshop, who note the pressure, the "
    "temperature and the wear of the seals in the log and report anything above the limits of table {c}. "
) * 3
QUESTIONS = [f"How often is the a{n} unit of the b{n % 7} plant checked?" for n in range(10)]


# Wide enough to refuse nothing: the limit that the plans have which ship, and every limit and cap that there is.
SHIPPED = ("requests_per_minute",)
ALL = (*SHIPPED, "person_requests_per_minute", "tokens_per_minute", "requests_per_month", "tokens_per_month")
PLANS = {"as-shipped": SHIPPED, "all-limits": ALL}


def fill(chunks: int, plan: str) -> str:
    """Make an organisation with a bot and a made-up library; return a key for it."""
    from app.accounts.keys import api_key_create
    from app.accounts.services import organisation_create
    from app.bots.services import bot_create
    from app.chat.tests.library import document_index
    from app.plans.models import Plan

    for name, limits in PLANS.items():
        Plan.objects.create(name=name, title=name, **dict.fromkeys(limits, 10**9))
    organisation = organisation_create(slug="bench", plan=plan)
    bot_create(organisation=organisation, slug="default", name="Bench")
    for first in range(0, chunks, 50):
        texts = [FILLER.format(a=f"a{n}", b=f"b{n % 7}", c=n) for n in range(first, min(first + 50, chunks))]
        document_index(organisation, f"plant-{first}.txt", texts)
    return api_key_create(organisation=organisation, name="bench")[1]


def request_bytes(port: int, path: str, body: dict[str, Any], key: str = "") -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(content)}\r\n" + (f"Authorization: Bearer {key}\r\n" if key else "")
    return head.encode() + b"\r\n" + content


class Reader:
    """One kept connection; as plain as can be, since it shares the machine with what it measures."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pipe: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def stream(self, request: bytes, first: bytes, last: bytes) -> float:
        """Return the seconds until `first` has arrived; reads to the end, which must hold `last`."""
        if self.pipe is None or self.pipe[0].at_eof():
            self.pipe = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        reader, writer = self.pipe
        began, found, data = time.perf_counter(), 0.0, b""
        writer.write(request)
        while not data.endswith(b"0\r\n\r\n"):
            piece = await reader.read(2**16)
            data += piece
            if not found and first in data:
                found = time.perf_counter() - began
            if not piece:
                break
        if last not in data:
            raise RuntimeError(f"no {last!r} in {data[-1500:]!r}")
        return found


async def load(port: int, requests: list[bytes], streams: int, first: bytes, last: bytes) -> tuple[list[float], float]:
    """Return times to the first token of all requests, and turns a second, with so many readers asking in turn."""
    waiting = iter(requests)
    times: list[float] = []

    async def read() -> None:
        reader = Reader(port)
        for request in waiting:
            times.append(await reader.stream(request, first, last))

    began = time.perf_counter()
    await asyncio.gather(*(read() for _ in range(streams)))
    return times, len(requests) / (time.perf_counter() - began)


def summary(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {"p50_ms": 1000 * statistics.median(ordered), "p95_ms": 1000 * ordered[int(len(ordered) * 0.95)]}


async def measure(desk: Desk, turns: int) -> list[dict[str, Any]]:
    model_port = int(desk.model.address.rpartition(":")[2])
    asked = {"model": "scripted", "stream": True, "messages": [{"role": "user", "content": "x" * 6000}]}
    raw = request_bytes(model_port, "/v1/chat/completions", asked)
    path = "/api/v1/bots/default/chat"
    known = [request_bytes(desk.port, path, {"message": question}, desk.key) for question in QUESTIONS]
    new = [
        request_bytes(desk.port, path, {"message": f"How often is the a{n} unit checked in year {n}?"}, desk.key)
        for n in range(turns)
    ]
    ends = (b"event: delta", b"event: done")
    await load(desk.port, known * 5, 4, *ends)  # warm: prepared statements, kept connections, remembered vectors
    rows: list[dict[str, Any]] = []
    for streams in (1, 32):
        raw_times, _ = await load(model_port, [raw] * turns, streams, b"data:", b"[DONE]")
        for name, requests in (("known", known * (turns // len(known))), ("new", new)):
            if name == "new" and streams > 1:
                continue
            cpu = Cpu(desk, len(requests))
            times, rate = await load(desk.port, requests, streams, *ends)
            row: dict[str, Any] = {"streams": streams, "questions": name, **summary(times), "turns_s": rate}
            row |= cpu.spent()
            row["raw_ms"] = summary(raw_times)["p50_ms"]
            row["added_ms"] = row["p50_ms"] - row["raw_ms"]
            rows.append(row)
    return rows


class Cpu:
    """Milliseconds of CPU that each of so many calls costs, of the web process and of PostgreSQL with Valkey."""

    def __init__(self, desk: Desk, calls: int) -> None:
        self.desk, self.calls = desk, calls
        self.web, self.stores = cpu_s(desk.pid), tree_cpu_s(*desk.stores)

    def spent(self) -> dict[str, float]:
        web, stores = cpu_s(self.desk.pid) - self.web, tree_cpu_s(*self.desk.stores) - self.stores
        return {"cpu_ms": 1000 * web / self.calls, "stores_cpu_ms": 1000 * stores / self.calls}


def measure_searches(desk: Desk, searches: int) -> dict[str, float]:
    """Measure one caller with known questions, one search after another."""
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=30)
    headers = {"Authorization": f"Bearer {desk.key}", "Content-Type": "application/json"}

    def search(n: int) -> float:
        began = time.perf_counter()
        connection.request("POST", "/api/v1/search", json.dumps({"query": QUESTIONS[n % len(QUESTIONS)]}), headers)
        answer = connection.getresponse()
        if answer.status != 200 or not json.loads(answer.read())["hits"]:
            raise RuntimeError(f"a search was answered with {answer.status}")
        return time.perf_counter() - began

    for n in range(50):
        search(n)
    cpu = Cpu(desk, searches)
    return {**summary([search(n) for n in range(searches)]), **cpu.spent()}


def upload(desk: Desk, files: int) -> None:
    """Upload text files of about ten passages each, through the API."""
    for n in range(files):
        text = "\n\n".join(FILLER.format(a=f"x{n}-{part}", b=f"y{n}", c=part) for part in range(10))
        body = (
            f'--cut\r\nContent-Disposition: form-data; name="file"; filename="log-{n}.txt"\r\n\r\n{text}\r\n--cut--\r\n'
        )
        request = urllib.request.Request(f"http://127.0.0.1:{desk.port}/api/v1/documents", data=body.encode())
        request.add_header("Authorization", f"Bearer {desk.key}")
        request.add_header("Content-Type", "multipart/form-data; boundary=cut")
        with urllib.request.urlopen(request, timeout=60):
            pass


def waiting(desk: Desk) -> int:
    """Return files that are not ready yet."""
    count = 0
    for state in ("queued", "running"):
        address = f"http://127.0.0.1:{desk.port}/api/v1/documents?state={state}&limit=200"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {desk.key}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            count += len(json.loads(answer.read())["items"])
    return count


async def measure_while_ingesting(desk: Desk, files: int) -> dict[str, Any]:
    """Measure one reader with new questions, before and while the worker ingests; their embedding is in the time."""
    ends, numbers = (b"event: delta", b"event: done"), itertools.count()

    def new(count: int) -> list[bytes]:
        questions = [{"message": f"When was the z{next(numbers)} unit checked?"} for _ in range(count)]
        return [request_bytes(desk.port, "/api/v1/bots/default/chat", question, desk.key) for question in questions]

    idle, _ = await load(desk.port, new(100), 1, *ends)
    with worker_process(desk.folder):
        await asyncio.to_thread(upload, desk, files)
        busy: list[float] = []
        while (left := await asyncio.to_thread(waiting, desk)) and len(busy) < 1000:
            times, _ = await load(desk.port, new(10), 1, *ends)
            busy += times
    row = {"files": files, "left": left, "idle": summary(idle), "while_ingesting": summary(busy), "asked": len(busy)}
    row["ratio"] = summary(busy)["p50_ms"] / summary(idle)["p50_ms"]
    return row


def report(
    rows: list[dict[str, Any]], searches: dict[str, float], memory: float, ingesting: dict[str, Any] | None
) -> None:
    titles = f"{'streams':>8} {'questions':>10} {'first token':>12} {'p95':>8} {'raw':>7} {'added':>8}"
    print(f"{titles} {'turns/s':>8} {'CPU':>8} {'stores':>8}")
    for row in rows:
        print(
            f"{row['streams']:>8} {row['questions']:>10} {row['p50_ms']:>9.1f} ms {row['p95_ms']:>5.1f} ms "
            f"{row['raw_ms']:>4.1f} ms {row['added_ms']:>5.1f} ms {row['turns_s']:>8.1f} {row['cpu_ms']:>5.2f} ms "
            f"{row['stores_cpu_ms']:>5.2f} ms"
        )
    print(
        f"a search: {searches['p50_ms']:.1f} ms (p95 {searches['p95_ms']:.1f}), CPU {searches['cpu_ms']:.2f} ms, "
        f"stores {searches['stores_cpu_ms']:.2f} ms"
    )
    print(f"web process: {memory:.0f} MB (proportional set size)")
    if ingesting:
        print(
            f"first token of new questions: {ingesting['idle']['p50_ms']:.1f} ms idle, "
            f"{ingesting['while_ingesting']['p50_ms']:.1f} ms (p95 {ingesting['while_ingesting']['p95_ms']:.1f}) while "
            f"{ingesting['files']} files are ingested: {ingesting['ratio']:.2f} times, {ingesting['asked']} asked"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=400)
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--plan", choices=("unlimited", *PLANS), default="as-shipped")
    parser.add_argument("--files", type=int, default=200, help="to ingest while questions are asked; 0: none")
    parser.add_argument("--profile", metavar="FILE", help="of the web process, by py-spy if it is there")
    arguments = parser.parse_args()
    with desk(lambda: fill(arguments.chunks, arguments.plan)) as running:
        running.model.script(Script(at_once=True))
        profiler = None
        if arguments.profile:
            command = [
                "py-spy",
                "record",
                "-p",
                str(running.pid),
                "-o",
                arguments.profile,
                "-f",
                "raw",
                "-r",
                "200",
                "--nonblocking",
            ]
            profiler = subprocess.Popen(command)
        rows = uvloop.run(measure(running, arguments.turns))
        if profiler is not None:
            profiler.send_signal(2)
            profiler.wait()
        searches = measure_searches(running, arguments.turns)
        memory = memory_mb(running.pid)
        ingesting = uvloop.run(measure_while_ingesting(running, arguments.files)) if arguments.files else None
    report(rows, searches, memory, ingesting)
    found = {"rows": rows, "search": searches, "web_mb": memory, "ingesting": ingesting}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "turn.json").write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
