"""Arguments of scripts/backup and scripts/restore: relative paths are resolved from the caller's folder."""

import fcntl
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from app.embedded.box import ROOT

SAYS = '#!/bin/sh\nfor each; do echo "$each"; done\necho "in $REFDESK_DATA"\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with installed packages, whose Python prints its arguments."""
    folder = tmp_path / "the clone"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    with (folder / "scripts" / "lib" / "environment").open("a") as environment:
        environment.write("install_locked() { :; }\n")
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(SAYS)
    python.chmod(0o755)
    return folder


DOCKER = """#!/bin/sh
# One stack, of which $STACK says what is there: nothing, stopped, running.
case "$*" in
    "compose version --short") echo 2.40.3 ;;
    info*) ;;
    "compose config") echo "name: desk" ;;
    "volume ls"*) [ "$STACK" = nothing ] || echo desk_secrets ;;
    "compose ps --all --quiet"*) [ "$STACK" = nothing ] || echo 95a2c22e ;;
    "compose ps --quiet web" | "compose ps --services") [ "$STACK" != running ] || echo web ;;
    *" tools backup"*) echo "asked: $*" >&2; cat "$SENT"; exit "${BACKUP_STATUS:-0}" ;;
    *" init python"*) echo "asked: $*"; cat >"$ARRIVED" ;;
    *) echo "asked: $*" ;;
esac
"""


@pytest.fixture
def stack(clone: Path) -> dict[str, str]:
    """The environment of a computer with Docker and a running stack; its backup is a tar with a seal."""
    programs = clone.parent / "programs"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    (clone / "scripts" / "up").write_text("#!/bin/sh\necho up\n")
    sent = clone.parent / "sent.tar"
    with tarfile.open(sent, "w") as tar:
        for name in ("database.dump", "manifest.sha256"):
            tar.addfile(tarfile.TarInfo(name))
    path = f"{programs}:/usr/bin:/bin"
    return {"PATH": path, "STACK": "running", "SENT": str(sent), "ARRIVED": str(clone.parent / "arrived.tar")}


def script(clone: Path, name: str, *arguments: str, **environment: str) -> tuple[int, list[str]]:
    here = clone.parent / "here there"
    here.mkdir(exist_ok=True)
    done = subprocess.run(
        [clone / "scripts" / name, *arguments],
        cwd=here, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).replace(str(clone.parent), "…").splitlines()


ERRAND = ["-m", "app.embedded.run_command"]


def test_a_backup_lies_where_it_was_asked_for(clone: Path) -> None:
    data = "in …/the clone/data"
    assert script(clone, "backup") == (0, [*ERRAND, "backup", "…/here there", data])
    named = script(clone, "backup", "--exports", "my box.tar")
    assert named == (0, [*ERRAND, "backup", "--exports", "…/here there/my box.tar", data])
    assert script(clone, "backup", "/mnt") == (0, [*ERRAND, "backup", "/mnt", data])


def test_a_restore_goes_where_it_was_asked_to(clone: Path) -> None:
    output = script(clone, "restore", "my box.tar", REFDESK_DATA="new box")
    assert output == (0, [*ERRAND, "restore", "…/here there/my box.tar", "in …/here there/new box"])


@pytest.mark.parametrize(
    "typed",
    [["backup", "--what"], ["backup", "a", "b"], ["restore"], ["restore", "--force", "a"], ["restore", "a", "b"]],
)
def test_what_they_do_not_know_they_refuse(clone: Path, typed: list[str]) -> None:
    status, output = script(clone, *typed)
    assert status == 2
    assert ERRAND[1] not in output


@pytest.mark.parametrize("name", ["backup", "restore", "doctor"])
def test_each_says_how_it_is_used(clone: Path, name: str) -> None:
    status, output = script(clone, name, "--help")
    assert status == 0
    assert output[0].startswith("Usage: ")
    assert any("Status" in line or "docs/backup.md" in line for line in output)


@pytest.mark.parametrize(
    ("state", "arguments", "more", "meant"),
    [
        ("running", [], {}, "stack"),
        ("stopped", [], {}, "stack"),
        ("nothing", [], {}, "embedded"),
        ("running", ["--embedded"], {}, "embedded"),
        ("running", [], {"REFDESK_DATA": "box"}, "embedded"),
        ("running", ["--stack"], {"REFDESK_DATA": "box"}, "stack"),
    ],
)
def test_it_is_plain_which_box_is_meant(
    clone: Path, stack: dict[str, str], state: str, arguments: list[str], more: dict[str, str], meant: str
) -> None:
    status, output = script(clone, "backup", *arguments, **{**stack, "STACK": state, **more})
    assert status == 0
    assert (ERRAND[1] in output, "Backing up the stack of docker-compose.yml (desk) …" in output) == (
        meant == "embedded",
        meant == "stack",
    )


def test_the_stack_s_backup_becomes_a_file_of_its_owner_alone(clone: Path, stack: dict[str, str]) -> None:
    status, output = script(clone, "backup", "--exports", "my box.tar", **stack)
    made = clone.parent / "here there" / "my box.tar"
    assert status == 0
    assert "…/here there/my box.tar" in output
    assert any(line.endswith("--no-deps tools backup --exports") for line in output)
    assert made.read_bytes() == Path(stack["SENT"]).read_bytes()
    assert made.stat().st_mode & 0o777 == 0o600
    status, output = script(clone, "backup", "my box.tar", **stack)
    assert (status, "replaces no file" in output[-1]) == (1, True)
    assert [path.name for path in made.parent.iterdir()] == [made.name]


def test_a_backup_with_lost_files_is_there_and_says_so(clone: Path, stack: dict[str, str]) -> None:
    status, _ = script(clone, "backup", "b.tar", **stack, BACKUP_STATUS="3")
    assert (status, (clone.parent / "here there" / "b.tar").exists()) == (3, True)


@pytest.mark.parametrize("broken", ["failed", "short"])
def test_half_a_backup_of_the_stack_gets_no_name(clone: Path, stack: dict[str, str], broken: str) -> None:
    sent = Path(stack["SENT"])
    if broken == "short":
        sent.write_bytes(sent.read_bytes()[:600])
    status, output = script(clone, "backup", "b.tar", **stack, BACKUP_STATUS="1" if broken == "failed" else "0")
    assert (status, output[-1].startswith("There is no backup")) == (1, True)
    assert list((clone.parent / "here there").iterdir()) == []


def test_what_a_killed_backup_left_goes_with_the_next(clone: Path, stack: dict[str, str]) -> None:
    here = clone.parent / "here there"
    here.mkdir()
    (here / "old.tar.part").write_text("half")
    (here / "taken.tar.part").write_text("half of another that is at work")
    with (here / "taken.tar.part").open() as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)
        status, _ = script(clone, "backup", "b.tar", **stack)
    assert status == 0
    assert sorted(path.name for path in here.iterdir()) == ["b.tar", "taken.tar.part"]


def test_a_stack_s_backup_goes_into_a_stack(clone: Path, stack: dict[str, str]) -> None:
    backup = clone.parent / "b.tar"
    backup.write_bytes(b"x" * 9000 + b'{"box": "appliance"}' + bytes(1024))
    status, output = script(clone, "restore", str(backup), **{**stack, "STACK": "nothing"})
    assert (status, output[0]) == (0, "Restoring into the stack of docker-compose.yml …")
    assert any(line.endswith(f"arrive --bytes {backup.stat().st_size}") for line in output)
    assert Path(stack["ARRIVED"]).read_bytes() == backup.read_bytes()
    assert (output[-2].endswith("tools restore"), output[-1]) == (True, "up")
    status, output = script(clone, "restore", str(backup), **{**stack, "STACK": "nothing"}, REFDESK_DATA="box")
    assert (status, ERRAND[1] in output) == (0, True)


def test_a_stack_that_was_started_is_not_restored_into(clone: Path, stack: dict[str, str]) -> None:
    backup = clone.parent / "b.tar"
    backup.write_bytes(b"x")
    status, output = script(clone, "restore", "--stack", str(backup), **{**stack, "STACK": "stopped"})
    assert (status, "Nothing was changed." in output[-1]) == (1, True)
    assert not Path(stack["ARRIVED"]).exists()
