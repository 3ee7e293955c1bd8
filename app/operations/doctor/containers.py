"""Checks of Docker, compose and GPUs, where the appliance is used. Standard library only."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

from app.embedded.box import ROOT
from app.operations.doctor.findings import Check, Finding, State, ok, problem, warning

COMPOSE = (2, 24)
ASK_S = 20
GUIDE = "https://docs.docker.com/engine/install/"


def _ask(*command: str, limit_s: float = ASK_S) -> tuple[int, str]:
    """Return status and output; 127 when there is no such program."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit_s)
    except FileNotFoundError:
        return 127, ""
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {limit_s:.0f} s"
    return done.returncode, (done.stdout if done.returncode == 0 else done.stderr).strip()


def docker_check() -> Iterator[Finding]:
    status, said = _ask("docker", "version", "--format", "{{.Server.Version}}")
    if status == 127:
        yield problem("docker", "is not installed", f"{GUIDE}. Without Docker, scripts/start runs Refdesk too.")
        return
    if status:
        yield problem(
            "docker",
            said.splitlines()[-1] if said else "does not answer",
            "Start it, and add this user to the group docker.",
        )
        return
    yield ok("docker", said)


def compose_check() -> Iterator[Finding]:
    status, said = _ask("docker", "compose", "version", "--short")
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    if status or version < COMPOSE:
        yield problem("compose", said or "is not installed", "Install docker-compose-plugin 2.24 or newer.")
        return
    yield ok("compose", said)
    status, said = _ask("docker", "compose", "config", "--quiet")
    if status:
        yield problem("compose", said.splitlines()[-1], "Correct docker-compose.yml or .env.")


def services_check() -> Iterator[Finding]:
    status, said = _ask("docker", "compose", "ps", "--all", "--format", "json")
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")] if status == 0 else []
    if not rows:
        yield warning("services", "none of the stack's is there", "scripts/up starts it.")
        return
    for row in rows:
        name, state, health = str(row["Service"]), str(row["State"]), str(row.get("Health", ""))
        if (state == "running" and health in ("", "healthy")) or (state == "exited" and row.get("ExitCode") == 0):
            continue
        if health == "starting":
            yield warning(name, "is starting", "Ask again in a minute.")
            continue
        yield problem(name, f"{state} {health}".strip(), f"scripts/logs {name} says why.")
    running = sum(1 for row in rows if row["State"] == "running")
    yield ok("services", f"{running} of {len(rows)} run, the others have done their work")


def gpu_check() -> Iterator[Finding]:
    """Check the GPU, if a profile requires one."""
    _, profiles = _ask("docker", "compose", "config", "--format", "json")
    if not re.search(r'"(capabilities|devices)"\s*:\s*\[[^\]]*(gpu|/dev/kfd)', profiles):
        return
    if shutil.which("rocminfo") and not shutil.which("nvidia-smi"):
        yield ok("gpu", "AMD, by ROCm")
        return
    status, said = _ask("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    if status:
        yield problem(
            "gpu",
            "a profile asks for one, and nvidia-smi does not find it",
            "Install NVIDIA's driver, or leave gpu out of COMPOSE_PROFILES.",
        )
        return
    yield ok("gpu", said.splitlines()[0])
    _, runtimes = _ask("docker", "info", "--format", "{{json .Runtimes}} {{json .CDISpecDirs}}")
    if "nvidia" not in runtimes:
        yield warning(
            "gpu",
            "Docker does not know NVIDIA's runtime",
            "Install nvidia-container-toolkit, then nvidia-ctk runtime configure and restart Docker.",
        )


def inside_check() -> Iterator[Finding]:
    """Check the other services from inside the web container."""
    command = [
        "docker",
        "compose",
        "exec",
        "-T",
        "web",
        "python",
        "-m",
        "app.operations.doctor",
        "--services",
        "--json",
    ]
    try:
        # Status 1 when it found a problem, which its output contains all the same.
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
        findings = json.loads(done.stdout)["findings"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        yield problem("web", "cannot be asked", "scripts/logs web says why.")
        return
    for one in findings:
        yield Finding(one["name"], State(one["state"]), one["text"], one["todo"])


def stack_runs() -> bool:
    """Return whether the appliance of this folder exists; another folder's has the same name."""
    here = f"label=com.docker.compose.project.working_dir={ROOT}"
    status, said = _ask("docker", "ps", "--all", "--quiet", "--filter", here)
    return status == 0 and bool(said)


CHECKS: dict[str, Check] = {
    "docker": docker_check,
    "compose": compose_check,
    "gpu": gpu_check,
    "services": services_check,
    "web": inside_check,
}
