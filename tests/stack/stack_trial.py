"""`scripts/test-stack`: builds the appliance, starts one of its own without a route out, and tries it.

Status: 0 it works, 1 it does not, 3 it was not tried, and why.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from app.embedded.ports import port_find
from tests.stack.egress_monitor import EgressMonitor
from tests.stack.stack_faults import MODEL_SETTINGS, VICTIMS, Faults
from tests.stack.stack_media import media_check
from tools.reference import ROOT

NOT_TRIED = 3
UP_S, SMOKE_S = 900, 900
# A name that nobody has: asked for on purpose, to see that the watch sees.
CONTROL = "control.refdesk-test.invalid"
NEVER_HERE = "the profiles ollama and vllm with their images, GPUs, n8n, bugsink, prometheus and grafana; TLS by ACME"


class NotTried(Exception):
    pass


class Broken(Exception):
    pass


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 (a command)


def environment_make() -> dict[str, str]:
    """Return the environment of a stack with a project, ports and images of its own; .env is another stack's."""
    port = port_find()
    mine = {name: value for name, value in os.environ.items() if not name.startswith("REFDESK_")}
    return {
        "APP_IMAGE": "refdesk/refdesk:test",
        "KEYCLOAK_BUILT_IMAGE": "refdesk/keycloak:test",
        "COMPOSE_DISABLE_ENV_FILE": "0" if mine.get("COMPOSE_ENV_FILES") else "1",
        **mine,
        "COMPOSE_PROJECT_NAME": f"refdesk-test-{os.getpid()}",
        "COMPOSE_PROFILES": "",
        "TLS": "off",
        "REFDESK_URL": f"http://localhost:{port}",
        "HTTP_LISTEN": f"127.0.0.1:{port}",
        "HTTPS_LISTEN": f"127.0.0.1:{port_find()}",
        "OUT_INTERNAL": "true",
    }


class Trial:
    def __init__(self) -> None:
        self.environment = environment_make()
        self.project = self.environment["COMPOSE_PROJECT_NAME"]

    def run(self, *command: str, limit_s: float = UP_S, quiet: bool = False) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, text=True, timeout=limit_s, check=False,
            stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None,
        )  # fmt: skip
        if done.returncode:
            output = f":\n{done.stdout[-3000:]}" if quiet else ""
            raise Broken(f"{' '.join(command)} ended with status {done.returncode}{output}")
        return done.stdout or ""

    def compose(self, *arguments: str) -> str:
        return self.run("docker", "compose", *arguments, quiet=True)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        say(f"{name}: {time.monotonic() - began:.0f} s")

    def images_needed(self) -> set[str]:
        """Return the images of others, which ours are built on."""
        output = subprocess.run(
            ["docker", "compose", "config", "--format", "json"],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if output.returncode:
            raise Broken(f"docker compose config: {output.stderr}")
        services: dict[str, Any] = json.loads(output.stdout)["services"]
        built = {row["image"] for row in services.values() if "build" in row}
        args = [row["build"].get("args", {}) for row in services.values() if "build" in row]
        below = {value for each in args for name, value in each.items() if name.endswith("_IMAGE")}
        return {row["image"] for row in services.values()} - built | below

    def prepare(self) -> None:
        """Find a Docker engine and the images. Raises NotTried: one is neither here nor to be had."""
        for command in (("docker", "info"), ("docker", "compose", "version")):
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            except FileNotFoundError as error:
                raise NotTried("there is no docker here") from error
            if done.returncode:
                output = (done.stderr or done.stdout).strip().splitlines()
                raise NotTried(f"{' '.join(command)} says: {output[-1] if output else done.returncode}")
        for image in sorted(self.images_needed()):
            here = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
            if here.returncode and subprocess.run(["docker", "pull", "--quiet", image], check=False).returncode:
                raise NotTried(f"the image {image} is neither here nor to be had")

    def down(self) -> None:
        """Take the stack down. Docker 20.10 sometimes reports a network as still in use: no reason to fail."""
        subprocess.run(
            ["docker", "compose", "--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5"],
            cwd=ROOT, env=self.environment, capture_output=True, check=False,
        )  # fmt: skip

    def logs_show(self) -> None:
        subprocess.run(["docker", "compose", "ps", "--all"], cwd=ROOT, env=self.environment, check=False)
        subprocess.run(["docker", "compose", "logs", "--tail", "15"], cwd=ROOT, env=self.environment, check=False)


def air_check(trial: Trial, watch: EgressMonitor | None) -> None:
    """Check that nothing left, and that the monitor sees a question asked on purpose. Raises Broken."""
    if watch is None:
        say(f"NOT CHECKED: that nothing leaves the stack ({EgressMonitor.problem()})")
        return
    left = watch.seen()
    ask = f"import socket\ntry: socket.getaddrinfo({CONTROL!r}, 80)\nexcept OSError: pass"
    trial.compose("exec", "-T", "web", "python", "-c", ask)
    time.sleep(1)
    if not any(CONTROL in line for line in watch.seen()):
        raise Broken("the watch over the network saw nothing, not even a name that was asked for on purpose")
    if left:
        lines = "\n".join(f"  {what} ({times} times)" for what, times in sorted(left.items()))
        raise Broken(f"something left the stack, which had no need to:\n{lines}")
    say("Nothing left the stack: no packet, no question for an outside name.")


def trial_run(trial: Trial) -> None:
    with trial.timed("Images built"):
        trial.run("docker", "compose", "build", quiet=True)
    watch = None if EgressMonitor.problem() else EgressMonitor(trial.project)
    if watch:
        watch.start()
    try:
        with trial.timed("Started"):
            trial.run("scripts/up", quiet=True)
        with trial.timed("Smoke test"):
            trial.run("scripts/smoke", "--full", limit_s=SMOKE_S)
        with trial.timed("A scan and a recording"):
            if wrong := media_check(trial.environment):
                raise Broken(wrong)
        air_check(trial, watch)
    finally:
        if watch:
            watch.stop()


def faults_run(trial: Trial, victims: Sequence[str]) -> None:
    """Run the faults instead of the smoke test, in ten minutes."""
    trial.environment |= MODEL_SETTINGS
    with trial.timed("Images built"):
        trial.run("docker", "compose", "build", quiet=True)
    with trial.timed("Started"):
        trial.run("scripts/up", quiet=True)
    faults = Faults(trial)
    try:
        if broken := faults.each(victims):
            raise Broken("these did not hold:\n  " + "\n  ".join(broken))
    finally:
        faults.stop()
    say("Every invariant held after each.")


def ended(*_: Any) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/test-stack")
    parser.add_argument("--faults", nargs="*", choices=VICTIMS, metavar="SERVICE")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, ended)
    trial, began = Trial(), time.monotonic()
    try:
        trial.prepare()
    except NotTried as reason:
        say(f"NOT TRIED: the appliance in containers, because {reason}")
        return NOT_TRIED
    say(f"The appliance, as {trial.project}. Never tried here: {NEVER_HERE}.")
    if trial.environment.get("COMPOSE_ENV_FILES"):
        say(f"Images by other names, of {trial.environment['COMPOSE_ENV_FILES']}: not the upstream ones.")
    try:
        faults_run(trial, asked.faults or VICTIMS) if asked.faults is not None else trial_run(trial)
    except (Broken, subprocess.TimeoutExpired) as error:
        trial.logs_show()
        say(f"FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    finally:
        trial.down()
        say(f"Taken down after {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
