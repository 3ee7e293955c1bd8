"""`python -m app.operations.doctor [--json] [--services | --machine]`: report the state, the faults and their remedies.

Checks this machine, then the services that Refdesk uses: from here if it runs here, inside the appliance if that runs.
Status 1 when there is a problem.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from app import env
from app.embedded.box import Box
from app.operations.doctor import containers, machine
from app.operations.doctor.findings import Check, Finding, State, found, problem, warning

SIGNS = {State.OK: "ok     ", State.WARNING: "warning", State.PROBLEM: "PROBLEM"}
# With the appliance these belong to the containers.
EMBEDDED_ONLY = frozenset({"data folder", "port", "packages", "python", "system"})


def run(checks: Mapping[str, Check]) -> Iterator[Finding]:
    for name, check in checks.items():
        yield from found(name, check)


def services() -> Iterator[Finding]:
    """Yield the findings of the running box, or the reason why its services cannot be checked."""
    running = Box(Path(env.read("REFDESK_DATA"))).running()
    if running is None and env.read("REFDESK_DATABASE_URL") is None:
        yield warning("refdesk", "is not running here: its engines were not asked", "scripts/start starts it.")
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
    try:
        import django
        from django.core.exceptions import ImproperlyConfigured

        try:
            django.setup()
        except ImproperlyConfigured as error:
            yield problem("settings", str(error), "See docs/configuration.md.")
            return
    except ImportError:
        yield problem("packages", "Django is not installed", "scripts/start installs what is missing.")
        return
    # Findings are lines of their own; log lines would mix with them.
    logging.disable(logging.CRITICAL)
    from app.lib.tenancy import everything_visible
    from app.operations.doctor.services import CHECKS

    with everything_visible():
        yield from run(CHECKS)


def look(asked: argparse.Namespace) -> Iterator[Finding]:
    try:
        env.check_names()
        for name in env.NAMES:
            env.read(name)
    except env.EnvError as error:
        yield problem("settings", str(error), "Correct it; docs/configuration.md lists the names.")
        return
    if asked.services:
        yield from services()
        return
    stack = containers.stack_runs()
    left_out = EMBEDDED_ONLY if stack else frozenset()
    yield from run({name: check for name, check in machine.CHECKS.items() if name not in left_out})
    if asked.machine:
        return
    yield from run(containers.CHECKS) if stack else services()


def show(findings: Iterator[Finding]) -> bool:
    """Print findings as they come; return whether there is a problem."""
    worst = False
    for one in findings:
        todo = f". {one.todo}" if one.todo else ""
        sys.stdout.write(f"{SIGNS[one.state]}  {one.name}: {one.text}{todo}\n")
        sys.stdout.flush()
        worst = worst or one.state == State.PROBLEM
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/doctor", description="Look at this machine and at Refdesk's parts.")
    parser.add_argument("--json", action="store_true", help="print a list of findings")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--machine", action="store_true", help="this machine only")
    only.add_argument("--services", action="store_true", help="what Refdesk talks to only")
    asked = parser.parse_args()
    if not asked.json:
        return int(show(look(asked)))
    findings = list(look(asked))
    wrong = any(one.state == State.PROBLEM for one in findings)
    sys.stdout.write(json.dumps({"ok": not wrong, "findings": [asdict(one) for one in findings]}, indent=2) + "\n")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
