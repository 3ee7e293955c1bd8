"""scripts/upgrade on a clone where a lock stands for the running Refdesk and a file for its data."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.box import ROOT

FAKES = {
    # Holds the box as the supervisor does; a tree with the file `broken` says how it does not work.
    "start": """
        mkdir -p "$REFDESK_DATA/run"; echo "start $(cat version)" >>"$SAID"
        [ "$(cat broken)" != start ] || { echo "no start"; exit 1; }
        echo "rows of $(cat version)" >"$REFDESK_DATA/rows"
        echo $$ >"$REFDESK_DATA/run/pid"
        exec 9>"$REFDESK_DATA/run/lock"; flock 9
        echo "Refdesk is ready at http://localhost"; exec sleep 120
    """,
    "stop": """
        echo stop >>"$SAID"; [ ! -e "$REFDESK_DATA/run/pid" ] || kill "$(cat "$REFDESK_DATA/run/pid")" 2>/dev/null
        rm -f "$REFDESK_DATA/run/pid"; sleep 0.2
    """,
    "backup": """
        echo "backup of $(cat "$REFDESK_DATA/rows")" >>"$SAID"
        [ ! -e "$FAIL_BACKUP" ] || exit 1
        cp "$REFDESK_DATA/rows" "$2"
    """,
    "restore": """
        echo "restore" >>"$SAID"; mkdir -p "$REFDESK_DATA/postgres"; cp "$2" "$REFDESK_DATA/rows"
    """,
}
PYTHON = """#!/bin/sh
case "$*" in
    *doctor*) [ ! -e "$FAIL_DOCTOR" ] || { echo "PROBLEM the disk is full"; exit 1; } ;;
    *check_answers*) echo "asked $(cat version)" >>"$SAID"; [ "$(cat broken)" != answer ] ;;
    *verify*) [ -s "$5" ] || [ -s "$4" ] ;;
esac
"""
NOBODY = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}


class Clone:
    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder / "clone", folder / "data"
        self.said = folder / "said"
        self.environment = {
            "PATH": "/usr/bin:/bin", "REFDESK_DATA": str(self.data), "SAID": str(self.said), **NOBODY,
            "FAIL_BACKUP": str(folder / "fail-backup"), "FAIL_DOCTOR": str(folder / "fail-doctor"),
        }  # fmt: skip
        shutil.copytree(ROOT / "scripts", self.folder / "scripts")
        for name, text in FAKES.items():
            (self.folder / "scripts" / name).write_text(f"#!/bin/sh\n{text}")
        with (self.folder / "scripts" / "lib" / "environment").open("a") as environment:
            environment.write("install_locked() { :; }\n")
        python = self.folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(PYTHON)
        python.chmod(0o755)
        (self.folder / ".gitignore").write_text(".venv\n")
        self.git("init", "--quiet", "--initial-branch=main")
        self.version("1", "")
        for name, broken in (("2", ""), ("3", "start"), ("4", "answer")):
            self.version(name, broken)
        self.git("checkout", "--quiet", "-B", "main", "v1")
        (self.data / "postgres").mkdir(parents=True)
        (self.data / "rows").write_text("rows of 1\n")

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def version(self, name: str, broken: str) -> None:
        if name != "1":
            self.git("checkout", "--quiet", "--detach", "v1")
        (self.folder / "version").write_text(name)
        (self.folder / "broken").write_text(broken)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", name)
        self.git("tag", f"v{name}")

    def call(self, *arguments: str) -> tuple[int, str]:
        # Not by a pipe: what it starts goes on and would hold it.
        with (self.folder.parent / "output").open("w+") as output:
            command = [self.folder / "scripts" / "upgrade", *arguments]
            done = subprocess.run(command, env=self.environment, stdout=output, stderr=output, timeout=50, check=False)
            output.seek(0)
            return done.returncode, output.read()

    def run(self) -> None:
        """Start the clone's Refdesk."""
        subprocess.Popen(["setsid", "scripts/start"], cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL)
        while not (self.data / "run" / "pid").exists():
            time.sleep(0.05)
        time.sleep(0.2)

    def end(self) -> None:
        for path in self.folder.parent.glob("data*/run/pid"):
            os.kill(int(path.read_text()), signal.SIGKILL)

    @property
    def state(self) -> tuple[str, str, bool]:
        """Return the checked-out version, the version of the data, and whether Refdesk runs."""
        runs = (self.data / "run" / "pid").exists()
        return (self.folder / "version").read_text(), (self.data / "rows").read_text().strip(), runs


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    made = Clone(tmp_path)
    yield made
    made.end()


def test_an_upgrade_ends_in_the_new_version_and_keeps_the_backup(clone: Clone) -> None:
    clone.run()
    status, output = clone.call("--to", "v2")
    assert status == 0, output
    assert clone.state == ("2", "rows of 2", True)
    [backup] = clone.folder.parent.glob("refdesk-before-upgrade-*.tar")
    assert backup.read_text() == "rows of 1\n"
    asked = clone.said.read_text().splitlines()
    assert asked == ["start 1", "stop", "backup of rows of 1", "start 2", "asked 2"]
    assert clone.call("--to", "v2")[0] == 0


def test_a_box_that_was_stopped_is_stopped_afterwards(clone: Clone) -> None:
    assert clone.call("--to", "v2")[0] == 0
    assert clone.state == ("2", "rows of 2", False)


@pytest.mark.parametrize("broken", ["v3", "v4"])
def test_a_version_that_does_not_work_is_left_again(clone: Clone, broken: str) -> None:
    clone.run()
    status, output = clone.call("--to", broken)
    assert (status, "Refdesk is of main again" in output) == (1, True), output
    assert clone.state == ("1", "rows of 1", True)
    assert clone.git("symbolic-ref", "--short", "HEAD") == "main"
    assert len(list(clone.folder.parent.glob("data.failed-*"))) == 1
    # Nothing is remembered of it.
    assert "cut short" not in clone.call("--to", "v2")[1]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--to", "nothing"], "no version nothing"),
        (["--back"], "No upgrade was cut short"),
        (["--to", "v1"], "already"),
    ],
)
def test_what_cannot_be_done_changes_nothing(clone: Clone, arguments: list[str], why: str) -> None:
    before = clone.state
    _, output = clone.call(*arguments)
    assert why in output
    assert (clone.state, clone.said.exists()) == (before, False)


def test_an_older_version_is_refused(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "-B", "main", "v2")
    status, output = clone.call("--to", "v1")
    assert (status, "is older" in output) == (1, True)


@pytest.mark.parametrize("problem", ["changed", "doctor", "no box"])
def test_a_clone_or_box_that_is_not_in_order_is_refused(clone: Clone, problem: str) -> None:
    if problem == "changed":
        (clone.folder / "version").write_text("mine")
    elif problem == "doctor":
        Path(clone.environment["FAIL_DOCTOR"]).touch()
    else:
        shutil.rmtree(clone.data / "postgres")
    status, output = clone.call("--to", "v2")
    assert (status, "Nothing was changed" in output) == (1, True), output
    assert not clone.said.exists()


def test_without_a_backup_the_old_version_goes_on(clone: Clone) -> None:
    clone.run()
    Path(clone.environment["FAIL_BACKUP"]).touch()
    status, output = clone.call("--to", "v2")
    assert (status, "There is no backup" in output) == (1, True)
    assert clone.state == ("1", "rows of 1", True)


@pytest.mark.parametrize("then", ["--back", "--continue"])
def test_an_upgrade_that_was_cut_short_says_so_and_goes_on(clone: Clone, then: str) -> None:
    text = (clone.folder / "scripts" / "lib" / "upgrade-embedded").read_text()
    (clone.folder / "scripts" / "lib" / "upgrade-embedded").write_text(
        text.replace("box_works() {", "box_works() { kill -9 $$;")
    )
    clone.git("commit", "--quiet", "--all", "--message", "killed when it looks")
    clone.git("checkout", "--quiet", "--detach")
    clone.git("cherry-pick", "v2")
    clone.git("tag", "--force", "v2")
    clone.git("checkout", "--quiet", "main")
    assert clone.call("--to", "v2")[0] == -signal.SIGKILL
    status, output = clone.call("--to", "v2")
    assert (status, "was cut short (at: new)" in output, "--back" in output) == (1, True, True)
    (clone.folder / "scripts" / "lib" / "upgrade-embedded").write_text(text)
    status, output = clone.call(then)
    expected = ("1", "rows of 1", False) if then == "--back" else ("2", "rows of 2", False)
    assert (status, clone.state) == (0, expected), output


def test_an_upgrade_that_was_cut_short_before_its_backup_begins_anew_and_starts_what_ran(clone: Clone) -> None:
    clone.run()
    text = (clone.folder / "scripts" / "lib" / "upgrade-embedded").read_text()
    (clone.folder / "scripts" / "lib" / "upgrade-embedded").write_text(
        text.replace("box_backup() {", "box_backup() { kill -9 $$;")
    )
    clone.git("commit", "--quiet", "--all", "--message", "killed at its backup")
    assert clone.call("--to", "v2")[0] == -signal.SIGKILL
    assert clone.state == ("1", "rows of 1", False)
    clone.git("reset", "--quiet", "--hard", "v1")
    status, output = clone.call("--to", "v2")
    assert (status, "begins anew" in output) == (0, True), output
    assert clone.state == ("2", "rows of 2", True)


def test_upgrade_says_how_it_is_used(clone: Clone) -> None:
    status, output = clone.call("--help")
    assert (status, output.startswith("Usage: scripts/upgrade")) == (0, True)
    assert clone.call("--what")[0] == 2
    assert clone.call("--to")[0] == 2
