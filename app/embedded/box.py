"""A box: one data folder, its files, and the lock that allows one supervisor."""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.embedded.ports import port_find
from app.embedded.process import process_stop, start_time
from app.embedded.process_spec import StopLadder
from app.embedded.secret import file_write_private, secret_keep
from app.lib.engine_error import EngineError
from app.lib.version import project_version, version_key

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Running:
    """The supervisor that runs on a box."""

    pid: int
    address: str


def file_read_json(path: Path) -> Any:
    """Read a JSON file; return an empty object when it is absent or was cut short by a crash."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


class Box:
    """Paths and small records of the data folder `folder` (absolute)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.run = self.folder / "run"
        self.logs = self.folder / "logs"
        # Holds the digest of the backup while its restore is unfinished.
        self.unfinished = self.folder / "restore-unfinished"

    @contextlib.contextmanager
    def locked(self, address: str) -> Iterator[None]:
        """Hold the lock of the box, which allows one supervisor; the kernel drops it when the process ends.

        Raises EngineError when another supervisor runs.
        """
        self._make()
        with (self.run / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                other = self.running()
                who = f" (pid {other.pid}) at {other.address}" if other else ""
                raise EngineError(f"Refdesk already runs on {self.folder}{who}. scripts/stop stops it.") from None
            self._write_run("supervisor", asdict(Running(os.getpid(), address)))
            try:
                yield
            finally:
                for name in ("supervisor", "environment", "processes", "metrics-worker", "metrics-beat"):
                    (self.run / f"{name}.json").unlink(missing_ok=True)

    def running(self) -> Running | None:
        """Return the supervisor that runs on this box, or None."""
        path = self.run / "lock"
        if not path.exists():
            return None
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                record = file_read_json(self.run / "supervisor.json")
                return Running(**record) if record else Running(0, "an address not written yet")
        return None

    def check_version(self) -> None:
        """Check that no newer Refdesk wrote this folder. Raises EngineError."""
        path, ours = self.folder / "version", project_version()
        theirs = path.read_text().strip() if path.exists() else ours
        if version_key(theirs) > version_key(ours):
            raise EngineError(
                f"The data in {self.folder} was written by Refdesk {theirs}, and this is {ours}, which cannot read it. "
                "Update Refdesk, or name another folder in REFDESK_DATA."
            )

    def check_restored(self) -> None:
        """Check that no restore into this folder is unfinished. Raises EngineError."""
        if self.unfinished.exists():
            raise EngineError(
                f"A restore into {self.folder} was cut short. Run scripts/restore with the same backup again; it goes "
                "on from there."
            )

    def write_version(self) -> None:
        path = self.folder / "version"
        if not path.exists() or path.read_text().strip() != project_version():
            file_write_private(path, project_version() + "\n")

    def prepared(self) -> str:
        """Return the digest of the code that prepared this box's tables; the cluster's folder holds both."""
        path = self.folder / "postgres" / "prepared"
        return path.read_text().strip() if path.exists() else ""

    def write_prepared(self, digest: str) -> None:
        file_write_private(self.folder / "postgres" / "prepared", digest + "\n")

    def secret(self, name: str) -> str:
        return secret_keep(self.folder / "secrets" / name)

    def port(self, name: str) -> int:
        """Return the port of an engine: the previous one if it is still free."""
        ports = file_read_json(self.run / "ports.json")
        kept = ports.get(name)
        ports[name] = port_find(kept)
        if ports[name] != kept:
            self._write_run("ports", ports)
        return int(ports[name])

    def write_environment(self, environment: Mapping[str, str]) -> None:
        """Write the settings for commands in another shell (app.env.read_deployment)."""
        self._write_run("environment", dict(environment))

    def write_processes(self, pids: Mapping[str, int]) -> None:
        self._write_run("processes", {name: [pid, start_time(pid)] for name, pid in pids.items()})

    def stop_leftovers(self, ladder: StopLadder) -> list[str]:
        """Stop processes that outlived a killed supervisor, except PostgreSQL, which does so itself. Return names."""
        stopped = []
        for name, (pid, born) in file_read_json(self.run / "processes.json").items():
            # Pids are reused: only the same pid with the same start tick is that process.
            if name != "postgres" and born is not None and start_time(pid) == born:
                process_stop(pid, ladder)
                stopped.append(name)
        return stopped

    def options(self) -> dict[str, str]:
        """Read the options that earlier starts saved."""
        options: dict[str, str] = file_read_json(self.folder / "options.json")
        return options

    def write_options(self, options: Mapping[str, str]) -> None:
        file_write_private(self.folder / "options.json", json.dumps(dict(options)))

    def _make(self) -> None:
        for folder in (self.folder, self.run, self.logs):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except FileExistsError:
                raise EngineError(f"{folder} is a file; REFDESK_DATA must name a folder.") from None
        owner = self.folder.stat().st_uid
        if os.geteuid() == 0 != owner and (self.folder / "postgres").exists():
            # Files of root in the folder would be closed to that user.
            raise EngineError(f"{self.folder} belongs to the user with number {owner}. Start Refdesk as that user.")
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise EngineError(f"{self.folder} cannot be written by this user. Name another folder in REFDESK_DATA.")

    def _write_run(self, name: str, record: Mapping[str, Any]) -> None:
        file_write_private(self.run / f"{name}.json", json.dumps(record))


def code_digest() -> str:
    """Return a digest of what tables and first start depend on: migrations, packages, version, `first_start`."""
    digest = hashlib.sha256(project_version().encode())
    files = [
        *ROOT.glob("app/*/migrations/*.py"),
        *ROOT.glob("requirements/*.txt"),
        *ROOT.glob("app/operations/management/commands/first_start.py"),
    ]
    for path in sorted(files):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
