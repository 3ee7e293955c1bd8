"""Command lines of our own programs, the same on the embedded default and in the appliance."""

import sys

from app import env
from app.embedded.box import ROOT


def python_module(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def manage_command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def web_command(host: str, port: int, *more: str) -> list[str]:
    return python_module(
        "uvicorn", "app.asgi:application", "--host", host, "--port", str(port), "--loop", "uvloop",
        "--http", "httptools", "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "4", *more,
    )  # fmt: skip


def worker_command() -> list[str]:
    # Celery only receives ids; the threads of app/jobs/worker.py do the work. Its banner is text.
    quiet = ["--quiet"] if env.read("REFDESK_LOG_FORMAT") == "json" else []
    return python_module(
        "celery", *quiet, "-A", "app.celery", "worker", "--pool", "solo", "--loglevel", "INFO", "--without-gossip",
        "--without-mingle", "--without-heartbeat",
    )  # fmt: skip
