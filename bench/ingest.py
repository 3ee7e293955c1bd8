"""Ingest through the whole of Refdesk: upload by HTTP, worker, parser's child, PostgreSQL, vectors.

1. Processor seconds a small file, all processes but the embedding one, which is a fake that costs nothing.
2. Ten real PDF manuals, from the first byte sent to the last one ready, with the same fake.
3. With the packaged model: time of the ingest over the time of embedding the same passages and nothing else, for many
   texts of two passages each and for one manual.

    python -m bench.ingest [--pdfs FOLDER] [--texts CORPUS.jsonl]
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import urllib3

from app.embedded.ports import port_find
from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey
from bench.desk import wait_for
from bench.engines import RESULTS, ROOT, engine

DATA = ROOT.parent / "shared" / "data"
SMALL, SENT_AT_ONCE = 300, 4
POLL_S = 0.2  # each costs 3 ms of the web process and PostgreSQL
PDFS, TEXTS = 10, 150
File = tuple[str, bytes]


@dataclass
class Box:
    """The processes by name; `postgres` is its postmaster."""

    address: str
    key: str
    processes: dict[str, psutil.Process]
    embeddings: str
    embedder: psutil.Process
    http: urllib3.PoolManager

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = self.http.request(method, f"{self.address}/api/v1{path}", headers=headers, **options)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        return orjson.loads(answer.data)

    def cpu_s(self) -> dict[str, float]:
        """Return processor seconds so far, with those of children that have ended."""
        found = {name: sum(map(_cpu_s, _tree(process))) for name, process in self.processes.items()}
        worker = self.processes["worker"].cpu_times()
        found["parsers"] = found["worker"] - worker.user - worker.system
        found["worker"] -= found["parsers"]
        return found

    def ingest(self, files: Sequence[File]) -> float:
        """Return seconds from the first byte sent to the last document ready."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(SENT_AT_ONCE) as threads:
            list(threads.map(lambda file: self.call("POST", "/documents", fields={"file": file}), files))
        while True:
            queues = orjson.loads(self.http.request("GET", f"{self.address}/health").data)["queues"]
            if not queues["queued"] + queues["running"]:
                break
            time.sleep(POLL_S)
        ended = time.perf_counter() - begun
        failed = self.call("GET", "/documents?state=failed")["items"]
        if failed:
            raise RuntimeError([(one["name"], one["error"]) for one in failed])
        return ended


def _tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


@contextmanager
def box(embeddings_module: str) -> Iterator[Box]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refdesk-bench-")))
        postgres = Postgres(folder / "postgres", log=folder / "postgres.log")
        valkey = Valkey(folder / "valkey", log=folder / "valkey.log")
        for server in (postgres, valkey):
            server.start()
            stack.callback(server.stop)
        qdrant, qdrant_pid = stack.enter_context(engine("app.embedded.qdrant", "--folder", str(folder / "qdrant")))
        embedder, embedder_pid = stack.enter_context(engine(embeddings_module))
        port = port_find()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REFDESK_")},
            "MALLOC_ARENA_MAX": "2",
            "REFDESK_DATA": str(folder),
            "REFDESK_SECRET_KEY": secrets.token_urlsafe(48),
            "REFDESK_DATABASE_URL": postgres.url(),
            "REFDESK_VALKEY_URL": valkey.url(),
            "REFDESK_QDRANT_URL": qdrant,
            "REFDESK_EMBEDDINGS_URL": f"{embedder}/v1",
            "REFDESK_URL": f"http://127.0.0.1:{port}",
        }
        _manage(environment, "migrate", "--no-input", "-v", "0")
        _manage(environment, "organisation_create", "bench")
        key = _manage(environment, "api_key_create", "--organisation", "bench", "--name", "bench").strip()
        web = ["uvicorn", "app.asgi:application", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        web += ["--no-access-log", "--log-level", "warning"]
        worker = ["celery", "-A", "app.celery", "worker", "--pool", "threads", "--concurrency", "4"]
        worker += ["--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        pids = {
            name: _start(stack, environment, folder, command) for name, command in (("web", web), ("worker", worker))
        }
        wait_for(port)
        pids["vectors"] = qdrant_pid
        [postmaster] = folder.glob("postgres/**/postmaster.pid")
        pids["postgres"] = int(postmaster.read_text().splitlines()[0])
        processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        processes["valkey"] = next(
            one for one in psutil.Process().children(recursive=True) if "valkey-server" in " ".join(one.cmdline())
        )
        time.sleep(3)
        http = urllib3.PoolManager(maxsize=8)
        yield Box(f"http://127.0.0.1:{port}", key, processes, f"{embedder}/v1", psutil.Process(embedder_pid), http)


def _manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def _start(stack: ExitStack, environment: dict[str, str], folder: Path, command: list[str]) -> int:
    log = stack.enter_context((folder / f"{command[0]}.log").open("wb"))
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process.pid


def small_files(count: int) -> list[File]:
    """Return about 2 KB each, of one or two passages."""
    line = "Parcel {} of lot {} waits in depot {} until somebody who is named on it comes and signs for it."
    return [
        (f"{lot}.txt", "\n\n".join(line.format(n, lot, n * lot % 97) for n in range(20)).encode())
        for lot in range(count)
    ]


def texts_of(corpus: Path, count: int) -> list[File]:
    with corpus.open() as lines:
        rows = [orjson.loads(line) for _, line in zip(range(count), lines, strict=False)]
    return [(f"{row['_id']}.txt", f"{row['title']}\n\n{row['text']}".encode()) for row in rows]


def pdfs_of(folder: Path, count: int) -> list[File]:
    return [(path.name, path.read_bytes()) for path in sorted(folder.glob("*.pdf"))[:count]]


def cpu_measure(desk: Box) -> dict[str, Any]:
    desk.ingest(small_files(8))  # starts the parsers' process
    files = [(f"again {name}", b"Again: " + data) for name, data in small_files(SMALL)]
    before = desk.cpu_s()
    seconds = desk.ingest(files)
    after = desk.cpu_s()
    each = {name: (after[name] - before[name]) / SMALL for name in after}
    print(f"\n{SMALL} small files: {seconds:.1f} s, {SMALL / seconds:.0f} files/s")
    print("\n| process | CPU ms a file |\n|---|---:|")
    for name, cost in each.items():
        print(f"| {name} | {cost * 1000:.1f} |")
    print(f"| all | {sum(each.values()) * 1000:.1f} |", flush=True)
    return {"files": SMALL, "seconds": seconds, "cpu_s_a_file": sum(each.values()), "by_process": each}


def pdfs_measure(desk: Box, folder: Path) -> dict[str, Any]:
    files = pdfs_of(folder, PDFS)
    before = desk.cpu_s()
    seconds = desk.ingest(files)
    cpu = sum(desk.cpu_s().values()) - sum(before.values())
    pages = sum(one["pages"] or 0 for one in desk.call("GET", "/documents?limit=200&q=.pdf")["items"])
    print(
        f"\n{len(files)} PDF manuals, {pages} pages, without the embedding: {seconds:.1f} s, {cpu:.1f} s of CPU",
        flush=True,
    )
    return {"files": len(files), "pages": pages, "seconds": seconds, "cpu_s": cpu}


def share_measure(desk: Box, files: Sequence[File]) -> dict[str, Any]:
    from app.llm.embeddings import EmbeddingsClient
    from app.llm.endpoint import Endpoint

    desk.ingest([("first.txt", b"Starts the parsers' process.")])
    before = sum(desk.cpu_s().values()) + _cpu_s(desk.embedder)
    seconds = desk.ingest(files)
    cpu = sum(desk.cpu_s().values()) + _cpu_s(desk.embedder) - before
    names = {name for name, _ in files}
    measured = [document["id"] for document in listed(desk, "/documents") if document["name"] in names]
    texts = [one["text"] for document in measured for one in listed(desk, f"/documents/{document}/chunks")]
    client = EmbeddingsClient(Endpoint(desk.embeddings))
    client.space()
    parts = [texts[first : first + 64] for first in range(0, len(texts), 64)]
    begun, before = time.perf_counter(), _cpu_s(desk.embedder)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(client.embed_documents, parts))
    raw, raw_cpu = time.perf_counter() - begun, _cpu_s(desk.embedder) - before
    print(f"\n{len(files)} files, {len(texts)} passages: ingest {seconds:.1f} s, embedding alone {raw:.1f} s, ", end="")
    print(f"{seconds / raw:.2f} times; in CPU seconds of all processes {cpu:.1f} and {raw_cpu:.1f}, ", end="")
    # The processor's time bears a busy machine, on which the model's threads give way to everything else.
    print(f"{cpu / raw_cpu:.2f} times", flush=True)
    found = {"files": len(files), "passages": len(texts), "seconds": seconds, "raw": raw, "times": seconds / raw}
    return {**found, "cpu_s": cpu, "raw_cpu_s": raw_cpu, "cpu_times": cpu / raw_cpu}


def listed(desk: Box, address: str) -> Iterator[Any]:
    cursor = ""
    while cursor is not None:
        page = desk.call("GET", f"{address}?limit=200&cursor={cursor}")
        yield from page["items"]
        cursor = page["next"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, default=DATA / "questions" / "kg-rag-sec-10-q" / "docs")
    parser.add_argument("--texts", type=Path, default=DATA / "retrieval" / "scifact" / "corpus.jsonl")
    parser.add_argument("--only", choices=("cpu", "pdfs", "share"), nargs="*", default=("cpu", "pdfs", "share"))
    options = parser.parse_args()
    results: dict[str, Any] = {}
    if {"cpu", "pdfs"} & set(options.only):
        with box("bench.fake_embeddings") as desk:
            if "cpu" in options.only:
                results["small"] = cpu_measure(desk)
            if "pdfs" in options.only:
                results["pdfs"] = pdfs_measure(desk, options.pdfs)
    if "share" in options.only:
        with box("app.embedded.embeddings") as desk:
            results["share"] = share_measure(desk, texts_of(options.texts, TEXTS))
        with box("app.embedded.embeddings") as desk:
            results["share_of_a_manual"] = share_measure(desk, pdfs_of(options.pdfs, 1))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "ingest.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **results}, indent=1))


if __name__ == "__main__":
    main()
