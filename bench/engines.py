"""Engines for a benchmark: each a process of its own on a free port, ended with the block."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"


@contextmanager
def engine(module: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """Return address without a path, and process id, of `python -m module`, which says where it listens.

    Raises:
        RuntimeError: the engine did not start.
    """
    command = [sys.executable, "-m", module, *arguments, "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if " listens on " not in line:
                raise RuntimeError(f"{module} did not start: {line}")
            yield line.split(" listens on ")[1].strip(), process.pid
        finally:
            process.terminate()


def memory_mb(pid: int) -> float:
    """Return proportional set size of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def cpu_s(pid: int) -> float:
    """Return processor seconds of a process so far, in steps of a hundredth: unlike times, they bear a busy machine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
