"""Specifications of processes for the supervisor: the protocol Engine, and Program for our own Python processes."""

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from app.embedded.http_probe import http_get
from app.embedded.process import child_stop, process_start
from app.embedded.run_as import SAME, Identity
from app.lib.engine_error import EngineError

StopLadder = Sequence[tuple[signal.Signals, float]]


class Engine(Protocol):
    """A process that the supervisor can run. `prepare` runs before every start; `ready` may be called at any time."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def environment(self) -> Mapping[str, str]: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def stop_ladder(self) -> StopLadder: ...
    @property
    def death_signal(self) -> signal.Signals: ...

    def prepare(self) -> None: ...
    def command(self) -> list[str]: ...
    def ready(self) -> bool: ...


@dataclass(frozen=True)
class Program:
    """A process that runs `arguments` in `folder`; ready when `path` returns 200, or at once without a port."""

    name: str
    arguments: list[str]
    folder: Path
    environment: Mapping[str, str]
    host: str = "127.0.0.1"
    port: int | None = None
    path: str = "/health"
    identity: Identity = SAME
    stop_ladder: StopLadder = field(default=((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)))
    death_signal: signal.Signals = signal.SIGTERM

    def prepare(self) -> None:
        """Do nothing: a Python process needs no preparation."""

    def command(self) -> list[str]:
        return self.arguments

    def ready(self) -> bool:
        if self.port is None:
            return True
        answer = http_get(self.host, self.port, self.path)
        return answer is not None and answer[0] == 200


def engine_launch(engine: Engine, log: Path) -> subprocess.Popen[bytes]:
    """Start the process of a prepared engine."""
    return process_start(
        engine.command(),
        folder=engine.folder,
        log=log,
        environment=engine.environment,
        identity=engine.identity.spec,
        death_signal=engine.death_signal,
    )


def engine_start(engine: Engine, log: Path, *, wait_s: float = 60.0) -> subprocess.Popen[bytes]:
    """Prepare and start an engine as a child of the calling thread; wait until it is ready. Raises EngineError."""
    engine.prepare()
    child = engine_launch(engine, log)
    deadline = time.monotonic() + wait_s
    while not engine.ready():
        if child.poll() is not None or time.monotonic() > deadline:
            child_stop(child, engine.stop_ladder)
            raise EngineError(f"{engine.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)
    return child


def probe_text(engine: Engine) -> str:
    """Return the response of a program that is up but not ready."""
    if not isinstance(engine, Program) or engine.port is None:
        return ""
    answer = http_get(engine.host, engine.port, engine.path)
    return "" if answer is None else f"{engine.path} answers {answer[0]}: {answer[1][:1000].decode(errors='replace')}\n"
