"""A box under test: its supervisor as a process, and what that prints and answers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

from app.embedded.http_probe import http_get
from app.embedded.ports import port_find
from app.embedded.process import start_time
from app.lib.tenancy import EVERYTHING, SETTING
from tests.waiting import wait_until

# Servers that are "given", so that no engine of ours is started for them; nothing in these tests asks them.
ELSEWHERE = {
    "REFDESK_QDRANT_URL": "http://127.0.0.1:9",
    "REFDESK_EMBEDDINGS_URL": "http://127.0.0.1:9/v1",
    "REFDESK_LLM_URL": "http://127.0.0.1:9/v1",
}


class BoxProcess:
    """real: all of Refdesk, as scripts/start runs it; otherwise the program of box_program."""

    real = False

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = port_find()
        self.environment = environment
        self.output = folder.with_name(f"{folder.name}.txt")
        self.child: subprocess.Popen[bytes] | None = None

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the supervisor's command to its end and return its result."""
        return subprocess.run(
            self._command(*arguments), env=self._environment(environment), capture_output=True, text=True, timeout=120
        )

    def start(self, *arguments: str, **environment: str) -> None:
        """Start the box and wait until it prints that it is ready."""
        self.launch(*arguments, **environment)
        wait_until(lambda: "is ready at" in self.printed() or self.process.poll() is not None)
        assert self.process.poll() is None, self.printed()

    def launch(self, *arguments: str, **environment: str) -> None:
        with self.output.open("wb") as output:
            self.child = subprocess.Popen(
                self._command(*arguments),
                env=self._environment(environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        if self.child is not None:
            if self.child.poll() is None:
                self.child.send_signal(signal.SIGTERM)
            self.child.wait(60)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self.child is not None
        return self.child

    def printed(self) -> str:
        return self.output.read_text(errors="replace")

    def record(self, name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.folder / "run" / f"{name}.json").read_text())
        return found

    def pid(self, name: str) -> int:
        pid = self.record("processes")[name]
        assert isinstance(pid, list)
        return int(pid[0])

    def pids(self) -> dict[str, int]:
        return {name: self.pid(name) for name in self.record("processes")}

    def answers(self) -> bool:
        return http_get("127.0.0.1", self.port, "/") is not None

    def status(self, path: str) -> int | None:
        answer = http_get("127.0.0.1", self.port, path, timeout_s=5)
        return answer and answer[0]

    def database_answers(self) -> bool:
        try:
            return self.sql("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(str(self.record("environment")["REFDESK_DATABASE_URL"])) as connection:
            connection.execute(f"SET {SETTING} = '{EVERYTHING}'")
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _command(self, *arguments: str) -> list[str]:
        module = "app.embedded" if self.real else "tests.box.box_program"
        return [sys.executable, "-m", module, *arguments]

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("REFDESK_")}
        place = {"REFDESK_DATA": str(self.folder), "REFDESK_PORT": str(self.port)}
        elsewhere = {} if self.real else ELSEWHERE
        return {**ours, **elsewhere, **place, **self.environment, **more}


def all_gone(pids: dict[str, int]) -> bool:
    return all(start_time(pid) is None for pid in pids.values())
