"""PostgreSQL and Valkey from their wheels, and the modules that start them."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.embedded import run_as as identity
from app.embedded.box import Box
from app.embedded.console import log_shorten
from app.embedded.model import parts_join
from app.embedded.ollama import Ollama, ollama_find
from app.embedded.ports import port_find
from app.embedded.postgres import Postgres
from app.embedded.process import launch_command, start_time
from app.embedded.startup import plan_box
from app.embedded.valkey import Valkey
from app.lib.engine_error import EngineError
from app.llm.known_models import KNOWN_MODELS, KnownModel
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a cluster; each test starts its own server on it."""
    folder = tmp_path_factory.mktemp("cluster")
    Postgres(folder).prepare()
    return folder


@pytest.fixture
def server(cluster: Path) -> Iterator[Postgres]:
    server = Postgres(cluster)
    server.start()
    yield server
    server.stop()


def test_the_app_owns_its_database_and_is_no_superuser(server: Postgres) -> None:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        owner = connection.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'refdesk'")
        assert row == ("refdesk", False)
        assert owner.fetchone() == ("refdesk",)


def test_text_sorts_the_same_on_every_machine(server: Postgres) -> None:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT 'Z' < 'a', lower('ÄÖ'), 'ä' > 'z'").fetchone()
    assert row == (True, "äö", True)


@pytest.mark.parametrize("url", ["postgresql://refdesk@{place}", "postgresql://postgres:wrong@{place}"])
def test_postgres_lets_nobody_in_without_the_password(server: Postgres, url: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.format(place=f"127.0.0.1:{server.port}/postgres"))


def test_the_superuser_has_a_password_of_its_own(server: Postgres) -> None:
    assert server.password("postgres") != server.password()
    with psycopg.connect(server.url("postgres", role="postgres")) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (True,)


def test_a_server_that_still_runs_on_the_folder_is_stopped_before_another_starts(server: Postgres) -> None:
    assert server.child is not None
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE before_it (n int)")
    second = Postgres(server.folder)
    second.start()
    try:
        assert start_time(server.child.pid) is None
        with psycopg.connect(second.url()) as connection:
            connection.execute("DROP TABLE before_it")
    finally:
        second.stop()


def test_a_note_that_names_the_pid_of_another_program_does_not_stop_a_start(cluster: Path) -> None:
    note = cluster / "cluster" / "postmaster.pid"
    with subprocess.Popen(["sleep", "60"]) as stranger:
        note.write_text(f"{stranger.pid}\n{cluster}/cluster\n1\n5432\n\n127.0.0.1\n  1 1\nready   \n")
        server = Postgres(cluster)
        server.start()
        server.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_a_cluster_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "cluster.new" / "base").mkdir(parents=True)
    (tmp_path / "cluster.new" / "PG_VERSION").write_text("18\n")
    server = Postgres(tmp_path)
    server.start()
    server.stop()
    assert not (tmp_path / "cluster.new").exists()


def test_what_postgres_said_is_in_the_error(cluster: Path) -> None:
    server = Postgres(cluster)
    with (
        socket.create_server(("127.0.0.1", server.port)),
        pytest.raises(EngineError, match="could not create any TCP/IP sockets"),
    ):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else for PostgreSQL")
@pytest.mark.parametrize("way", [0, 1], ids=["namespace", "account"])
def test_root_runs_postgres_in_either_way_on_the_same_data(cluster: Path, way: int) -> None:
    """Run it both ways: plain containers allow one, hosts both, and a folder may move between them."""
    who = identity.root_identities()[way]
    if not identity.identity_works(who, ["true"]):
        pytest.skip(f"this machine does not let root be {who.spec}")
    server = Postgres(cluster, identity=who)
    server.start()
    assert server.child is not None
    status = Path(f"/proc/{server.child.pid}/status").read_text()
    server.stop()
    # Never all of root's capabilities: none, or the one for closed folders (CAP_DAC_OVERRIDE).
    assert f"CapEff:\t{'0' * 16 if way == 0 else '2'.rjust(16, '0')}" in status


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else for PostgreSQL")
def test_root_without_any_way_out_is_told_what_to_do() -> None:
    with pytest.raises(EngineError, match=r"ordinary user.*REFDESK_DATABASE_URL"):
        identity.identity_find(["false"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Valkey]:
    store = Valkey(tmp_path / "with space")
    store.start()
    yield store
    store.stop()


def test_valkey_asks_for_its_password_and_forgets_nothing_by_itself(store: Valkey) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=store.port, retry=Retry(NoBackoff(), 0)).ping()
    client = redis.Redis.from_url(store.url())
    settings = client.config_get("maxmemory-policy", "appendonly", "bind")
    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes", "bind": "127.0.0.1"}


def test_the_password_is_on_no_command_line(store: Valkey) -> None:
    assert store.child is not None
    assert store.password() not in Path(f"/proc/{store.child.pid}/cmdline").read_text()


def test_valkey_keeps_what_it_had_a_second_before_a_kill(store: Valkey) -> None:
    client = redis.Redis.from_url(store.url())
    client.set("kept", "yes")
    assert client.waitaof(1, 0, 3000)[0] == 1
    assert store.child is not None
    store.child.kill()
    store.child.wait()
    store.start()
    assert redis.Redis.from_url(store.url()).get("kept") == b"yes"


def test_a_child_dies_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "from app.embedded.process import launch_command\n"
        "child = subprocess.Popen(launch_command(['sleep', '60']))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: start_time(child) is None)


def test_a_child_whose_parent_is_gone_already_does_not_begin() -> None:
    command = launch_command(["true"])
    command[4] = "1"
    assert subprocess.run(command).returncode == 97


def test_a_port_in_use_is_not_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        assert port_find(port) != port
    assert port_find(port) == port


def test_a_long_log_keeps_its_end_and_its_writer(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 3000 + b"b" * 1000)
        log_shorten(log, 1000)
        writer.write(b"next")
    assert (tmp_path / "web.log.1").read_bytes() == b"b" * 1000
    assert log.read_bytes() == b"next"


@pytest.fixture
def ollama() -> Iterator[tuple[int, list[bytes]]]:
    """Yield the port of a server, and its bodies; it responds with the last one."""
    bodies = [b"{}"]

    class Tags(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/tags" else 404)
            self.end_headers()
            self.wfile.write(bodies[-1])

    server = HTTPServer(("127.0.0.1", 0), Tags)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, bodies
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (
            b'{"models":[{"name":"nomic-embed-text:latest","details":{"family":"nomic-bert"}},'
            b'{"name":"all-minilm:22m","details":{"family":"bert"}},{"name":"qwen3:8b","details":{"family":"qwen3"}}]}',
            Ollama("qwen3:8b"),
        ),
        (b'{"models":[{"name":"bge-m3:latest","details":{"family":"bert"}}]}', Ollama(None)),
        (b'{"models":[]}', Ollama(None)),
        (b"<html>another program</html>", None),
        (b'{"models":[{"no":"name"}]}', None),
    ],
)
def test_an_ollama_offers_its_first_model_that_can_answer(
    ollama: tuple[int, list[bytes]], body: bytes, found: Ollama | None
) -> None:
    port, bodies = ollama
    bodies.append(body)
    assert ollama_find("127.0.0.1", port) == found


def test_no_ollama_is_found_where_nothing_listens() -> None:
    assert ollama_find("127.0.0.1", port_find()) is None


def known(content: bytes) -> KnownModel:
    return KnownModel(
        "k", "tiny", "https://models.example.org/tiny.gguf", "tiny-part{n}", "1", 2, "tiny_part{n}/part{n:02d}.bin",
        sha256(content).hexdigest(), len(content), "Apache-2.0", 10, "none.txt",
    )  # fmt: skip


def parts(folder: Path, *contents: bytes) -> Path:
    for n, content in enumerate(contents, 1):
        (folder / f"tiny_part{n}").mkdir(parents=True)
        (folder / f"tiny_part{n}" / f"part{n:02d}.bin").write_bytes(content)
    return folder


def test_parts_are_joined_in_order(tmp_path: Path) -> None:
    parts_join(known(b"onetwo"), parts(tmp_path / "parts", b"one", b"two"), tmp_path / "tiny.gguf")
    assert (tmp_path / "tiny.gguf").read_bytes() == b"onetwo"


def test_parts_that_are_not_the_known_file_are_refused_and_removed(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="do not hold the known file"):
        parts_join(known(b"onetwo"), parts(tmp_path / "parts", b"one", b"tvo"), tmp_path / "tiny.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]


def test_every_known_model_is_pinned_in_its_lock_file() -> None:
    root = Path(__file__).resolve().parents[3]
    for model in KNOWN_MODELS.values():
        lock = (root / "requirements" / model.requirements).read_text()
        pinned = {f"{model.package.format(n=n)}=={model.version}" for n in range(1, model.parts + 1)}
        assert {line.split(" ")[0] for line in lock.splitlines() if "==" in line} == pinned
        assert len(model.sha256) == 64


def test_a_packaged_model_is_planned_only_when_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REFDESK_LLM_URL", raising=False)
    box = Box(tmp_path)
    assert "llm" not in [engine.name for engine in plan_box(box).engines]
    box.write_options({"model": "small"})
    plan = plan_box(box)
    assert "llm" in [engine.name for engine in plan.engines]
    assert plan.found["REFDESK_LLM_MODEL"] == KNOWN_MODELS["small"].name
    assert len(plan.fetches) == 1
