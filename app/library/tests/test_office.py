"""Old Office files: with a scripted program in LibreOffice's place, and with LibreOffice where it is installed."""

import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import pytest

from app.library.parsers import parse
from app.library.parsers.blocks import ParseError, full_text
from app.library.parsers.detect import detect_media_type
from app.library.parsers.media import DOC, DOCX
from app.library.pipeline import office
from app.library.tests.stores import stores_empty, upload, wait_jobs
from app.library.tests.workers import worker

OLD = Path(__file__).parent / "office" / "simple.doc"
LAUNCHER = Path(office.__file__).with_name("office_child.py")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder that is not below one that the confined program may read."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def program(folder: Path, script: str) -> Path:
    """Make a program in LibreOffice's place; return the folder to find it in. `$out` is where its result belongs."""
    path = folder / "program" / "soffice.bin"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nhere="$(dirname "$0")"\nout="$TMPDIR/out"\n{script}\n')
    path.chmod(0o755)
    (path.parent / "soffice").symlink_to(path)
    return path.parent


def made(folder: Path) -> str:
    """Return a script that leaves a document as its result."""
    document = docx.Document()
    document.add_paragraph("From the old file")
    document.save(str(folder / "made.docx"))
    return 'mkdir "$out" && cp "$here/../made.docx" "$out/document.docx"'


def refused(**options: Any) -> ParseError:
    with pytest.raises(ParseError) as caught, office.converted(OLD, DOC, **options):
        pass
    return caught.value


def test_an_old_file_asks_for_libreoffice_and_fails_in_one_line_without_it(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert detect_media_type(OLD, OLD.name) == DOC
    with pytest.raises(ParseError) as caught:
        parse(OLD, DOC)
    assert office.media_type_of(caught.value) == DOC
    assert refused().code == "office_not_installed"
    assert office.media_type_of(ParseError("broken_file")) is None


def test_an_old_file_with_a_password_says_so(tmp_path: Path) -> None:
    data = bytearray(OLD.read_bytes())
    data[data.index(b"\xec\xa5\x01\x01") + 11] |= 1
    locked = tmp_path / "locked.doc"
    locked.write_bytes(data)
    with pytest.raises(ParseError) as caught:
        parse(locked, DOC)
    assert caught.value.code == "encrypted_file"


def test_the_result_is_read_and_the_folder_removed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    # The first start makes the profile and ends with a number that asks for another one.
    script = f'[ -e "$TMPDIR/begun" ] || {{ touch "$TMPDIR/begun"; exit 81; }}\n{made(folder)}'
    monkeypatch.setenv("PATH", f"{program(folder, script)}:{os.environ['PATH']}")
    with office.converted(OLD, DOC) as path:
        assert full_text(parse(path, DOCX).blocks) == "From the old file"
    assert not path.parent.parent.exists()


def test_failures_of_the_program_have_a_reason(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    path = os.environ["PATH"]
    cases = (
        ("exit 1", "broken_file"),
        ("exit 0", "broken_file"),
        ("exit 81", "broken_file"),
        ("kill -9 $$", "parse_memory"),
        ("kill -XCPU $$", "parse_timeout"),
    )
    for number, (script, code) in enumerate(cases):
        own = folder / str(number)
        own.mkdir()
        monkeypatch.setenv("PATH", f"{program(own, script)}:{path}")
        assert refused().code == code, script


def test_a_program_that_hangs_is_ended_with_all_that_it_started(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    # The second process has the folder's name among its arguments, to be found by it.
    script = "sh -c 'sleep 600; true' \"$here\" & sleep 600"
    monkeypatch.setenv("PATH", f"{program(folder, script)}:{os.environ['PATH']}")
    begun = time.monotonic()
    assert refused(should_stop=lambda: time.monotonic() > begun + 0.2).code == "cancelled"
    monkeypatch.setattr(office, "WALL_S", 0.2)
    assert refused().code == "parse_timeout"
    assert time.monotonic() - begun < 5
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in running


def test_the_confined_program_reaches_neither_network_nor_our_files(folder: Path, tmp_path: Path) -> None:
    own = folder / "own"
    own.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    accepted: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(3)
        thread = threading.Thread(target=lambda: accepted.append(server.accept()), daemon=True)
        thread.start()
        port = server.getsockname()[1]
        script = (
            f"cat {secret} >{own}/a; cat /proc/{os.getpid()}/environ >{own}/b; : >{tmp_path}/written; : >{own}/inside; "
            f"(: >/dev/tcp/127.0.0.1/{port}) && : >{own}/connected; env >{own}/env"
        )
        command = [sys.executable, "-I", str(LAUNCHER), str(own), "/bin/bash", "-c", script]
        subprocess.run(command, env={"LANG": "C"}, stderr=subprocess.DEVNULL, check=True)
        assert not (own / "connected").exists()
        with socket.create_connection(("127.0.0.1", port)):
            thread.join(3)
    assert len(accepted) == 1
    assert (own / "inside").exists()
    assert "REFDESK" not in (own / "env").read_text()
    if _has_landlock():
        assert (own / "a").read_bytes() + (own / "b").read_bytes() == b""
        assert not (tmp_path / "written").exists()


def _has_landlock() -> bool:
    """Ask the kernel for the version of its Landlock."""
    return bool(ctypes.CDLL(None).syscall(444, None, 0, 1) > 0)


@pytest.mark.skipif(office.office_program() is None, reason="LibreOffice is not installed")
def test_libreoffice_converts_a_real_file() -> None:
    with office.converted(OLD, DOC) as path:
        text = full_text(parse(path, DOCX).blocks)
    assert "These are a few of my favorite things:" in text
    assert "DOYLESTOWN, PA 18901" in text


@pytest.mark.django_db(transaction=True)
def test_an_old_file_becomes_ready_as_what_it_is(alice: Any, qdrant: str, embedder: str, folder: Path) -> None:
    stores_empty()
    path = f"{program(folder, made(folder))}:{os.environ['PATH']}"
    with worker(folder / "worker.log", PATH=path):
        document = upload(alice.organisation, "old.doc", OLD.read_bytes()).id
        wait_jobs()
    shown = alice.client.get(f"/api/v1/documents/{document}").json()
    assert (shown["state"], shown["media_type"], shown["error"]) == ("ready", DOC, None)
    text = alice.client.get(f"/api/v1/documents/{document}/text").json()
    assert [block["text"] for block in text["blocks"]] == ["From the old file"]
