"""`python -m app.appliance PART`: one part of the appliance in its container (docker-compose.yml).

web, worker, beat, embeddings    run until they are stopped
init                             makes the secrets and gives each part its own; ends
migrate                          makes tables and the data of the first start; ends
backup                           writes a backup to standard output; ends
arrive                           takes a backup from standard input, and its secrets into the vault; ends
restore                          restores that backup into the stores; ends
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from app import env
from app.appliance.incoming_backup import ARRIVED, backup_arrive
from app.appliance.secrets_files import Served, WeakSecret, vault_fill
from app.backup.archive.reading import Unusable
from app.embedded.app_programs import manage_command, python_module, web_command, worker_command

EMBEDDINGS_PORT = 8081
# The share of the service `tools`, and the volume `scratch`.
TOOLS, SCRATCH = "/run/tools", "/data"


def web() -> list[str]:
    # Only the proxy reaches this port, and it passes on one address: the client's (compose/proxy/Caddyfile).
    return web_command("0.0.0.0", int(env.read("REFDESK_PORT")), "--forwarded-allow-ips", "*")  # noqa: S104


def embeddings() -> list[str]:
    everywhere = "0.0.0.0"  # noqa: S104  a network of the box's own
    return python_module("app.embedded.embeddings", "--host", everywhere, "--port", str(EMBEDDINGS_PORT))


PROGRAMS: dict[str, Callable[[], list[str]]] = {
    "web": web,
    "worker": worker_command,
    "beat": lambda: manage_command("beat"),
    "embeddings": embeddings,
    "migrate": lambda: manage_command("appliance_prepare"),
}


def tool_command(read: argparse.Namespace) -> list[str]:
    keycloak = () if read.keycloak == 0 else (f"--keycloak={TOOLS}",)
    if read.part == "backup":
        return manage_command("backup", "--stream", *keycloak, *(["--exports"] if read.exports else []))
    keep = ["--keep-files"] if read.keep_files else []
    return manage_command("restore", "--appliance", *keep, *keycloak, f"{SCRATCH}/{ARRIVED}")


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="app.appliance", description="Run one part of the appliance.")
    parser.add_argument("part", choices=("init", "arrive", "backup", "restore", *PROGRAMS))
    parser.add_argument("--profiles", default="", help="init: the active profiles of the compose file, with commas")
    parser.add_argument("--ollama-model", default="")
    parser.add_argument("--vllm-model", default="")
    parser.add_argument("--keycloak", type=int, default=1, help="backup, restore: 0 without Keycloak")
    parser.add_argument("--exports", action="store_true", help="backup: with the files of finished exports")
    parser.add_argument("--keep-files", action="store_true", help="restore: files that the backup lacks may be there")
    parser.add_argument("--bytes", type=int, default=0, help="arrive: how many come")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    read = read_arguments(arguments)
    try:
        env.check_names()
        env.read("REFDESK_URL")
        if read.part == "init":
            served = Served(frozenset(read.profiles.split(",")), read.ollama_model, read.vllm_model)
            for line in vault_fill(Path("/"), served):
                sys.stdout.write(line + "\n")
            return 0
        if read.part == "arrive":
            sys.stdout.write(backup_arrive(Path("/"), sys.stdin.buffer, read.bytes) + "\n")
            return 0
        command = tool_command(read) if read.part in ("backup", "restore") else PROGRAMS[read.part]()
    except Unusable as error:
        sys.stderr.write(f"{error} Nothing was changed.\n")
        return 1
    except (env.EnvError, WeakSecret, OSError) as error:
        sys.stderr.write(f"Refdesk cannot run: {error}\n")
        return 1
    sys.stdout.flush()
    # Replaces this process, so that signals reach the part.
    return os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
