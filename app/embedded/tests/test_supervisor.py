"""The supervisor with real processes: PostgreSQL and Valkey are the product's, small programs replace the app."""

import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import env
from app.embedded.process import start_time
from app.lib.version import project_version
from tests.box.box_process import BoxProcess, all_gone
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoxProcess]:
    """Yield one data folder for the module, so that its cluster is made once; a test leaves it stopped or running."""
    box = BoxProcess(tmp_path_factory.mktemp("boxes with space") / "data")
    yield box
    box.stop()


@pytest.fixture
def running(box: BoxProcess) -> BoxProcess:
    if box.child is None or box.child.poll() is not None:
        box.start()
    return box


def test_a_first_start_says_its_address_and_serves_there(running: BoxProcess) -> None:
    assert f"ready at http://localhost:{running.port}" in running.printed()
    assert running.answers()
    assert (running.folder / "version").read_text().strip() == project_version()


def test_what_holds_a_secret_is_for_its_owner_alone(running: BoxProcess) -> None:
    files = [
        running.folder / "run" / "environment.json",
        running.folder / "secrets" / "secret_key",
        running.folder / "secrets" / "secrets_keys",
        running.folder / "postgres" / "refdesk.password",
        running.folder / "valkey" / "valkey.conf",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700


def test_the_key_that_is_made_is_as_long_as_the_deployment_checks_ask_for(running: BoxProcess) -> None:
    assert len((running.folder / "secrets" / "secret_key").read_text().strip()) >= 50
    assert running.record("environment")["REFDESK_SECRETS_KEYS"] == (
        (running.folder / "secrets" / "secrets_keys").read_text().strip()
    )


def test_the_supervisor_and_the_stores_are_small_when_idle(running: BoxProcess) -> None:
    def proportional_kb(pid: int) -> int:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

    family = [running.process.pid, running.pid("postgres"), running.pid("valkey")]
    children = Path(f"/proc/{running.pid('postgres')}/task/{running.pid('postgres')}/children").read_text().split()
    assert sum(proportional_kb(pid) for pid in [*family, *map(int, children)]) < 70_000


@pytest.mark.parametrize("name", ["web", "valkey", "postgres"])
def test_a_process_that_dies_is_restarted_and_the_log_says_so(running: BoxProcess, name: str) -> None:
    before = running.pid(name)
    os.kill(before, signal.SIGKILL)
    line = f"{name} died (signal 9), restarted"
    wait_until(lambda: line in running.printed() and running.pids().get(name, before) != before)
    assert line in (running.folder / "logs" / "refdesk.log").read_text()
    wait_until(running.answers)
    wait_until(running.database_answers)


def test_a_second_start_says_who_runs_already(running: BoxProcess) -> None:
    second = running.call()
    assert second.returncode == 1
    assert f"already runs on {running.folder} (pid {running.process.pid})" in second.stderr
    assert f"http://localhost:{running.port}" in second.stderr
    assert running.answers()


def test_children_end_with_a_supervisor_that_is_killed(running: BoxProcess) -> None:
    pids = running.pids()
    running.process.kill()
    running.process.wait()
    wait_until(lambda: all_gone(pids))


def test_a_start_after_kill_of_everything_recovers_and_keeps_the_data(running: BoxProcess) -> None:
    running.sql("CREATE TABLE kept AS SELECT 42 AS n")
    pids = running.pids()
    for pid in (running.process.pid, *pids.values()):
        os.kill(pid, signal.SIGKILL)
    running.process.wait()
    running.start()
    assert running.sql("SELECT n FROM kept") == [(42,)]
    running.sql("DROP TABLE kept")


def test_a_process_that_outlived_a_killed_supervisor_is_stopped_by_the_next_start(box: BoxProcess) -> None:
    box.stop()
    box.start(BOX_WEB="deaf")
    web = box.pid("web")
    box.process.kill()
    box.process.wait()
    time.sleep(0.3)
    assert start_time(web) is not None
    box.start()
    assert "web was still running from an earlier start and was stopped" in box.printed()
    assert start_time(web) is None
    assert box.answers()


def test_steps_run_once_and_again_only_when_the_code_changed(running: BoxProcess) -> None:
    running.stop()
    running.start()
    assert (running.folder / "steps").read_text() == "ran\n"
    running.stop()
    (running.folder / "postgres" / "prepared").write_text("of an older version\n")
    running.start()
    assert (running.folder / "steps").read_text() == "ran\nran\n"


def test_stop_ends_every_process_and_says_so(running: BoxProcess) -> None:
    pids = running.pids()
    began = time.monotonic()
    stopped = running.call("--stop")
    assert stopped.stdout == f"Refdesk on {running.folder} is stopped.\n"
    assert time.monotonic() - began < 10
    assert running.process.wait(60) == 0
    assert all_gone(pids)
    assert not (running.folder / "run" / "environment.json").exists()
    assert running.call("--stop").stdout == f"Refdesk is not running on {running.folder}.\n"


def test_a_web_process_that_hangs_is_ended_at_the_second_ctrl_c(box: BoxProcess) -> None:
    box.stop()
    box.start(BOX_WEB="deaf")
    pids = box.pids()
    began = time.monotonic()
    box.process.send_signal(signal.SIGINT)
    wait_until(lambda: "Stopping" in box.printed())
    time.sleep(0.3)
    assert start_time(pids["web"]) is not None
    box.process.send_signal(signal.SIGINT)
    box.process.wait(60)
    assert time.monotonic() - began < 20  # less than the time limit of the first signal
    assert all_gone(pids)
    assert "web did not stop when asked and was ended" in box.printed()


def test_a_program_that_keeps_dying_stops_the_start_with_the_end_of_its_log(box: BoxProcess) -> None:
    box.stop()
    started = box.call(BOX_WEB="broken")
    assert started.returncode == 1
    assert "web does not start" in started.stderr
    assert "the web process cannot find its files" in started.stderr
    assert box.call("--stop").stdout.startswith("Refdesk is not running")


def test_a_step_that_fails_stops_the_start_and_is_tried_again(box: BoxProcess) -> None:
    box.stop()
    (box.folder / "postgres" / "prepared").unlink()
    for _ in range(2):
        started = box.call(BOX_STEP="fails")
        assert started.returncode == 1
        assert "Tables failed (exit 1)" in started.stderr
        assert "no tables today" in started.stderr


def test_a_taken_port_is_named_with_the_setting_that_changes_it(box: BoxProcess) -> None:
    box.stop()
    with socket.create_server(("127.0.0.1", box.port)):
        started = box.call()
    assert started.returncode == 1
    assert f"Port {box.port} on 127.0.0.1 is taken" in started.stderr
    assert "REFDESK_PORT=" in started.stderr


def test_data_of_a_newer_version_is_left_alone(box: BoxProcess) -> None:
    box.stop()
    (box.folder / "version").write_text("99.1.0\n")
    started = box.call()
    (box.folder / "version").write_text(project_version())
    assert started.returncode == 1
    assert f"written by Refdesk 99.1.0, and this is {project_version()}" in started.stderr


def test_a_data_folder_that_cannot_be_made_is_named(box: BoxProcess, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    started = box.call(REFDESK_DATA=str(tmp_path / "file"))
    assert started.returncode == 1
    assert f"{tmp_path}/file is a file" in started.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write another user's folder")
def test_root_does_not_start_the_box_of_another_user(box: BoxProcess) -> None:
    box.stop()
    os.chown(box.folder, 12345, -1)
    started = box.call()
    os.chown(box.folder, 0, -1)
    assert started.returncode == 1
    assert "belongs to the user with number 12345" in started.stderr


@pytest.mark.parametrize(("name", "value"), [("REFDESK_PROT", "80"), ("REFDESK_PORT", "eighty")])
def test_a_wrong_setting_stops_the_start_with_one_line(box: BoxProcess, name: str, value: str) -> None:
    started = box.call(**{name: value})
    assert started.returncode == 1
    assert started.stderr.count("\n") == 1
    assert name in started.stderr


def test_two_data_folders_are_two_boxes_side_by_side(running: BoxProcess, tmp_path: Path) -> None:
    # The second path is longer than the 107 bytes allowed for a Unix socket's path.
    second = BoxProcess(tmp_path / ("long " * 20) / "data")
    second.folder.parent.mkdir()
    try:
        second.start()
        assert running.answers()
        assert second.answers()
        running.sql("CREATE TABLE only_here (n int)")
        assert second.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'") == [(0,)]
        running.sql("DROP TABLE only_here")
        second.stop()
        assert running.answers()
    finally:
        second.stop()


def test_an_engine_whose_address_is_given_is_not_started(box: BoxProcess) -> None:
    box.stop()
    box.start(REFDESK_VALKEY_URL="redis://127.0.0.1:9")
    assert sorted(box.pids()) == ["postgres", "web"]
    box.stop()


def test_a_command_in_another_shell_works_with_what_the_start_was_given(
    box: BoxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.stop()
    (tmp_path / "key").write_text("of the model server")
    box.start(
        REFDESK_LLM_MODEL="one-model", REFDESK_LLM_API_KEY_FILE=str(tmp_path / "key"), REFDESK_ADMIN_PASSWORD="secret"
    )
    assert "REFDESK_ADMIN_PASSWORD" not in box.record("environment")
    assert "of the model server" not in box.record("environment").values()
    for name in [name for name in os.environ if name.startswith("REFDESK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REFDESK_DATA", str(box.folder))
    assert env.read_deployment("REFDESK_LLM_MODEL") == "one-model"
    assert env.read_deployment("REFDESK_LLM_API_KEY") == "of the model server"
    assert env.read_deployment("REFDESK_URL") == f"http://localhost:{box.port}"
    monkeypatch.setenv("REFDESK_LLM_MODEL", "another")
    assert env.read_deployment("REFDESK_LLM_MODEL") == "another"
    box.stop()


@pytest.mark.parametrize(
    ("host", "url", "address"),
    [("127.0.0.2", "", "http://127.0.0.2:{port}"), ("0.0.0.0", "https://desk.example.org", "https://desk.example.org")],
)
def test_the_address_said_is_the_one_that_people_can_open(box: BoxProcess, host: str, url: str, address: str) -> None:
    box.stop()
    box.start(REFDESK_HOST=host, REFDESK_URL=url)
    assert f"ready at {address.format(port=box.port)} " in box.printed()
    assert box.record("environment")["REFDESK_URL"] == address.format(port=box.port)
    box.stop()


def test_a_setting_from_a_file_that_the_start_passes_on_is_not_set_twice(box: BoxProcess, tmp_path: Path) -> None:
    box.stop()
    (tmp_path / "url").write_text("https://desk.example.org\n")
    box.start(REFDESK_URL_FILE=str(tmp_path / "url"))
    web = Path(f"/proc/{box.pid('web')}/environ").read_bytes().split(b"\0")
    assert b"REFDESK_URL=https://desk.example.org" in web
    assert not [name for name in web if name.startswith(b"REFDESK_URL_FILE=")]
    assert "REFDESK_URL_FILE" not in box.record("environment")
    box.stop()


def test_ports_are_remembered_and_a_taken_one_is_replaced(box: BoxProcess) -> None:
    box.stop()
    kept = json.loads((box.folder / "run" / "ports.json").read_text())
    with socket.create_server(("127.0.0.1", kept["valkey"])):
        box.start()
        now = box.record("ports")
    assert now["postgres"] == kept["postgres"]
    assert now["valkey"] != kept["valkey"]
