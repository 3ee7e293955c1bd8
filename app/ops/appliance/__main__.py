"""`python -m app.ops.appliance PART`: one part of the appliance in its container (docker-compose.yml).

web, worker, beat, embeddings    run until they are stopped
init                             makes the secrets and gives each part its own; ends
migrate                          makes tables and what the first start needs; ends
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from app import env
from app.ops.appliance.vault import Served, WeakSecret, vault_fill
from app.ops.engines.app_programs import manage_command, python_module, web_command, worker_command

EMBEDDINGS_PORT = 8081


def web() -> list[str]:
    # Only the proxy reaches this port, and it says one address: the client's (compose/proxy/Caddyfile).
    return web_command("0.0.0.0", int(env.read("REFDESK_PORT")), "--forwarded-allow-ips", "*")  # noqa: S104


def embeddings() -> list[str]:
    everywhere = "0.0.0.0"  # noqa: S104  a network of the box's own
    return python_module("app.ops.engines.embeddings", "--host", everywhere, "--port", str(EMBEDDINGS_PORT))


PROGRAMS: dict[str, Callable[[], list[str]]] = {
    "web": web,
    "worker": worker_command,
    "beat": lambda: manage_command("beat"),
    "embeddings": embeddings,
    "migrate": lambda: manage_command("appliance_prepare"),
}


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="app.ops.appliance", description="Run one part of the appliance.")
    parser.add_argument("part", choices=("init", *PROGRAMS))
    parser.add_argument("--profiles", default="", help="init: the active profiles of the compose file, with commas")
    parser.add_argument("--ollama-model", default="")
    parser.add_argument("--vllm-model", default="")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    read = read_arguments(arguments)
    try:
        env.check_names()
        if read.part == "init":
            served = Served(frozenset(read.profiles.split(",")), read.ollama_model, read.vllm_model)
            for line in vault_fill(Path("/"), served):
                sys.stdout.write(line + "\n")
            return 0
        command = PROGRAMS[read.part]()
    except (env.EnvError, WeakSecret, OSError) as error:
        sys.stderr.write(f"Refdesk cannot run: {error}\n")
        return 1
    sys.stdout.flush()
    # In our place, so that signals reach it.
    return os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
