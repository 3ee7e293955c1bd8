"""pytest plugin: the real engines for one test run, in a folder of their own, each started by the first test that
needs it. Loaded before Django's settings are read (`-p` in pyproject.toml), because those need the addresses.
"""

import os
import secrets
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

ROOT = Path(__file__).resolve().parents[3]
_FOLDER = tempfile.TemporaryDirectory(prefix="refdesk-test-", ignore_cleanup_errors=True)
FOLDER = Path(_FOLDER.name)
for _name in ("postgres", "valkey", "data"):
    (FOLDER / _name).mkdir(mode=0o700)
POSTGRES = Postgres(FOLDER / "postgres", log=FOLDER / "postgres.log")
VALKEY = Valkey(FOLDER / "valkey", log=FOLDER / "valkey.log")
QDRANT_PORT, EMBEDDINGS_PORT = port_find(None), port_find(None)
QDRANT_KEY = secrets.token_urlsafe(16)

# Nothing of the developer's own environment reaches a test, except the names of servers to test against.
for name in [name for name in os.environ if name.startswith("REFDESK_") and not name.startswith("REFDESK_TEST_")]:
    del os.environ[name]
os.environ.update(
    REFDESK_DATA=str(FOLDER / "data"),
    REFDESK_SECRET_KEY=secrets.token_urlsafe(32),
    REFDESK_DATABASE_URL=POSTGRES.url(),
    REFDESK_VALKEY_URL=VALKEY.url(),
    REFDESK_QDRANT_URL=f"http://{LOOPBACK}:{QDRANT_PORT}",
    REFDESK_QDRANT_API_KEY=QDRANT_KEY,
    REFDESK_EMBEDDINGS_URL=f"http://{LOOPBACK}:{EMBEDDINGS_PORT}/v1",
)


def _serve(module: str, arguments: list[str], port: int, health: str) -> Iterator[str]:
    """Run an engine's module until the end of the test run; its address without a path."""
    name = module.rpartition(".")[2]
    command = [sys.executable, "-m", module, *arguments, "--host", LOOPBACK, "--port", str(port)]
    program = Program(name, command, ROOT, dict(os.environ), LOOPBACK, port, health)
    child = engine_start(program, FOLDER / f"{name}.log")
    yield f"http://{LOOPBACK}:{port}"
    child_stop(child, program.stop_ladder)


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """Address of a running Valkey."""
    VALKEY.start()
    yield VALKEY.url()
    VALKEY.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a running PostgreSQL."""
    POSTGRES.start()
    yield POSTGRES.url()
    POSTGRES.stop()


@pytest.fixture(scope="session")
def qdrant() -> Iterator[str]:
    """Address of a running Edge process."""
    yield from _serve("app.embedded.qdrant", ["--folder", str(FOLDER / "qdrant")], QDRANT_PORT, "/readyz")


@pytest.fixture(scope="session")
def embedder() -> Iterator[str]:
    """Address of the packaged embedding model."""
    yield from _serve("app.embedded.embeddings", [], EMBEDDINGS_PORT, "/health")
