"""`python -m app.embedded`: start, or stop, the box of REFDESK_DATA. scripts/start and scripts/stop call it."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app import env
from app.embedded.box import Box
from app.embedded.console import Console
from app.embedded.optional_sets import OPTIONAL_SETS
from app.embedded.ports import port_is_free
from app.embedded.signals import SignalWaiter
from app.embedded.startup import Plan, plan_box, public_address
from app.embedded.supervisor import Supervisor
from app.lib.engine_error import EngineError
from app.lib.version import project_version
from app.llm.known_models import KNOWN_MODELS

LEFTOVER_LADDER = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))
STOP_WITHIN_S = 25.0


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/start", description="Start Refdesk on the folder REFDESK_DATA.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--with-model",
        nargs="?",
        const="standard",
        choices=sorted(KNOWN_MODELS),
        help="install and serve a language model (1.1 GB; small: 0.5 GB), now and at later starts",
    )
    choice.add_argument("--without-model", action="store_true", help="no longer serve it")
    choice.add_argument("--stop", action="store_true", help=argparse.SUPPRESS)
    for key, one in OPTIONAL_SETS.items():
        pair = parser.add_mutually_exclusive_group()
        pair.add_argument(
            f"--with-{key}",
            action="store_true",
            help=f"install what reads {one.title} ({one.download_mb} MB), now and at later starts",
        )
        pair.add_argument(f"--without-{key}", action="store_true", help="remove it")
    return parser.parse_args(arguments)


def check_port(host: str, port: int) -> None:
    """Check that the port is free to listen on. Raises EngineError."""
    try:
        free = port_is_free(host, port)
    except OSError as error:
        raise EngineError(f"REFDESK_HOST={host} cannot be listened on: {error.strerror}.") from error
    if not free:
        raise EngineError(
            f"Port {port} on {host} is taken by another program, or not for this user. "
            f"Stop that program, or choose another port: REFDESK_PORT={port + 1} scripts/start"
        )


def remember_options(box: Box, arguments: argparse.Namespace) -> None:
    """Keep for later starts what this one was asked for: a model, and optional sets of packages ("yes" or "no")."""
    before = box.options()
    options = dict(before)
    if arguments.with_model:
        options["model"] = arguments.with_model
    elif arguments.without_model:
        options.pop("model", None)
    for key in OPTIONAL_SETS:
        if getattr(arguments, f"with_{key}"):
            options[key] = "yes"
        elif getattr(arguments, f"without_{key}"):
            options[key] = "no"
    if options != before:
        box.write_options(options)


def run_box(box: Box, arguments: argparse.Namespace, make_plan: Callable[[Box], Plan]) -> None:
    """Start the box and run it until a stop is requested. Raises EnvError, EngineError, OSError."""
    host, port = str(env.read("REFDESK_HOST")), int(env.read("REFDESK_PORT"))
    waiter = SignalWaiter()
    with box.locked(public_address()):
        console = Console(box.logs / "refdesk.log")
        console.say(f"Refdesk {project_version()}, data in {box.folder}")
        box.check_version()
        box.check_restored()
        for name in box.stop_leftovers(LEFTOVER_LADDER):
            console.say(f"{name} was still running from an earlier start and was stopped")
        check_port(host, port)
        remember_options(box, arguments)
        Supervisor(box, make_plan(box), console, waiter).serve()


def stop_box(box: Box) -> int:
    running = box.running()
    if running is None:
        sys.stdout.write(f"Refdesk is not running on {box.folder}.\n")
        return 0
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_WITHIN_S
    while box.running() is not None:
        if time.monotonic() > deadline:
            sys.stderr.write(f"Refdesk (pid {running.pid}) is still stopping after {STOP_WITHIN_S:.0f} s.\n")
            return 1
        time.sleep(0.05)
    sys.stdout.write(f"Refdesk on {box.folder} is stopped.\n")
    return 0


def main(arguments: Sequence[str] | None = None, make_plan: Callable[[Box], Plan] = plan_box) -> int:
    read = read_arguments(arguments)
    try:
        env.check_names()
        box = Box(Path(env.read("REFDESK_DATA")))
        if read.stop:
            return stop_box(box)
        env.check_values()
        run_box(box, read, make_plan)
    except (env.EnvError, EngineError, OSError) as error:
        sys.stderr.write(f"Refdesk cannot run: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
