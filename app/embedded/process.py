"""Child processes that end with this process, are stopped by a ladder of signals, and are recognised after a crash."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")


def launch_command(
    program: Sequence[str], *, identity: str = "same", death_signal: signal.Signals = signal.SIGTERM
) -> list[str]:
    """Return the command that runs `program` as our child, which gets `death_signal` when we die."""
    python = [sys.executable, "-I", "-S", str(LAUNCHER)]
    return [*python, str(os.getpid()), str(int(death_signal)), identity, *program]


def process_start(
    program: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    identity: str = "same",
    death_signal: signal.Signals = signal.SIGTERM,
    text: str | None = None,
    shown: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `program` in its own session (Ctrl-C reaches only us), with its output appended to `log`.

    text: its standard input (less than the 64 KiB of a pipe). shown: its output goes to our own output, and only its
    errors to the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            launch_command(program, identity=identity, death_signal=death_signal),
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
            stdout=None if shown else output,
            stderr=output,
            start_new_session=True,
        )
    if child.stdin is not None:
        # A program that died before reading has its reason in its log and status.
        with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
            pipe.write((text or "").encode())
    return child


def start_time(pid: int) -> int | None:
    """Return the clock ticks from boot to the start of process `pid`; None when it is gone or a zombie.

    The pair of pid and start time identifies one process for ever, because only pids are reused.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in brackets, which may contain spaces and brackets.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def process_stop(pid: int, ladder: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Send each signal in turn and wait its seconds for the process to end; return whether it has ended.

    Use it for processes that are not our children (left by a killed supervisor).
    """
    born = start_time(pid)
    if born is None:
        return True
    for number, seconds in ladder:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if start_time(pid) != born:
                return True
            time.sleep(0.02)
    return start_time(pid) != born


def child_stop(child: subprocess.Popen[bytes], ladder: Sequence[tuple[signal.Signals, float]]) -> None:
    """Stop our own child in the same way, and reap it."""
    for number, seconds in ladder:
        if child.poll() is not None:
            return
        child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
            return
