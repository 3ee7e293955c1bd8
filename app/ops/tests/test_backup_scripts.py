"""What scripts/backup and scripts/restore hand on: paths are meant from where the command was typed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from app.ops.engines.box import ROOT

SAYS = '#!/bin/sh\nfor each; do echo "$each"; done\necho "in $REFDESK_DATA"\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose Python says what it was called with, and whose packages are installed."""
    folder = tmp_path / "the clone"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    with (folder / "scripts" / "environment").open("a") as environment:
        environment.write("install_locked() { :; }\n")
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(SAYS)
    python.chmod(0o755)
    return folder


def script(clone: Path, name: str, *arguments: str, **environment: str) -> tuple[int, list[str]]:
    here = clone.parent / "here there"
    here.mkdir(exist_ok=True)
    done = subprocess.run(
        [clone / "scripts" / name, *arguments],
        cwd=here, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).replace(str(clone.parent), "…").splitlines()


ERRAND = ["-m", "app.ops.engines.errand"]


def test_a_backup_lies_where_it_was_asked_for(clone: Path) -> None:
    data = "in …/the clone/data"
    assert script(clone, "backup") == (0, [*ERRAND, "backup", "…/here there", data])
    named = script(clone, "backup", "--exports", "my box.tar")
    assert named == (0, [*ERRAND, "backup", "--exports", "…/here there/my box.tar", data])
    assert script(clone, "backup", "/mnt") == (0, [*ERRAND, "backup", "/mnt", data])


def test_a_restore_goes_where_it_was_asked_to(clone: Path) -> None:
    said = script(clone, "restore", "my box.tar", REFDESK_DATA="new box")
    assert said == (0, [*ERRAND, "restore", "…/here there/my box.tar", "in …/here there/new box"])


@pytest.mark.parametrize(
    "typed",
    [["backup", "--what"], ["backup", "a", "b"], ["restore"], ["restore", "--force", "a"], ["restore", "a", "b"]],
)
def test_what_they_do_not_know_they_refuse(clone: Path, typed: list[str]) -> None:
    status, said = script(clone, *typed)
    assert status == 2
    assert ERRAND[1] not in said


@pytest.mark.parametrize("name", ["backup", "restore", "doctor"])
def test_each_says_how_it_is_used(clone: Path, name: str) -> None:
    status, said = script(clone, name, "--help")
    assert status == 0
    assert said[0].startswith("Usage: ")
    assert any("Status" in line or "docs/backup.md" in line for line in said)
