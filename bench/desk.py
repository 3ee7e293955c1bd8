"""A whole Refdesk for a benchmark: engines, web process and scripted model, in a folder that goes with the block."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.embedded.ports import port_find
from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey
from app.llm.tests.fake_llm import ScriptedModel
from bench.engines import ROOT, engine

TICKS_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Desk:
    """A running web process, a key for it, and the scripted model. stores: pids of PostgreSQL and Valkey."""

    port: int
    pid: int
    stores: tuple[int, ...]
    key: str
    model: ScriptedModel
    folder: Path


@contextmanager
def desk(fill: Callable[[], str], *, with_model: bool = True, model_url: str = "") -> Iterator[Desk]:
    """Start a desk. fill: makes the organisation and its library, with Django set up, and returns an API key.

    model_url: of a real model server, instead of the scripted one.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refdesk-bench-")))
        postgres = Postgres(folder / "postgres", log=folder / "postgres.log")
        valkey = Valkey(folder / "valkey", log=folder / "valkey.log")
        for server in (postgres, valkey):
            server.start()
            stack.callback(server.stop)
        qdrant, _ = stack.enter_context(engine("app.embedded.qdrant", "--folder", str(folder / "qdrant")))
        embedder, _ = stack.enter_context(engine("app.embedded.embeddings"))
        model = stack.enter_context(ScriptedModel())
        port = port_find()
        os.environ.update(
            REFDESK_DATA=str(folder),
            REFDESK_SECRET_KEY=secrets.token_urlsafe(48),
            REFDESK_DATABASE_URL=postgres.url(),
            REFDESK_VALKEY_URL=valkey.url(),
            REFDESK_QDRANT_URL=qdrant,
            REFDESK_EMBEDDINGS_URL=f"{embedder}/v1",
            REFDESK_LLM_URL=model_url or (model.url if with_model else ""),
            REFDESK_URL=f"http://127.0.0.1:{port}",
            DJANGO_SETTINGS_MODULE="app.settings",
        )
        subprocess.run([sys.executable, "manage.py", "migrate", "--no-input", "-v", "0"], cwd=ROOT, check=True)
        import django

        from app.lib.tenancy import scope_enter_everything

        django.setup()
        scope_enter_everything()
        key = fill()
        web = stack.enter_context(web_process(port, folder))
        children = [server.child for server in (postgres, valkey)]
        stores = tuple(child.pid for child in children if child is not None)
        yield Desk(port, web.pid, stores, key, model, folder)


@contextmanager
def worker_process(folder: Path) -> Iterator[None]:
    """Run the worker as scripts/start runs it. Only within `desk`, whose variables it reads."""
    command = [sys.executable, "-m", "celery", "-A", "app.celery", "worker", "--pool", "threads", "--concurrency", "4"]
    command += ["--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    with (
        (folder / "worker.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, stderr=log, stdout=log) as child,
    ):
        try:
            yield
        finally:
            child.terminate()


@contextmanager
def web_process(port: int, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "uvicorn", "app.asgi:application", "--port", str(port), "--loop", "uvloop"]
    command += ["--http", "httptools", "--no-access-log", "--no-server-header", "--log-level", "warning"]
    with (folder / "web.log").open("wb") as log, subprocess.Popen(command, cwd=ROOT, stderr=log) as web:
        try:
            wait_for(port)
            yield web
        finally:
            sys.stderr.write((folder / "web.log").read_text()[-2000:])
            web.terminate()


def wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the web process did not start")


def tree_cpu_s(*pids: int) -> float:
    """Return the CPU seconds of processes and their children: PostgreSQL has one for each connection, kept by the
    pools.
    """
    total = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if int(entry.name) in pids or parent in pids:
                total += cpu_s(int(entry.name))
    return total


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S
