"""The appliance: seconds from `docker compose up` on empty volumes to the first answer, memory at rest, image sizes.

python -m bench.appliance

A project of its own on a free port, taken down at the end with its volumes. Images must be built (scripts/up does);
other names of images by COMPOSE_ENV_FILES, as everywhere.
"""

import json
import os
import subprocess
import time
from typing import Any

import urllib3

from app.embedded.ports import port_find
from bench.engines import RESULTS, ROOT

PROJECT = "refdesk-bench"
OURS = ("web", "worker", "beat")
IMAGES = ("refdesk/refdesk:0.1.0", "refdesk/keycloak:0.1.0")
QUESTION = "What does error E-17 mean?"
LIMIT_S = 300
# The parsers' process ends a minute after the last file.
REST_S = 90


class Stack:
    def __init__(self) -> None:
        port = port_find(None)
        self.address = f"http://localhost:{port}"
        self.environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": PROJECT,
            "REFDESK_URL": self.address,
            "HTTP_LISTEN": f"127.0.0.1:{port}",
            "HTTPS_LISTEN": f"127.0.0.1:{port_find(None)}",
        }

    def compose(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def health(self) -> dict[str, str]:
        lines = self.compose("ps", "--format", "{{.Service}} {{.Health}}").splitlines()
        return {service: health for service, _, health in (line.partition(" ") for line in lines)}

    def memory_mb(self) -> dict[str, float]:
        ids = self.compose("ps", "--quiet").split()
        form = "{{.Name}} {{.MemUsage}}"
        said = subprocess.run(
            ["docker", "stats", "--no-stream", "--format", form, *ids], check=True, capture_output=True, text=True
        )
        found = {}
        for line in said.stdout.splitlines():
            name, used = line.split()[:2]
            number, unit = float(used.rstrip("GMKiB")), used.lstrip("0123456789.")
            factor = {"GiB": 1024.0, "MiB": 1.0, "KiB": 1 / 1024}[unit]
            found[name.removeprefix(f"{PROJECT}-").rpartition("-")[0]] = number * factor * 1.048576
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def ask_until_cited(stack: Stack) -> float:
    """Return when the first answer with a citation came, as time.monotonic()."""
    made = (
        "exec",
        "-T",
        "web",
        "python",
        "manage.py",
        "api_key_create",
        "--organisation",
        "default",
        "--name",
        "bench",
    )
    headers = {"Authorization": f"Bearer {stack.compose(*made).split()[-1]}", "Content-Type": "application/json"}
    http = urllib3.PoolManager(retries=False)
    body = json.dumps({"message": QUESTION, "stream": False})
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        answer = http.request("POST", f"{stack.address}/api/v1/bots/default/chat", body=body, headers=headers)
        if answer.status == 200 and answer.json()["message"]["citations"]:
            return time.monotonic()
        time.sleep(0.5)
    raise SystemExit("No answer with a citation came.")


def measure(stack: Stack) -> dict[str, Any]:
    begun = time.monotonic()
    stack.compose("up", "--detach")
    first = ask_until_cited(stack) - begun
    while any(health == "starting" for health in stack.health().values()):
        time.sleep(1)
    healthy = time.monotonic() - begun
    time.sleep(REST_S)
    return {"first_answer_s": round(first, 1), "all_healthy_s": round(healthy, 1), "memory_mb": stack.memory_mb()}


def image_mb(name: str) -> float:
    said = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Size}}", name], check=True, capture_output=True, text=True
    )
    return int(said.stdout) / 1e6


def main() -> None:
    stack = Stack()
    try:
        found = measure(stack)
    finally:
        stack.compose("down", "--volumes", "--timeout", "10")
    found["image_mb"] = {name: round(image_mb(name)) for name in IMAGES}
    memory = found["memory_mb"]
    print(f"first answer {found['first_answer_s']} s, everything healthy {found['all_healthy_s']} s (to reach: 120)")
    for name, size in memory.items():
        print(f"  {name:<12} {size:7.0f} MB")
    print(f"web, worker and beat {sum(memory[name] for name in OURS):.0f} MB (to reach: 700)")
    for name, size in found["image_mb"].items():
        print(f"image {name} {size} MB (to reach, ours: 900)")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "appliance.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
