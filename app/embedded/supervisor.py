"""Start a box and keep it running: engines, tables, web, worker. scripts/start runs it.

    python -m app.embedded [--with-model[=small] | --without-model] [--stop]

It has one thread and imports the standard library only: it idles beside everything else, and the kernel ends the
children with the thread that started them.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence

from app.embedded.box import ROOT, Box
from app.embedded.console import Console, log_shorten, log_tail
from app.embedded.managed_process import ManagedProcess, status_text
from app.embedded.process import process_start
from app.embedded.process_spec import Engine, probe_text
from app.embedded.shutdown import processes_stop
from app.embedded.signals import SignalWaiter, Stopping
from app.embedded.startup import Plan, Step
from app.lib.engine_error import EngineError

READY_WITHIN_S = 90.0
DEATHS_AT_START = 3
TICK_S = 0.03
IDLE_S = 30.0
# Loading takes long, since a gigabyte is read from the disk; until then answers quote the documents.
NOT_WAITED_FOR = frozenset({"llm"})


class Supervisor:
    """Starts, watches and stops the processes of one box."""

    def __init__(self, box: Box, plan: Plan, console: Console, waiter: SignalWaiter) -> None:
        self.box = box
        self.plan = plan
        self.console = console
        self.waiter = waiter
        self.engines: list[ManagedProcess] = []
        self.programs: list[ManagedProcess] = []
        self.records_are_old = False

    @property
    def processes(self) -> list[ManagedProcess]:
        return [*self.engines, *self.programs]

    def serve(self) -> None:
        """Start all processes and watch them until a stop is requested; they are stopped in every case.

        Raises EngineError when something cannot be started.
        """
        try:
            self.start()
            self.watch()
        except Stopping:
            self.console.say("Stopping …")
        finally:
            self.stop()

    def start(self) -> None:
        """Start the engines, run the steps, start web and worker. Raises EngineError, Stopping."""
        for name in ("refdesk", "steps"):
            log_shorten(self.box.logs / f"{name}.log")
        for step in self.plan.fetches:
            self.run_step(step)
        self.engines = self.start_processes(self.plan.engines)
        self.wait_ready([process for process in self.engines if process.name in self.plan.gates])
        self.box.write_environment(self.plan.deployment)
        if self.plan.digest is None or self.plan.digest != self.box.prepared():
            for step in self.plan.steps:
                self.run_step(step)
            if self.plan.digest is not None:
                self.box.write_prepared(self.plan.digest)
        self.programs = self.start_processes(self.plan.programs)
        self.wait_ready(
            [process for process in self.processes if process.name not in NOT_WAITED_FOR and not process.was_ready]
        )
        self.box.write_version()
        for note in self.plan.notes:
            self.console.say(note)
        seconds = time.monotonic() - self.console.began
        self.console.say(f"Refdesk is ready at {self.plan.address} after {seconds:.1f} s. Ctrl-C stops it.")

    def start_processes(self, engines: Sequence[Engine]) -> list[ManagedProcess]:
        processes = [ManagedProcess(engine, self.box.logs / f"{engine.name}.log") for engine in engines]
        started: list[ManagedProcess] = []
        try:
            for process in processes:
                log_shorten(process.log)
                process.start()
                started.append(process)
        except BaseException:
            # The caller does not have these processes yet, so no other code would stop them.
            processes_stop(started, self.waiter)
            raise
        self.record_processes(processes)
        return processes

    def wait_ready(self, processes: Sequence[ManagedProcess]) -> None:
        """Wait until all are ready. Raises EngineError when one keeps dying or takes too long, Stopping."""
        deadline = time.monotonic() + READY_WITHIN_S
        waiting = list(processes)
        while waiting:
            for process in [process for process in waiting if process.ready()]:
                waiting.remove(process)
                self.console.done(process.name, "ready")
            for process in waiting:
                if process.deaths >= DEATHS_AT_START or time.monotonic() > deadline:
                    what = "does not start" if process.deaths else f"is not ready after {READY_WITHIN_S:.0f} s"
                    tail = log_tail(process.log, process.log_start)
                    said = probe_text(process.engine)
                    raise EngineError(f"{process.name} {what}. {said}The end of {process.log}:\n{tail}")
            self.pause(TICK_S if waiting else 0)
            self.revive()

    def run_step(self, step: Step) -> None:
        """Run a command to its end. Raises EngineError when it fails, Stopping."""
        log = self.box.logs / "steps.log"
        start = log.stat().st_size if log.exists() else 0
        self.console.say(f"  {step.title} …")
        child = process_start(step.command, folder=ROOT, log=log, environment=self.plan.environment, shown=step.shown)
        try:
            while child.poll() is None:
                self.pause(TICK_S)
                self.revive()
        except BaseException:
            self.stop_step(child)
            raise
        if child.returncode != 0:
            raise EngineError(f"{step.title} failed ({status_text(child.returncode)}).\n{log_tail(log, start)}")
        self.console.done(step.title, "done")

    def stop_step(self, child: subprocess.Popen[bytes]) -> None:
        """End a step and its children (such as pip); each step continues at the next start."""
        if child.poll() is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(3)
                    return

    def watch(self) -> None:
        """Restart processes that die, until a stop is requested. Raises Stopping."""
        while True:
            now = time.monotonic()
            self.pause(min([IDLE_S, *(process.due - now for process in self.processes if process.due is not None)]))
            self.revive()
            # A full disk must not stop the running processes.
            with contextlib.suppress(OSError):
                for process in self.processes:
                    log_shorten(process.log)

    def revive(self) -> None:
        """Reap the dead processes and start those that are due."""
        before = {process.child for process in self.processes}
        for process in self.processes:
            status = process.reap()
            if status is not None:
                delay = max(0.0, (process.due or 0.0) - time.monotonic())
                again = "restarted" if delay == 0 else f"starting again in {delay:.0f} s"
                self.console.say(f"{process.name} died ({status_text(status)}), {again}")
            if process.due is not None and process.due <= time.monotonic():
                self.restart(process)
        if before != {process.child for process in self.processes}:
            self.records_are_old = True
        if self.records_are_old:
            # The record is stale while the disk is full: it only helps a later start to find leftovers of a kill.
            with contextlib.suppress(OSError):
                self.record_processes(self.processes)
                self.records_are_old = False

    def restart(self, process: ManagedProcess) -> None:
        try:
            process.start()
        except (EngineError, OSError) as error:
            # The cause may be a full disk: try again in half a minute.
            process.due = time.monotonic() + IDLE_S
            self.console.say(f"{process.name} could not be started: {error}")

    def record_processes(self, processes: Sequence[ManagedProcess]) -> None:
        pids = {
            process.name: process.child.pid for process in (*self.processes, *processes) if process.child is not None
        }
        self.box.write_processes(pids)

    def stop(self) -> None:
        """Stop all processes before the ones that they use: web and worker, then the engines, then the stores."""
        stores = [process for process in self.engines if process.name in self.plan.gates]
        others = [process for process in self.engines if process.name not in self.plan.gates]
        for group in (self.programs, others, stores):
            for name in processes_stop(group, self.waiter):
                self.console.say(f"{name} did not stop when asked and was ended")
        self.console.say("Refdesk is stopped.")

    def pause(self, seconds: float) -> None:
        """Wait, and raise Stopping when a person requests a stop."""
        if not self.waiter.stops:
            self.waiter.wait(seconds)
        if self.waiter.stops:
            raise Stopping
