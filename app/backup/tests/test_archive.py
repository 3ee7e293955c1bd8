"""A backup's file, without a box: complete or refused, whichever byte is wrong."""

import hashlib
import io
import os
import resource
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.backup.archive.reading import DUMP, FORMAT, LISTS, NEEDED, SECRET_KEY, SETTINGS, Unusable, archive_open
from app.backup.archive.writing import BLOCK, MANIFEST, SEAL, ArchiveWriter, Unwritable, archive_written
from app.embedded.box import ROOT
from app.lib.version import project_version

ORGANISATION = "01a1ff8f-b320-71b5-a2b4-47860ac95c28"
FILES = [b"a letter", b"", b"x" * 700]


def key_of(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"{ORGANISATION}/{digest[:2]}/{digest}"


def facts(**changed: Any) -> dict[str, Any]:
    known = {"format": FORMAT, "version": project_version(), "migrations": {"accounts": ["0001_initial"]}}
    return {**known, "tables": {"accounts_user": 1}, "files": {"objects": len(FILES)}, **changed}


def fill(writer: ArchiveWriter, *, without: str = "", **changed: Any) -> None:
    listed = "".join(f"{key_of(data)}\t{len(data)}\n" for data in FILES)
    for data in FILES:
        if without != "file":
            writer.add_object(f"objects/{key_of(data)}", io.BytesIO(data), sha256=hashlib.sha256(data).hexdigest())
        without = without.replace("file", "")
    contents = {DUMP: b"D" * 1500, LISTS["objects"]: listed.encode(), LISTS["exports"]: b"", SETTINGS: b"{}"}
    for name, data in {**contents, SECRET_KEY: b"the key"}.items():
        if name != without:
            writer.add_bytes(name, data)
    writer.end(facts(**changed))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "whole.tar"
    with archive_written(path) as writer:
        fill(writer)
    return path


def test_a_whole_archive_gives_back_what_was_put_in(whole: Path) -> None:
    archive = archive_open(whole)
    assert archive.read(SECRET_KEY) == b"the key"
    assert {key: data.read() for key, data in archive.files("objects")} == {key_of(data): data for data in FILES}
    assert list(archive.listed("objects")) == [(key_of(data), len(data)) for data in FILES]
    assert archive.manifest["members"][DUMP]["bytes"] == 1500


def test_any_tar_reads_a_backup(whole: Path) -> None:
    names = subprocess.run(["tar", "--list", f"--file={whole}"], capture_output=True, text=True, check=True)
    assert names.stdout.split()[-7:] == [DUMP, *LISTS.values(), SETTINGS, SECRET_KEY, MANIFEST, SEAL]


def test_an_archive_is_readable_by_its_owner_alone(whole: Path) -> None:
    assert whole.stat().st_mode & 0o777 == 0o600


def test_an_archive_cut_short_anywhere_is_refused(whole: Path, tmp_path: Path) -> None:
    data, cut = whole.read_bytes(), tmp_path / "cut.tar"
    # A tar ends with two empty blocks; it is valid without them.
    for size in range(0, len(data) - 3 * BLOCK, 97):
        cut.write_bytes(data[:size])
        with pytest.raises(Unusable):
            archive_open(cut)


def test_a_flipped_bit_in_any_member_is_found(whole: Path, tmp_path: Path) -> None:
    data, flipped = whole.read_bytes(), tmp_path / "flipped.tar"
    with tarfile.open(whole) as tar:
        members = tar.getmembers()
    places = []
    for member in members:
        # Name, size and kind in the header, then first, middle and last byte.
        places += [member.offset, member.offset + 130, member.offset + 156]
        places += [member.offset_data + at for at in (0, member.size // 2, member.size - 1) if member.size]
    assert len(places) > 50
    for place in places:
        one = bytearray(data)
        one[place] ^= 4
        flipped.write_bytes(one)
        with pytest.raises(Unusable):
            archive_open(flipped)


@pytest.mark.parametrize("name", [*NEEDED, "file"])
def test_an_archive_that_lacks_something_is_refused(name: str, tmp_path: Path) -> None:
    with archive_written(tmp_path / "lacks.tar") as writer:
        fill(writer, without=name)
    with pytest.raises(Unusable, match="lacks"):
        archive_open(tmp_path / "lacks.tar")


def hostile(kind: bytes, name: str, target: str = "") -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        tar.addfile(member)

    return add


HOSTILE = {
    "a way out": hostile(tarfile.REGTYPE, "../../etc/cron.d/evil"),
    "an absolute name": hostile(tarfile.REGTYPE, "/etc/cron.d/evil"),
    "a way out of the files": hostile(tarfile.REGTYPE, f"objects/{ORGANISATION}/../../evil"),
    "a symbolic link": hostile(tarfile.SYMTYPE, SETTINGS, "/etc/passwd"),
    "a hard link": hostile(tarfile.LNKTYPE, SETTINGS, "/etc/passwd"),
    "a device": hostile(tarfile.CHRTYPE, SETTINGS),
    "a folder": hostile(tarfile.DIRTYPE, "objects"),
    "a second secret": hostile(tarfile.REGTYPE, SECRET_KEY),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_archive_that_holds_what_no_backup_does_is_refused(what: str, whole: Path) -> None:
    with tarfile.open(whole, "a") as tar:
        HOSTILE[what](tar)
    with pytest.raises(Unusable, match="which no backup of Refdesk does"):
        archive_open(whole)


@pytest.mark.parametrize("changed", [{"version": "99.0.0"}, {"version": "99.0.0", "format": FORMAT + 1}])
def test_an_archive_of_a_newer_version_is_refused_with_what_to_do(changed: dict[str, Any], tmp_path: Path) -> None:
    with archive_written(tmp_path / "newer.tar") as writer:
        fill(writer, **changed)
    with pytest.raises(Unusable, match=r"made by Refdesk 99\.0\.0.*Update Refdesk first"):
        archive_open(tmp_path / "newer.tar")


@pytest.mark.parametrize("data", [b"", b"not a tar", os.urandom(5000), bytes(10240)])
def test_any_other_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.tar").write_bytes(data)
    with pytest.raises(Unusable):
        archive_open(tmp_path / "other.tar")


def test_a_damaged_file_of_the_store_leaves_nothing_in_the_archive(tmp_path: Path) -> None:
    with archive_written(tmp_path / "some.tar") as writer:
        wrong = writer.add_object(f"objects/{key_of(b'right')}", io.BytesIO(b"wrong"), sha256="00")
        fill(writer)
    assert wrong is None
    assert len(list(archive_open(tmp_path / "some.tar").files("objects"))) == len(FILES)


def test_a_backup_replaces_no_file(whole: Path) -> None:
    before = whole.read_bytes()
    with pytest.raises(Unwritable, match="is there already"), archive_written(whole) as writer:
        fill(writer)
    assert whole.read_bytes() == before
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    def stop(put: Callable[[bytes], object]) -> None:
        put(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), archive_written(tmp_path / "half.tar") as writer:
        writer.add(DUMP, stop)
    assert list(tmp_path.iterdir()) == []


WRITES = """
import sys, time, pathlib
from app.backup.archive.writing import archive_written
with archive_written(pathlib.Path(sys.argv[1])) as writer:
    writer.add_bytes("database.dump", bytes(3_000_000))
    print("written", flush=True)
    time.sleep(60)
"""


def test_a_killed_backup_has_no_name_and_its_rest_goes_with_the_next_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITES, str(tmp_path / "killed.tar")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        with archive_written(tmp_path / "beside.tar") as writer:
            fill(writer)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["beside.tar", "killed.tar.part"]
        child.send_signal(signal.SIGKILL)
    with archive_written(tmp_path / "next.tar") as writer:
        fill(writer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside.tar", "next.tar"]


def test_a_disk_without_room_leaves_no_file(tmp_path: Path) -> None:
    limit = 1_000_000
    done = subprocess.run(
        [sys.executable, "-c", WRITES, str(tmp_path / "full.tar")],
        cwd=ROOT,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode != 0
    assert b"written" not in done.stdout
    assert list(tmp_path.iterdir()) == []
