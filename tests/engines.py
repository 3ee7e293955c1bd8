"""pytest plugin: the real engines of one test process, in a folder of its own, each started by the first test that
needs it. Loaded before Django's settings are read (`-p` in pyproject.toml), because those need the addresses.

Each process of a run with `-n` loads it anew and so has engines, folder and ports of its own.
"""

import contextlib
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.ports import LOOPBACK, port_find
from app.embedded.postgres import Postgres
from app.embedded.process import child_stop
from app.embedded.process_spec import Program, engine_start
from app.embedded.valkey import Valkey


class ReservedPort:
    """A port that nobody else takes until `release`: bound without SO_REUSEADDR, which `port_is_free` asks for.

    An engine that no test has asked for yet does not hold its port, and other tests look for free ones.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        while True:
            self.number = port_find()
            # A port with connections that are only being forgotten (TIME_WAIT) is free to a server, not to this.
            with contextlib.suppress(OSError):
                self._socket.bind((LOOPBACK, self.number))
                return

    def release(self) -> None:
        self._socket.close()


ROOT = Path(__file__).resolve().parents[1]
_FOLDER = tempfile.TemporaryDirectory(prefix="refdesk-test-", ignore_cleanup_errors=True)
FOLDER = Path(_FOLDER.name)
for _name in ("postgres", "valkey", "data"):
    (FOLDER / _name).mkdir(mode=0o700)
POSTGRES_PORT, VALKEY_PORT, QDRANT_PORT, EMBEDDINGS_PORT = (ReservedPort() for _ in range(4))
POSTGRES = Postgres(FOLDER / "postgres", log=FOLDER / "postgres.log")
POSTGRES.port = POSTGRES_PORT.number
VALKEY = Valkey(FOLDER / "valkey", log=FOLDER / "valkey.log")
VALKEY.port = VALKEY_PORT.number
QDRANT_KEY = secrets.token_urlsafe(16)

# Nothing of the developer's own environment reaches a test, except the names of servers to test against.
for name in [name for name in os.environ if name.startswith("REFDESK_") and not name.startswith("REFDESK_TEST_")]:
    del os.environ[name]
os.environ.update(
    REFDESK_DATA=str(FOLDER / "data"),
    REFDESK_SECRET_KEY=secrets.token_urlsafe(32),
    REFDESK_SECRETS_KEYS=secrets.token_urlsafe(48),
    REFDESK_DATABASE_URL=POSTGRES.url(),
    REFDESK_VALKEY_URL=VALKEY.url(),
    REFDESK_QDRANT_URL=f"http://{LOOPBACK}:{QDRANT_PORT.number}",
    REFDESK_QDRANT_API_KEY=QDRANT_KEY,
    REFDESK_EMBEDDINGS_URL=f"http://{LOOPBACK}:{EMBEDDINGS_PORT.number}/v1",
)


def _serve(module: str, arguments: list[str], reserved: ReservedPort, health: str) -> Iterator[str]:
    """Run an engine's module until the end of the test run; yield its address without a path."""
    name = module.rpartition(".")[2]
    command = [sys.executable, "-m", module, *arguments, "--host", LOOPBACK, "--port", str(reserved.number)]
    program = Program(name, command, ROOT, dict(os.environ), LOOPBACK, reserved.number, health)
    reserved.release()
    child = engine_start(program, FOLDER / f"{name}.log")
    yield f"http://{LOOPBACK}:{reserved.number}"
    child_stop(child, program.stop_ladder)


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """Start Valkey and yield its address."""
    VALKEY_PORT.release()
    VALKEY.start()
    yield VALKEY.url()
    VALKEY.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start PostgreSQL and yield its address."""
    POSTGRES.prepare()
    # Only a crash of the whole machine could tell, and that ends the tests too.
    with (POSTGRES.cluster / "postgresql.auto.conf").open("a") as settings:
        settings.write("fsync = off\nfull_page_writes = off\n")
    POSTGRES_PORT.release()
    POSTGRES.start()
    yield POSTGRES.url()
    POSTGRES.stop()


@pytest.fixture(scope="session")
def qdrant() -> Iterator[str]:
    """Start the Edge process and yield its address."""
    yield from _serve("app.embedded.qdrant", ["--folder", str(FOLDER / "qdrant")], QDRANT_PORT, "/readyz")


@pytest.fixture(scope="session")
def embedder() -> Iterator[str]:
    """Start the packaged embedding model and yield its address."""
    yield from _serve("app.embedded.embeddings", [], EMBEDDINGS_PORT, "/health")
