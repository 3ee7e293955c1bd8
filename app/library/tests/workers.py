"""A real worker process on the test database, started, watched and killed as the supervisor or a crash does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[3]


def test_database_url() -> str:
    parts = urlsplit(settings.DATABASE_URL)
    return urlunsplit(parts._replace(path="/" + str(connection.settings_dict["NAME"])))


test_database_url.__test__ = False  # type: ignore[attr-defined]


def worker_start(log: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "-A", "app.celery", "worker", "--pool", "solo"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            # Without the schedule, whose jobs would disturb those of a test.
            env={
                **os.environ,
                "REFDESK_DATABASE_URL": test_database_url(),
                "REFDESK_WORKER_BEATS": "0",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def worker_kill(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> None:
    """End the worker and every process that it started."""
    if number == signal.SIGKILL:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    process.wait(60)


@contextmanager
def worker(log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = worker_start(log, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            worker_kill(process)
