"""Compare what a turn costs here and in another checkout, both in one run, so that a busy machine slows both.

    git worktree add ../before COMMIT
    python -m bench.turn_compare ../before [--turns 400]

Each side has web process and engines of its own, and questions alternate between them: 1,900 characters a passage, five
passages, new questions, an answer of 64 tokens at once, with markers or without (its sentences are then attributed).
Prints the CPU of each process and the ratios of the medians; saves JSON in bench/results/.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.engines import RESULTS, ROOT
from bench.turn import Reader, request_bytes

# Run in each checkout, old ones too: it uses what bench/desk.py and bench/turn.py have had from the first version on.
SERVE = """
import sys, json
from bench import turn
from bench.desk import desk
turn.FILLER = turn.FILLER * 3
with desk(lambda: turn.fill(200, "as-shipped")) as running:
    print(json.dumps({"port": running.port, "key": running.key, "model": running.model.address}), flush=True)
    sys.stdin.read()
"""
Rows = list[dict[str, float]]
PARTS = {"uvicorn": "web", "postgres": "PostgreSQL", "valkey": "Valkey", "qdrant": "vectors"}
# Fields of app/llm/tests/fake_llm.py.
MARKED = {"at_once": True}
SENTENCES = (
    "The unit is checked each quarter by the people of the workshop. They note the pressure, the temperature and the "
    "wear of the seals in the log. Anything above the limits of the table is reported. It is checked each quarter."
)
UNMARKED = {"at_once": True, "tokens": [f" {word}" for word in SENTENCES.split()]}


@dataclass(frozen=True)
class Side:
    """One checkout with its running processes: pids by part, without the embedding model and the model server."""

    name: str
    port: int
    key: str
    model: str
    pids: dict[str, list[int]]

    def cpu_ms(self) -> dict[str, float]:
        return {part: 1000 * sum(map(clock_s, pids)) for part, pids in self.pids.items()}

    def script(self, script: dict[str, Any]) -> None:
        body = json.dumps(script).encode()
        request = urllib.request.Request(f"{self.model}/script", data=body, method="PUT")
        with urllib.request.urlopen(request, timeout=10):
            pass


def clock_s(pid: int) -> float:
    """Return the CPU seconds of a process by its own clock (clock_getcpuclockid), finer than the ticks of /proc."""
    return time.clock_gettime(~pid << 3 | 2)


def descendants(pid: int) -> Iterator[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in map(int, children):
        yield child
        yield from descendants(child)


def parts_of(pid: int) -> dict[str, list[int]]:
    """Return the pids below a side's process by part. PostgreSQL's processes call themselves postgres too."""
    found: dict[str, list[int]] = {part: [] for part in PARTS.values()}
    for child in descendants(pid):
        command = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        part = next((part for word, part in PARTS.items() if word in command), None)
        if part is not None:
            found[part].append(child)
    return found


@contextmanager
def side(name: str, checkout: Path) -> Iterator[Side]:
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, cwd=checkout, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            facts = json.loads(process.stdout.readline())
            # Connections of the web process make processes of PostgreSQL: some questions first.
            warm = Side(name, **facts, pids={})
            warm.script(MARKED)
            uvloop.run(compare([warm], MARKED, 8, 80))
            yield Side(name, **facts, pids=parts_of(process.pid))
        finally:
            process.stdin.close()


_asked = iter(range(10**9))


def new_questions(of: Side, count: int) -> list[bytes]:
    path = "/api/v1/bots/default/chat"
    numbers = (next(_asked) for _ in range(count))
    return [
        request_bytes(of.port, path, {"message": f"How often is unit a{n} checked in {n}?"}, of.key) for n in numbers
    ]


async def ask(of: Side, readers: list[Reader]) -> list[float]:
    """Ask a new question by each reader; return the seconds to each first token."""
    questions = zip(readers, new_questions(of, len(readers)), strict=True)
    ends = (b"event: delta", b"event: done")
    return await asyncio.gather(*(reader.stream(question, *ends) for reader, question in questions))


async def measure(of: Side, readers: list[Reader]) -> dict[str, float]:
    """Return milliseconds of CPU a turn by part, time to the first token and turns a second, of one question each."""
    before, began = of.cpu_ms(), time.perf_counter()
    times = await ask(of, readers)
    took, after = time.perf_counter() - began, of.cpu_ms()
    row = {part: (after[part] - before[part]) / len(readers) for part in before}
    figures = {"all": sum(row.values()), "first token": 1000 * statistics.median(times)}
    return {**row, **figures, "turns/s": len(readers) / took}


async def compare(sides: list[Side], script: dict[str, Any], streams: int, turns: int) -> dict[str, Rows]:
    """Measure the sides in turn, question by question where there is one stream."""
    readers = {side.name: [Reader(side.port) for _ in range(streams)] for side in sides}
    rows: dict[str, Rows] = {side.name: [] for side in sides}
    for side in sides:
        side.script(script)
        for _ in range(3):
            await ask(side, readers[side.name])
    for number in range(turns // streams):
        for side in sides if number % 2 else sides[::-1]:
            rows[side.name].append(await measure(side, readers[side.name]))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--turns", type=int, default=400)
    arguments = parser.parse_args()
    cases: list[tuple[str, dict[str, Any], int]] = [
        ("1 stream", MARKED, 1),
        ("1 stream, no markers", UNMARKED, 1),
        ("32 streams", MARKED, 32),
    ]
    rows: dict[str, dict[str, Rows]] = {}
    with ExitStack() as stack:
        sides = [stack.enter_context(side("before", arguments.checkout)), stack.enter_context(side("now", ROOT))]
        for name, script, streams in cases:
            rows[name] = uvloop.run(compare(sides, script, streams, arguments.turns))
    report(rows)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "turn_compare.json").write_text(json.dumps(rows, indent=2))


def report(rows: dict[str, dict[str, Rows]]) -> None:
    for case, by_side in rows.items():
        medians: dict[str, dict[str, float]] = {
            name: {figure: statistics.median(row[figure] for row in runs) for figure in runs[0]}
            for name, runs in by_side.items()
        }
        print(f"\n{case}: milliseconds a turn, medians of {len(by_side['now'])} measurements")
        print(f"{'':>8}" + "".join(f"{figure:>13}" for figure in medians["now"]))
        for name in ("before", "now"):
            print(f"{name:>8}" + "".join(f"{value:>13.2f}" for value in medians[name].values()))
        ratios = [medians["now"][figure] / (medians["before"][figure] or 1) for figure in medians["now"]]
        print(f"{'ratio':>8}" + "".join(f"{ratio:>13.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
