"""One supervised process: started, watched, and restarted after it dies, with growing delays while it keeps dying."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from app.embedded.process_spec import Engine, engine_launch

LONGEST_DELAY_S = 30.0
# A process that was up for this long has no fault of its start any more.
SETTLED_S = 60.0


def status_text(status: int) -> str:
    """Describe how a process ended, from Popen's return code."""
    return f"signal {-status}" if status < 0 else f"exit {status}"


class ManagedProcess:
    """A process that is restarted when it dies. `due`: the time of the restart (monotonic); None while it runs."""

    def __init__(self, engine: Engine, log: Path) -> None:
        self.engine = engine
        self.log = log
        self.log_start = 0
        self.child: subprocess.Popen[bytes] | None = None
        self.due: float | None = None
        self.deaths = 0
        self.was_ready = False
        self._began = 0.0

    @property
    def name(self) -> str:
        return self.engine.name

    def start(self) -> None:
        """Start the process. Raises EngineError, OSError."""
        self.engine.prepare()
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        self.child = engine_launch(self.engine, self.log)
        self._began = time.monotonic()
        self.due = None

    def reap(self) -> int | None:
        """Return the exit status of a process that died since the last call, and set when it is due to restart."""
        if self.child is None or not self.gone():
            return None
        # Before the dead process is reaped, its number cannot belong to another group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child.pid, signal.SIGKILL)
        status = self.child.wait()
        now = time.monotonic()
        if now - self._began > SETTLED_S:
            self.deaths = 0
        self.due = now + min(LONGEST_DELAY_S, 2.0 ** (self.deaths - 1) if self.deaths else 0.0)
        self.child = None
        self.deaths += 1
        return status

    def ready(self) -> bool:
        if self.child is not None and not self.gone() and self.engine.ready():
            self.was_ready = True
        return self.was_ready

    def gone(self) -> bool:
        """Return whether no process runs; a dead one still has to be reaped."""
        if self.child is None or self.child.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def send(self, number: signal.Signals) -> None:
        if self.child is not None and not self.gone():
            self.child.send_signal(number)
