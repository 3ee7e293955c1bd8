"""Backup of a box in use and its restore in another folder: the same answers, keys, people and trail."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.backup.archive.reading import DUMP, archive_open
from tests.box.box_process import ELSEWHERE
from tests.box.real_box import ROOT, WholeBox
from tests.waiting import wait_until

NO_MODEL = {"REFDESK_LLM_URL": ELSEWHERE["REFDESK_LLM_URL"]}
QUESTION = "What does error E-17 mean?"
TURN = {"message": QUESTION, "stream": False}
FILES = 40
CREDENTIAL = "canary9f2c41d7credential"
STORE = """
from app.accounts.models import Organisation
from app.lib.tenancy import scope_enter_everything
from app.secrets.models import Secret
from app.secrets.services import secret_read, secret_set
scope_enter_everything()
named = {"organisation": Organisation.objects.get().pk, "purpose": "endpoint.api_key"}
"""
KEPT = f'{STORE}print(secret_set(**named, label="Main model", value="{CREDENTIAL}").key_id)'
READ = f"{STORE}print(secret_read(**named, secret=Secret.objects.get().pk).reveal())"
# A key that a person gives the new box beside the backup's.
GIVEN_KEY = "T3q9ZrXw0Lk2VbNsT3q9ZrXw0Lk2VbNs-given"


class Used:
    """A box with documents, a conversation, an export and a key, backed up while files are uploaded."""

    def __init__(self, folder: Path) -> None:
        self.box = WholeBox(folder / "first", REFDESK_SAMPLES="1", REFDESK_MAIL_FROM="desk@example.org", **NO_MODEL)
        self.path = folder / "made.tar"
        self.key = ""
        self.answer: dict[str, Any] = {}
        self.output = ""

    def use(self) -> None:
        self.box.start()
        self.key = self.box.manage("api_key_create", "--organisation", "default", "--name", "program")
        self.box.await_ready_documents()
        self.answer = self.box.api("/api/v1/bots/default/chat", self.key, TURN)
        self.box.api("/api/v1/exports", self.key, {})
        self.box.manage("shell", "-c", KEPT)
        wait_until(lambda: self.box.sql("SELECT 1 FROM privacy_export WHERE state = 'done'"))

    def back_up(self, incoming: Path) -> None:
        incoming.mkdir()
        for number in range(FILES):
            (incoming / f"{number}.txt").write_text(f"Machine {number} stands in room {number * 7}.\n" * 30)
        command = [sys.executable, "manage.py", "ingest", str(incoming)]
        with subprocess.Popen(command, env=self.box._environment({}), cwd=ROOT) as ingest:
            wait_until(lambda: self.box.sql("SELECT id FROM library_document OFFSET 12"))
            status, self.output = errand(self.box, "backup", str(self.path))
        assert (status, ingest.returncode) == (0, 0), self.output


def errand_begin(box: WholeBox, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "app.embedded.run_command", *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env=box._environment({}), cwd=ROOT, **pipes, **more)


def errand(box: WholeBox, *arguments: str, **more: Any) -> tuple[int, str]:
    with errand_begin(box, *arguments, **more) as child:
        output = child.communicate(timeout=170)[0]
    return child.returncode, output


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    folder = tmp_path_factory.mktemp("backup")
    used = Used(folder)
    try:
        used.use()
        used.back_up(folder / "incoming")
        yield used
    finally:
        used.box.stop()


@pytest.fixture(scope="module")
def made_again(used: Used, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeBox]:
    """The restored box, beside the first one, which still runs."""
    box = WholeBox(tmp_path_factory.mktemp("again") / "second", REFDESK_SECRETS_KEYS=GIVEN_KEY, **NO_MODEL)
    status, output = errand(box, "restore", str(used.path))
    assert status == 0, output
    assert "Rows, vectors and files agree." in output
    assert "REFDESK_MAIL_FROM" in output
    try:
        box.start()
        yield box
    finally:
        box.stop()


def test_a_backup_says_what_is_in_it_and_how_to_keep_it(used: Used) -> None:
    assert "keep it as you keep those" in used.output
    manifest = archive_open(used.path).manifest
    assert manifest["tables"]["accounts_apikey"] == 1
    assert manifest["tables"]["library_document"] == manifest["files"]["objects"] > 12
    assert manifest["missing"] == []


def test_a_box_made_again_answers_alike_with_the_same_citation(used: Used, made_again: WholeBox) -> None:
    answer = made_again.api("/api/v1/bots/default/chat", used.key, TURN)["message"]
    before = used.answer["message"]
    assert answer["content"] == before["content"]
    cited = [(one["passage"]["id"], one["passage"]["document"]["id"]) for one in answer["citations"]]
    assert cited == [(one["passage"]["id"], one["passage"]["document"]["id"]) for one in before["citations"]] != []


def test_a_box_made_again_does_its_work_and_asking_leaves_nothing(made_again: WholeBox) -> None:
    count = "SELECT count(*) FROM chat_conversation"
    before = made_again.sql(count)
    assert "is answered" in made_again.manage("check_answers")
    assert made_again.sql(count) == before


def test_a_box_made_again_has_the_conversations(used: Used, made_again: WholeBox) -> None:
    messages = made_again.sql("SELECT content FROM chat_message")
    assert (used.answer["message"]["content"],) in messages


def test_a_box_made_again_has_the_same_people_and_signing_key(used: Used, made_again: WholeBox) -> None:
    people = "SELECT email, password FROM accounts_user ORDER BY email"
    assert made_again.sql(people) == used.box.sql(people)
    keys = [(box.folder / "secrets" / "secret_key").read_text().strip() for box in (used.box, made_again)]
    assert keys[0] == keys[1]
    assert (made_again.folder / "secrets" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_box_made_again_reads_its_credentials_and_can_exchange_the_key(used: Used, made_again: WholeBox) -> None:
    assert CREDENTIAL.encode() not in used.path.read_bytes()
    files = [box.folder / "secrets" / "secrets_keys" for box in (used.box, made_again)]
    assert files[0].read_text() == files[1].read_text()
    assert files[1].stat().st_mode & 0o777 == 0o600
    assert made_again.manage("shell", "-c", READ).endswith(CREDENTIAL)
    assert "1 encrypted anew, 0 had the newest key, 0 failed." in made_again.manage("secrets_rotate")
    assert made_again.manage("shell", "-c", READ).endswith(CREDENTIAL)


def test_documents_that_were_on_their_way_become_ready_in_the_box_made_again(made_again: WholeBox) -> None:
    made_again.await_ready_documents()
    assert "They agree." in made_again.manage("check_store")
    assert made_again.sql("SELECT count(*) FROM jobs_job WHERE deaths > 0") == [(0,)]


def test_the_audit_trail_of_a_box_made_again_is_whole_and_says_so(made_again: WholeBox) -> None:
    output = made_again.manage("audit_verify")
    assert "BROKEN" not in output
    assert output.count("whole") == 2
    assert made_again.sql("SELECT 1 FROM audit_auditentry WHERE action = 'box.restored'") == [(1,)]


def test_the_walls_between_organisations_stand_in_a_box_made_again(made_again: WholeBox) -> None:
    rows = "SELECT count(*) FROM library_document"
    assert made_again.sql(f"SET ROLE refdesk_app; SET refdesk.scope = ''; {rows}") != made_again.sql(rows)
    walls = "SELECT tablename, policyname, qual FROM pg_policies ORDER BY 1"
    grants = "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
    grants += " WHERE grantee = 'refdesk_app' ORDER BY 1, 2"
    assert len(made_again.sql(walls)) > 15
    assert ("audit_auditentry", "UPDATE") not in made_again.sql(grants)
    assert ("audit_auditentry", "INSERT") in made_again.sql(grants)


def test_an_export_whose_file_was_left_out_says_so(made_again: WholeBox) -> None:
    assert made_again.sql("SELECT state, error_code FROM privacy_export") == [("failed", "file_missing")]


def test_the_settings_of_before_are_kept_for_their_reader_alone(made_again: WholeBox) -> None:
    path = made_again.folder / "settings-of-backup.env"
    assert "REFDESK_MAIL_FROM=desk@example.org" in path.read_text().splitlines()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_box_that_is_not_empty_is_not_restored_into(used: Used, made_again: WholeBox, tmp_path: Path) -> None:
    status, output = errand(made_again, "restore", str(used.path))
    assert (status, "needs a new, empty box" in output) == (1, True), output
    other = WholeBox(tmp_path / "other", **NO_MODEL)
    other.folder.mkdir()
    (other.folder / "letter.txt").write_text("mine")
    status, output = errand(other, "restore", str(used.path))
    assert (status, "is not empty (letter.txt)" in output) == (1, True), output
    assert [path.name for path in other.folder.iterdir()] == ["letter.txt"]


def flip(path: Path, member: str) -> None:
    with tarfile.open(path) as tar:
        found = next(one for one in tar.getmembers() if one.name.startswith(member))
    with path.open("r+b") as file:
        file.seek(found.offset_data + found.size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("member", [DUMP, "objects/"])
def test_a_damaged_backup_leaves_the_new_box_as_it_was(used: Used, tmp_path: Path, member: str) -> None:
    copy = tmp_path / "copy.tar"
    shutil.copy(used.path, copy)
    flip(copy, member)
    box = WholeBox(tmp_path / "box", **NO_MODEL)
    status, output = errand(box, "restore", str(copy))
    assert status == 1
    assert f"{member}" in output
    assert "is damaged" in output
    assert not box.folder.exists()


def test_a_killed_backup_leaves_no_archive_and_the_box_goes_on(used: Used, tmp_path: Path) -> None:
    with errand_begin(used.box, "backup", str(tmp_path / "killed.tar"), start_new_session=True) as backup:
        wait_until(lambda: list(tmp_path.glob("*.part")) or backup.poll() is not None)
        os.killpg(backup.pid, signal.SIGKILL)
    assert not (tmp_path / "killed.tar").exists()
    assert used.box.status("/ready") == 200
    status, output = errand(used.box, "backup", str(tmp_path / "killed.tar"))
    assert status == 0, output
    assert [path.name for path in tmp_path.iterdir()] == ["killed.tar"]


def test_a_backup_onto_a_full_disk_says_so_and_leaves_nothing(used: Used, tmp_path: Path) -> None:
    limit = 200_000
    full: dict[str, Any] = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}
    status, output = errand(used.box, "backup", str(tmp_path / "full.tar"), **full)
    assert status == 1
    assert "There is no backup" in output
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []


def cut_short(box: WholeBox, path: Path, moment: Callable[[], object]) -> None:
    """Start a restore and kill it with its engines as soon as `moment` is true."""
    with errand_begin(box, "restore", str(path), start_new_session=True) as child:
        wait_until(lambda: moment() or child.poll() is not None)
        assert child.poll() is None, child.communicate()[0]
        child.kill()
    # The kernel ends what it started.
    time.sleep(1)


@pytest.mark.parametrize("when", ["engines", "files", "vectors"])
def test_a_restore_that_was_killed_can_be_run_again(used: Used, tmp_path: Path, when: str) -> None:
    box = WholeBox(tmp_path / "box", **NO_MODEL)
    moments: dict[str, Callable[[], object]] = {
        "engines": lambda: (box.folder / "restore-unfinished").exists(),
        "files": lambda: list(box.folder.glob("objects/*/*/*")),
        "vectors": lambda: list(box.folder.glob("qdrant/*/*")),
    }
    cut_short(box, used.path, moments[when])
    started = box.call()
    assert started.returncode == 1
    assert "was cut short. Run scripts/restore" in started.stderr
    status, output = errand(box, "backup", str(tmp_path))
    assert (status, "was cut short" in output) == (1, True), output
    status, output = errand(box, "restore", str(used.path))
    assert status == 0, output
    assert "Rows, vectors and files agree." in output
    # Never started, it is a box all the same.
    assert errand(box, "backup", str(tmp_path))[0] == 0


def test_there_is_no_backup_where_there_is_no_box(tmp_path: Path) -> None:
    box = WholeBox(tmp_path / "nowhere", **NO_MODEL)
    status, output = errand(box, "backup", str(tmp_path))
    assert (status, "There is no box in" in output) == (1, True), output
    assert not box.folder.exists()


def test_a_box_that_is_stopped_is_backed_up_and_stays_stopped(used: Used, tmp_path: Path) -> None:
    used.box.stop()
    status, output = errand(used.box, "backup", "--exports", str(tmp_path))
    assert status == 0, output
    (path,) = tmp_path.glob("refdesk-*.tar")
    manifest = archive_open(path).manifest
    assert manifest["files"]["exports"] == 1
    assert manifest["tables"]["library_document"] >= 6 + FILES
    assert not (used.box.folder / "run" / "supervisor.json").exists()
    assert json.loads(archive_open(path).read("settings.json"))["REFDESK_MAIL_FROM"] == "desk@example.org"
