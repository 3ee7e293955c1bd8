"""Starts a box and keeps it running: engines, tables, web, worker. scripts/start runs it.

    python -m app.embedded [--with-model[=small] | --without-model] [--stop]

One thread, standard library only: it idles beside everything else, and the kernel ties the children's lives to the
thread that started them.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence

from app.embedded.box import ROOT, Box
from app.embedded.console import Report, log_shorten, log_tail
from app.embedded.managed_process import Post, status_text
from app.embedded.process import process_start
from app.embedded.process_spec import Engine, last_answer
from app.embedded.shutdown import posts_stop
from app.embedded.signals import Stopping, Wakeup
from app.embedded.startup import Plan, Step
from app.lib.engine_error import EngineError

READY_WITHIN_S = 90.0
DEATHS_AT_START = 3
TICK_S = 0.03
IDLE_S = 30.0
# A gigabyte is read from the disk first; answers are quoted from the documents until then.
NOT_WAITED_FOR = frozenset({"llm"})


class Supervisor:
    """Everything that runs on one box, from its start to its stop."""

    def __init__(self, box: Box, plan: Plan, report: Report, wakeup: Wakeup) -> None:
        self.box = box
        self.plan = plan
        self.report = report
        self.wakeup = wakeup
        self.engines: list[Post] = []
        self.programs: list[Post] = []
        self.unnoted = False

    @property
    def posts(self) -> list[Post]:
        return [*self.engines, *self.programs]

    def serve(self) -> None:
        """Start all, then watch until asked to stop; what was started is stopped on every way out.

        Raises EngineError when something cannot be started.
        """
        try:
            self.start()
            self.watch()
        except Stopping:
            self.report.say("Stopping …")
        finally:
            self.stop()

    def start(self) -> None:
        """Raises EngineError, Stopping."""
        for name in ("refdesk", "steps"):
            log_shorten(self.box.logs / f"{name}.log")
        for step in self.plan.fetches:
            self.run_step(step)
        self.engines = self.start_posts(self.plan.engines)
        self.wait_ready([post for post in self.engines if post.name in self.plan.gates])
        self.box.write_environment(self.plan.deployment)
        if self.plan.digest is None or self.plan.digest != self.box.prepared():
            for step in self.plan.steps:
                self.run_step(step)
            if self.plan.digest is not None:
                self.box.write_prepared(self.plan.digest)
        self.programs = self.start_posts(self.plan.programs)
        self.wait_ready([post for post in self.posts if post.name not in NOT_WAITED_FOR and not post.was_ready])
        self.box.write_version()
        for note in self.plan.notes:
            self.report.say(note)
        seconds = time.monotonic() - self.report.began
        self.report.say(f"Refdesk is ready at {self.plan.address} after {seconds:.1f} s. Ctrl-C stops it.")

    def start_posts(self, engines: Sequence[Engine]) -> list[Post]:
        posts = [Post(engine, self.box.logs / f"{engine.name}.log") for engine in engines]
        started: list[Post] = []
        try:
            for post in posts:
                log_shorten(post.log)
                post.start()
                started.append(post)
        except BaseException:
            # The caller does not have them yet, so nobody else would stop them.
            posts_stop(started, self.wakeup)
            raise
        self.note_processes(posts)
        return posts

    def wait_ready(self, posts: Sequence[Post]) -> None:
        """Raises EngineError when one keeps dying or takes too long, Stopping."""
        deadline = time.monotonic() + READY_WITHIN_S
        waiting = list(posts)
        while waiting:
            for post in [post for post in waiting if post.ready()]:
                waiting.remove(post)
                self.report.done(post.name, "ready")
            for post in waiting:
                if post.deaths >= DEATHS_AT_START or time.monotonic() > deadline:
                    what = "does not start" if post.deaths else f"is not ready after {READY_WITHIN_S:.0f} s"
                    tail = log_tail(post.log, post.log_start)
                    said = last_answer(post.engine)
                    raise EngineError(f"{post.name} {what}. {said}The end of {post.log}:\n{tail}")
            self.pause(TICK_S if waiting else 0)
            self.revive()

    def run_step(self, step: Step) -> None:
        """Raises EngineError when the command fails, Stopping."""
        log = self.box.logs / "steps.log"
        start = log.stat().st_size if log.exists() else 0
        self.report.say(f"  {step.title} …")
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
        self.report.done(step.title, "done")

    def stop_step(self, child: subprocess.Popen[bytes]) -> None:
        """End a step and what it started (pip, say); each picks up where it was at the next start."""
        if child.poll() is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(3)
                    return

    def watch(self) -> None:
        """Start again what dies, until asked to stop. Raises Stopping."""
        while True:
            now = time.monotonic()
            self.pause(min([IDLE_S, *(post.due - now for post in self.posts if post.due is not None)]))
            self.revive()
            # A full disk is no reason to stop what runs.
            with contextlib.suppress(OSError):
                for post in self.posts:
                    log_shorten(post.log)

    def revive(self) -> None:
        """Reap what died; start what is due."""
        before = {post.child for post in self.posts}
        for post in self.posts:
            status = post.reap()
            if status is not None:
                delay = max(0.0, (post.due or 0.0) - time.monotonic())
                again = "restarted" if delay == 0 else f"starting again in {delay:.0f} s"
                self.report.say(f"{post.name} died ({status_text(status)}), {again}")
            if post.due is not None and post.due <= time.monotonic():
                self.restart(post)
        if before != {post.child for post in self.posts}:
            self.unnoted = True
        if self.unnoted:
            # While the disk is full the note stays old: it only tells a later start what a killed one left behind.
            with contextlib.suppress(OSError):
                self.note_processes(self.posts)
                self.unnoted = False

    def restart(self, post: Post) -> None:
        try:
            post.start()
        except (EngineError, OSError) as error:
            # A full disk, say: it may have room again in half a minute.
            post.due = time.monotonic() + IDLE_S
            self.report.say(f"{post.name} could not be started: {error}")

    def note_processes(self, posts: Sequence[Post]) -> None:
        pids = {post.name: post.child.pid for post in (*self.posts, *posts) if post.child is not None}
        self.box.write_processes(pids)

    def stop(self) -> None:
        """Those that use others first: web and worker, then the engines, then the stores."""
        stores = [post for post in self.engines if post.name in self.plan.gates]
        others = [post for post in self.engines if post.name not in self.plan.gates]
        for group in (self.programs, others, stores):
            for name in posts_stop(group, self.wakeup):
                self.report.say(f"{name} did not stop when asked and was ended")
        self.report.say("Refdesk is stopped.")

    def pause(self, seconds: float) -> None:
        """Raises Stopping."""
        if not self.wakeup.stops:
            self.wakeup.wait(seconds)
        if self.wakeup.stops:
            raise Stopping
