"""The stack of docker-compose.yml in this folder, as `docker compose` sees it."""

import json
import subprocess
from pathlib import Path

from app.operations.smoke.steps import Failed

ROOT = Path(__file__).resolve().parents[3]
# Permanent services of the stack, without those of profiles.
NEEDED = ("proxy", "web", "worker", "beat", "postgres", "valkey", "keycloak")
COMMAND_S = 300.0
UP_S = 600.0
# Services whose volumes contain data that smoke cannot restore.
BESIDE = ("n8n", "bugsink", "prometheus", "grafana", "ollama", "vllm")


class Stack:
    """The stack chosen by COMPOSE_PROJECT_NAME and .env, as for every docker compose command."""

    def compose(self, *arguments: str, limit_s: float = COMMAND_S) -> str:
        return self._run("docker", "compose", *arguments, limit_s=limit_s)

    def script(self, name: str, *arguments: str, limit_s: float = UP_S) -> str:
        """Run one of scripts/, as a person would."""
        return self._run(f"scripts/{name}", *arguments, limit_s=limit_s)

    def inside(self, service: str, *command: str, limit_s: float = COMMAND_S) -> str:
        return self.compose("exec", "-T", service, *command, limit_s=limit_s)

    def manage(self, *arguments: str, limit_s: float = COMMAND_S) -> str:
        return self.inside("web", "python", "manage.py", *arguments, limit_s=limit_s)

    def address(self) -> str:
        """Return the public address, which a browser uses, after checking that the services run."""
        running = set(self.compose("ps", "--services", "--status", "running").split())
        missing = [name for name in NEEDED if name not in running]
        if missing:
            raise Failed(f"not running: {', '.join(missing)}", "scripts/up starts the stack, scripts/status shows it.")
        return self.inside("web", "printenv", "REFDESK_URL").strip().rstrip("/")

    def wipe(self) -> None:
        """Remove containers and volumes: everything."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans")

    def volumes(self) -> set[str]:
        """Return short names of the project's volumes."""
        name = json.loads(self.compose("config", "--format", "json"))["name"]
        label = f"label=com.docker.compose.project={name}"
        form = '{{.Label "com.docker.compose.volume"}}'
        return set(self._run("docker", "volume", "ls", "--filter", label, "--format", form).split())

    def _run(self, *command: str, limit_s: float = COMMAND_S) -> str:
        try:
            # In its own session: Ctrl-C in the terminal must not end the removal.
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=limit_s, check=False, start_new_session=True
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{' '.join(command[:6])} did not end within {limit_s:.0f} s") from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-8:]
            raise Failed(f"{' '.join(command[:6])} ended with status {done.returncode}: {' / '.join(said)}")
        return done.stdout
