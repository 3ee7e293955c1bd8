"""`scripts/smoke`: use the running appliance as a person does, and remove all data of the run afterwards."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from app.operations.smoke.run import Run
from app.operations.smoke.stack import Stack
from app.operations.smoke.steps import StepFailed, say


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/smoke")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--insecure", action="store_true")
    parser.add_argument("--keycloak-admin", default="admin")
    parser.add_argument("--keycloak-password-file", type=Path)
    parser.add_argument("--pictures", type=Path, default=Path(tempfile.gettempdir()))
    return parser.parse_args()


def ended(*_: Any) -> None:
    # Like Ctrl-C: data of this run is still removed.
    raise KeyboardInterrupt


def main() -> int:
    asked = arguments()
    signal.signal(signal.SIGTERM, ended)
    run, status = Run(Stack(), asked), 1
    try:
        attempt(run)
        status = 0
    except StepFailed as failure:
        say(f"\nFAILED at: {failure.step}\n  {failure.what}\n  Look at: {failure.look}")
        if run.picture:
            say(f"  The browser then: {run.picture}")
    except KeyboardInterrupt:
        say("\nStopped.")
        status = 130
    # A second Ctrl-C would interrupt the removal.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if not run.remove():
        status = status or 1
    say("The stack works." if status == 0 else "The stack did not pass.")
    return status


def attempt(run: Run) -> None:
    """Run the steps with a new browser and a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="refdesk-smoke-") as folder,
        sync_playwright() as playwright,
        run.browser_open(playwright, root=os.geteuid() == 0),
    ):
        run.everything(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
