"""Measure the memory of a box at rest: proportional set size, a minute after the samples of its first start were read.

python -m bench.memory
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import urllib3

from app.embedded.ports import port_find
from bench.engines import RESULTS, ROOT, memory_mb

# The parsers' process ends a minute after the last file; what is at rest is measured after that.
REST_S = 75
LEFT_OUT = "embeddings"
MOST_MB = 400


def name_of(process: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    for name, sign in (
        ("web", "uvicorn"),
        ("worker", "celery"),
        ("embeddings", "app.embedded.embeddings"),
        ("vectors", "app.embedded.qdrant"),
        ("parsers", "app.library.pipeline.fork_server"),
        ("valkey", "valkey-server"),
        ("supervisor", "-m app.embedded"),
        ("postgres", "postgres"),
    ):
        if sign in words:
            return name
    return re.sub(r"\s.*", "", process.name())


def measured(root: psutil.Process) -> dict[str, float]:
    sizes: dict[str, float] = {}
    for process in [root, *root.children(recursive=True)]:
        try:
            name = name_of(process)
            sizes[name] = sizes.get(name, 0.0) + memory_mb(process.pid)
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            continue
    return sizes


def with_qdrant_client(root: psutil.Process) -> list[str]:
    """Return the processes with Qdrant's client: nothing but its package loads gRPC's library."""
    names = []
    for process in root.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            if "/grpc/_cython/" in Path(f"/proc/{process.pid}/maps").read_text():
                names.append(name_of(process))
    return names


def settle(address: str) -> None:
    http = urllib3.PoolManager(retries=False)
    for _ in range(600):
        try:
            queues = http.request("GET", f"{address}/health").json()["queues"]
            if queues and not queues["queued"] + queues["running"]:
                break
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.2)
    time.sleep(REST_S)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="refdesk-bench-") as folder:
        port = port_find()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REFDESK_")}
        environment |= {"REFDESK_DATA": folder, "REFDESK_PORT": str(port)}
        command = [sys.executable, "-m", "app.embedded"]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as box:
            try:
                settle(f"http://127.0.0.1:{port}")
                sizes = measured(psutil.Process(box.pid))
                loaded = with_qdrant_client(psutil.Process(box.pid))
            finally:
                box.send_signal(signal.SIGTERM)
                box.wait(30)
    print("| process | MB (PSS) |\n|---|---:|")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"| {name} | {size:.0f} |")
    total = sum(size for name, size in sizes.items() if name != LEFT_OUT)
    print(f"| all but the embedding one (at most {MOST_MB}) | {total:.0f} |")
    print(f"\nWith Qdrant's client loaded: {', '.join(loaded) or 'none'}")
    RESULTS.mkdir(exist_ok=True)
    results = {"by_process": sizes, "without_embeddings": total, "qdrant_client": loaded}
    Path(RESULTS / "memory.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
