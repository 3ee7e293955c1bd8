"""The engine of work in the background, with jobs that do nothing: how soon one begins, and how many are done a second.

Against the rows of the database alone, so that two versions can be measured in one run:

    git worktree add ../before COMMIT
    python -m bench.jobs --tree . --tree ../before
"""

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import psycopg

from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey
from app.lib.ids import new_id
from bench.engines import RESULTS, engine

ALONE, MANY = 100, 2000
PAUSE_S, POLL_S = 0.15, 0.05
LIMIT_S = 300.0

_JOBS = """
INSERT INTO jobs_job (id, kind, lane, organisation_id, subject, payload, state, step, percent, attempt, deaths, fence,
    priority, weight, error_code, error_message, created, updated)
SELECT id, 'document_delete', 'cpu', %s, '', '{}', 'queued', '', 0, 0, 0, 0, 0, 0, '', '', now(), now()
FROM unnest(%s::uuid[]) AS t (id)
"""
_INGEST = """
INSERT INTO ingest_job (id, kind, targets, organisation_id, state, attempt, deaths, fence, bytes, error_code, created,
    updated)
SELECT id, 'delete', '{}', %s, 'queued', 0, 0, 0, 0, '', now(), now() FROM unnest(%s::uuid[]) AS t (id)
"""


@dataclass(frozen=True)
class Figures:
    tree: str
    latency_p50_ms: float
    latency_p95_ms: float
    jobs_per_s: float
    cpu_ms_a_job: float


@dataclass
class Box:
    """A database and a worker of one tree."""

    rows: "psycopg.Connection[tuple[Any, ...]]"
    processes: list[psutil.Process]
    organisation: UUID

    @property
    def is_before(self) -> bool:
        row = self.rows.execute("SELECT to_regclass('jobs_job') IS NULL").fetchone()
        return row is not None and bool(row[0])

    def queue(self, count: int) -> list[UUID]:
        ids = [new_id() for _ in range(count)]
        with self.rows.transaction():
            self.rows.execute(_INGEST if self.is_before else _JOBS, [self.organisation, ids])
            self.rows.execute("SELECT pg_notify('refdesk_jobs', 'new')")
        return ids

    def wait(self, ids: list[UUID]) -> None:
        table, deadline = "ingest_job" if self.is_before else "jobs_job", time.monotonic() + LIMIT_S
        statement = f"SELECT count(*) FROM {table} WHERE id = ANY(%s) AND state <> 'done'"
        while (row := self.rows.execute(statement.encode(), [ids]).fetchone()) and row[0]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{row[0]} jobs are not done after {LIMIT_S} s")
            time.sleep(POLL_S)

    def seconds(self, ids: list[UUID]) -> list[float]:
        """Return the seconds between the transactions that made and ended each job, by the database's clock."""
        table = "ingest_job" if self.is_before else "jobs_job"
        statement = f"SELECT extract(epoch FROM updated - created) FROM {table} WHERE id = ANY(%s)"
        return [float(row[0]) for row in self.rows.execute(statement.encode(), [ids])]

    def cpu_s(self) -> float:
        return sum(_cpu_s(each) for process in self.processes for each in [process, *process.children(recursive=True)])


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


@contextmanager
def box(tree: Path) -> Iterator[Box]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refdesk-bench-")))
        postgres = Postgres(folder / "postgres", log=folder / "postgres.log")
        valkey = Valkey(folder / "valkey", log=folder / "valkey.log")
        for server in (postgres, valkey):
            server.start()
            stack.callback(server.stop)
        qdrant, _ = stack.enter_context(engine("app.embedded.qdrant", "--folder", str(folder / "qdrant")))
        embeddings, _ = stack.enter_context(engine("bench.fake_embeddings"))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REFDESK_")},
            "MALLOC_ARENA_MAX": "2",
            "REFDESK_DATA": str(folder),
            "REFDESK_SECRET_KEY": secrets.token_urlsafe(48),
            "REFDESK_DATABASE_URL": postgres.url(),
            "REFDESK_VALKEY_URL": valkey.url(),
            "REFDESK_QDRANT_URL": qdrant,
            "REFDESK_EMBEDDINGS_URL": f"{embeddings}/v1",
            # Nothing but the jobs of the benchmark.
            "REFDESK_WORKER_BEATS": "0",
        }
        for command in (["migrate", "--no-input", "-v", "0"], ["organisation_create", "bench"]):
            subprocess.run([sys.executable, "manage.py", *command], cwd=tree, env=environment, check=True)
        worker = _worker_start(stack, tree, environment, folder)
        [postmaster] = folder.glob("postgres/**/postmaster.pid")
        processes = [psutil.Process(worker), psutil.Process(int(postmaster.read_text().splitlines()[0]))]
        rows = stack.enter_context(psycopg.connect(postgres.url(), autocommit=True, options="-c refdesk.scope=all"))
        [(organisation,)] = rows.execute("SELECT id FROM accounts_organisation").fetchall()
        yield Box(rows, processes, organisation)


def _worker_start(stack: ExitStack, tree: Path, environment: dict[str, str], folder: Path) -> int:
    pool = ["--pool", "threads", "--concurrency", "4"] if (tree / "app" / "ops").is_dir() else ["--pool", "solo"]
    command = [sys.executable, "-m", "celery", "-A", "app.celery", "worker", *pool, "--loglevel", "WARNING"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    log = stack.enter_context((folder / "worker.log").open("wb"))
    process = subprocess.Popen(command, cwd=tree, env=environment, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process.pid


def measure(tree: Path) -> Figures:
    with box(tree) as desk:
        desk.wait(desk.queue(20))
        alone = []
        for _ in range(ALONE):
            time.sleep(PAUSE_S)
            ids = desk.queue(1)
            desk.wait(ids)
            alone += desk.seconds(ids)
        before = desk.cpu_s()
        ids = desk.queue(MANY)
        desk.wait(ids)
        cpu = desk.cpu_s() - before
        took = max(desk.seconds(ids))
    quantiles = statistics.quantiles(alone, n=20)
    return Figures(tree.resolve().name, quantiles[9] * 1000, quantiles[18] * 1000, MANY / took, cpu / MANY * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, action="append", help="a checkout; several are measured in turns")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    found: list[Figures] = []
    print("| tree | begun and done after, p50 | p95 | jobs a second | CPU a job, worker and PostgreSQL |")
    print("|---|---:|---:|---:|---:|")
    for _ in range(options.rounds):
        for tree in options.tree or [Path()]:
            figures = measure(tree)
            found.append(figures)
            print(
                f"| {figures.tree} | {figures.latency_p50_ms:.1f} ms | {figures.latency_p95_ms:.1f} ms "
                f"| {figures.jobs_per_s:.0f} | {figures.cpu_ms_a_job:.1f} ms |",
                flush=True,
            )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "jobs.json").write_text(json.dumps([asdict(figures) for figures in found], indent=1))


if __name__ == "__main__":
    main()
