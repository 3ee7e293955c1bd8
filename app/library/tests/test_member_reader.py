"""Files inside a file, read from a confined child: bounded, one after the other, and none hides the others."""

import io
import os
import signal
import zipfile
from pathlib import Path

import psutil
import pytest

from app.library.parsers.blocks import ParseError
from app.library.parsers.limits import DEFAULT, Limits
from app.library.parsers.media import EML, ZIP
from app.library.pipeline import sandbox
from app.library.pipeline.member_reader import members_read
from app.library.tests.mails import archive_of, mail


def read(path: Path, media_type: str = ZIP, limits: Limits = DEFAULT) -> tuple[dict[str, bytes | str], int]:
    """Return the bytes or the error of each file, and how many were left out."""
    found: dict[str, bytes | str] = {}
    files = members_read(path, media_type, limits=limits)
    while True:
        try:
            member = next(files)
        except StopIteration as end:
            return found, end.value
        try:
            found[member.path] = member.stream.read()
        except ParseError as error:
            found[member.path] = error.code


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


def test_bytes_come_as_they_are(tmp_path: Path) -> None:
    large = os.urandom(3_000_000)
    message = mail("Offer", "See below.", ("large.bin", large), ("small.txt", b"hook 31"))
    assert read(written(tmp_path, message.as_bytes()), EML) == ({"large.bin": large, "small.txt": b"hook 31"}, 0)


def test_a_file_that_is_not_read_is_skipped(tmp_path: Path) -> None:
    path = written(tmp_path, archive_of({"a": os.urandom(2_000_000), "b": b"two"}))
    assert [member.path for member in members_read(path, ZIP)] == ["a", "b"]


def test_limits_leave_out_the_rest_and_say_how_many(tmp_path: Path) -> None:
    many = written(tmp_path, archive_of({f"{n}.txt": b"%d" % n for n in range(3000)}))
    found, left_out = read(many)
    assert (len(found), left_out) == (DEFAULT.members, 1000)
    heavy = written(tmp_path, archive_of({str(n): os.urandom(40) * 25_000 for n in range(4)}))
    found, left_out = read(heavy, limits=Limits(expanded_bytes=2_500_000, expanded_ratio=10_000))
    assert [value if isinstance(value, str) else len(value) for value in found.values()] == [
        1_000_000,
        1_000_000,
        "file_too_complex",
    ]
    assert left_out == 1


def test_damage_is_of_one_file(tmp_path: Path) -> None:
    data = bytearray(archive_of({"a.txt": b"one " * 100, "b.txt": b"two " * 100, "c.txt": b"three"}))
    at = data.find(b"b.txt") + 8
    data[at : at + 4] = b"\xff\xff\xff\xff"
    found, _ = read(written(tmp_path, bytes(data)))
    assert found == {"a.txt": b"one " * 100, "b.txt": "broken_file", "c.txt": b"three"}


def test_an_archive_may_say_that_a_dictionary_of_gigabytes_is_needed(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("a.txt", b"one " * 1000)
    data = bytearray(file.getvalue())
    # Version, length of the properties, then the properties: one byte and the size of the dictionary.
    at = data.find(b"a.txt") + 5 + 4 + 1
    data[at : at + 4] = (0xF0000000).to_bytes(4, "little")
    found, _ = read(written(tmp_path, bytes(data)))
    assert found["a.txt"] in ("parse_memory", "broken_file")


def test_a_child_that_is_killed_and_a_caller_that_stops_end_the_reading(tmp_path: Path) -> None:
    path = written(tmp_path, archive_of({str(n): os.urandom(1_000_000) for n in range(5)}))
    files = members_read(path, ZIP)
    next(files)
    server = sandbox.fork_server.process
    assert server is not None
    [child] = psutil.Process(server.pid).children()
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ParseError) as caught:
        list(files)
    assert caught.value.code == "parse_crashed"
    stopped = members_read(path, ZIP, should_stop=lambda: True)
    next(stopped)
    stopped.close()
    assert psutil.Process(server.pid).is_running()
