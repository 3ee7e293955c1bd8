"""`python -m app.embedded.run_command`: a command of manage.py on a box that runs or is stopped.

If the box runs, the command uses its engines. Otherwise the engines are started for it, without web and worker, and
stopped after it. scripts/backup and scripts/restore call this module.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app import env
from app.backup.archive.reading import SECRET_KEY, SECRETS_KEYS, Unusable, archive_open
from app.embedded.box import ROOT, Box
from app.embedded.console import Console
from app.embedded.process import launch_command
from app.embedded.secret import file_write_private
from app.embedded.signals import SignalWaiter, Stopping
from app.embedded.startup import plan_box, public_address
from app.embedded.supervisor import Supervisor
from app.lib.engine_error import EngineError

LEFT_WHEN_EMPTY = frozenset({"run", "logs"})
RESTORED_KEY, RESTORED_KEYS = Path("secrets", "secret_key"), Path("secrets", "secrets_keys")


class BoxCommand(Supervisor):
    """A box without web and worker, for one command. `status`: the command's exit status."""

    status = 1

    def run_on_box(self, command: Sequence[str]) -> int:
        """Start the engines, run the command, stop them; return its exit status. Raises EngineError."""
        try:
            self.engines = self.start_processes(self.plan.engines)
            self.wait_ready([process for process in self.engines if process.name in self.plan.gates])
            self.box.write_environment(self.plan.deployment)
            self._run(command)
        except Stopping:
            self.console.say("Stopping …")
        finally:
            self.stop()
        return self.status

    def _run(self, command: Sequence[str]) -> None:
        # The command's errors go to the terminal too.
        child = subprocess.Popen(
            launch_command(command),
            cwd=ROOT,
            env=self.plan.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while child.poll() is None:
                self.pause(0.03)
                self.revive()
        except BaseException:
            self.stop_step(child)
            raise
        self.status = child.returncode if child.returncode >= 0 else 128 - child.returncode


def command_run(box: Box, name: str, command: Sequence[str]) -> int:
    """Run a command of manage.py on a box. Raises EnvError, EngineError, OSError."""
    if box.running() is not None:
        if name == "restore":
            raise EngineError(f"Refdesk runs on {box.folder}. A restore needs a new, empty box: name its folder in "
                              "REFDESK_DATA.")  # fmt: skip
        os.chdir(ROOT)
        os.execv(command[0], list(command))  # noqa: S606
    if name == "restore":
        restore_prepare(box, Path(command[-1]))
    else:
        box.check_restored()
        if not (box.folder / "postgres" / "cluster").exists() and env.read("REFDESK_DATABASE_URL") is None:
            raise EngineError(f"There is no box in {box.folder}. REFDESK_DATA names the folder of one.")
    waiter = SignalWaiter()
    with box.locked(public_address()):
        console = Console(box.logs / "refdesk.log")
        box.check_version()
        plan = plan_box(box)
        if name == "backup":
            plan.engines = [engine for engine in plan.engines if engine.name in plan.gates]
        status = BoxCommand(box, plan, console, waiter).run_on_box(command)
    if name == "restore" and status == 0:
        box.unfinished.unlink(missing_ok=True)
        console.say("scripts/start starts it.")
    return status


def restore_prepare(box: Box, path: Path) -> None:
    """Check the backup and the box, then give the box the backup's secrets. Raises EngineError."""
    try:
        archive = archive_open(path)
    except Unusable as error:
        raise EngineError(f"{error} Nothing was changed.") from error
    unfinished = box.unfinished.read_text().strip() if box.unfinished.exists() else ""
    if unfinished != archive.sha256:
        if unfinished:
            raise EngineError(f"A restore of another backup was cut short in {box.folder}. Run that one again, or name "
                              "a new folder in REFDESK_DATA.")  # fmt: skip
        there = sorted(each.name for each in box.folder.iterdir()) if box.folder.is_dir() else []
        if set(there) - LEFT_WHEN_EMPTY:
            raise EngineError(f"{box.folder} is not empty ({', '.join(there[:5])}). A restore needs a new, empty box: "
                              "name its folder in REFDESK_DATA. Nothing was changed.")  # fmt: skip
        # Written first, so that a restore interrupted after this counts as unfinished.
        file_write_private(box.unfinished, archive.sha256 + "\n")
    if env.read("REFDESK_SECRET_KEY") is None:
        file_write_private(box.folder / RESTORED_KEY, archive.read(SECRET_KEY).decode() + "\n")
    if archive.holds(SECRETS_KEYS):
        # Written even when other keys are given: only these decrypt the backup's credentials.
        file_write_private(box.folder / RESTORED_KEYS, archive.read(SECRETS_KEYS).decode() + "\n")


def main() -> int:
    name, *arguments = sys.argv[1:]
    command = [sys.executable, str(ROOT / "manage.py"), name, *arguments]
    try:
        env.check_names()
        return command_run(Box(Path(env.read("REFDESK_DATA"))), name, command)
    except (env.EnvError, EngineError, OSError) as error:
        sys.stderr.write(f"scripts/{name}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
