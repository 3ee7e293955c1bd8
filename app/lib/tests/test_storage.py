import ast
import errno
import hashlib
import io
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from app.errors import RefdeskError
from app.lib.storage import ObjectMissing, Storage, TooLarge, object_key, staging
from app.lib.storage.folder import FolderStorage
from app.lib.storage.staging import StagedFile
from app.lib.tests.minio import needs_s3, new_place, store_at

ORGANISATION = uuid4()
# Larger than a part of an upload to S3.
LARGE = 20 * 1024 * 1024 + 7


@pytest.fixture(params=["folder", pytest.param("s3", marks=needs_s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """Yield a store of each kind: a test with this fixture runs for both."""
    if request.param == "folder":
        yield FolderStorage(tmp_path / "objects")
        return
    with new_place() as place:
        yield store_at(place, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "objects")


def put(store: Storage, data: bytes, organisation: UUID = ORGANISATION) -> str:
    with store.stage(io.BytesIO(data), organisation=organisation) as upload:
        upload.commit()
        return upload.key


def test_a_kept_stream_is_under_the_hash_of_its_bytes(store: Storage) -> None:
    key = put(store, b"some bytes")
    digest = hashlib.sha256(b"some bytes").hexdigest()
    assert key == f"{ORGANISATION}/{digest[:2]}/{digest}" == object_key(ORGANISATION, digest)
    with store.open(key) as file, store.local_path(key) as path:
        assert file.read() == path.read_bytes() == b"some bytes"
    assert store.exists(key)


def left_in(tmp_path: Path) -> list[Path]:
    """Return files that handling an object left on the local disk."""
    return [path for path in (tmp_path / "objects" / "incoming").rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [10, LARGE])
def test_what_is_not_committed_leaves_nothing_in_a_folder(folder: FolderStorage, tmp_path: Path, size: int) -> None:
    with folder.stage(io.BytesIO(b"n" * size), organisation=ORGANISATION) as upload:
        assert upload.bytes == size
        assert list(folder.objects()) == []
    assert list(folder.objects()) == []
    assert not folder.exists(upload.key)
    assert folder.purge_staging(older_than_s=-1) == 0
    assert left_in(tmp_path) == []


def test_a_staged_file_of_the_same_disk_is_renamed_and_not_copied(folder: FolderStorage) -> None:
    staged = StagedFile(folder.staging)
    staged.write(b"n" * LARGE)
    inode = staged.to_disk().stat().st_ino
    with folder.stage(staged, organisation=ORGANISATION) as upload:
        upload.commit()
    assert (folder.root / upload.key).stat().st_ino == inode
    assert list(folder.staging.iterdir()) == []


def test_a_staged_file_beyond_the_limit_is_refused_and_gone(folder: FolderStorage) -> None:
    staged = StagedFile(folder.staging, limit=100_000)
    staged.write(b"n" * 99_999)
    with pytest.raises(TooLarge):
        staged.write(b"nn")
    assert list(folder.staging.iterdir()) == []
    with pytest.raises(TooLarge), folder.stage(staged, organisation=ORGANISATION):
        pass


def test_a_staged_file_that_nobody_closes_goes_with_its_last_reference(folder: FolderStorage) -> None:
    staged = StagedFile(folder.staging)
    staged.write(b"n" * 100_000)
    assert len(list(folder.staging.iterdir())) == 1
    del staged
    assert list(folder.staging.iterdir()) == []


@pytest.mark.parametrize("size", [10, LARGE])
def test_an_upload_that_breaks_off_leaves_nothing(store: Storage, tmp_path: Path, size: int) -> None:
    class BreaksOff(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if not (data := super().read(size)):
                raise ConnectionResetError
            return data

    with pytest.raises(ConnectionResetError), store.stage(BreaksOff(b"n" * size), organisation=ORGANISATION):
        pass
    assert list(store.objects()) == []
    assert store.purge_staging(older_than_s=-1) == 0
    assert left_in(tmp_path) == []


def test_an_upload_whose_row_fails_leaves_nothing_on_this_disk(store: Storage, tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        store.stage(io.BytesIO(b"n" * LARGE), organisation=ORGANISATION) as upload,
    ):
        assert upload.bytes / 0
    assert store.purge_staging(older_than_s=-1) == 0
    assert left_in(tmp_path) == []


def test_a_large_object_comes_back_byte_for_byte(store: Storage, tmp_path: Path) -> None:
    data = os.urandom(LARGE)
    key = put(store, data)
    assert [(one.key, one.bytes) for one in store.objects()] == [(key, LARGE)]
    with store.open(key) as file:
        assert hashlib.sha256(b"".join(iter(lambda: file.read(300_001), b""))).hexdigest() == key[-64:]
    with store.local_path(key) as path:
        assert path.read_bytes() == data
    assert not [path for path in left_in(tmp_path) if key not in str(path)]


def test_an_object_can_be_read_from_its_middle(store: Storage) -> None:
    key = put(store, bytes(range(256)) * 4)
    with store.open(key) as file:
        file.seek(1000)
        assert (file.read(5), file.tell()) == (b"\xe8\xe9\xea\xeb\xec", 1005)
        file.seek(0)
        assert file.read(3) == b"\x00\x01\x02"
        file.seek(-2, io.SEEK_END)
        assert file.read() == b"\xfe\xff"


def test_an_empty_object_is_an_object(store: Storage) -> None:
    key = put(store, b"")
    with store.open(key) as file, store.local_path(key) as path:
        assert file.read() == path.read_bytes() == b""
    assert [one.bytes for one in store.objects()] == [0]


def test_objects_are_listed_with_their_age(store: Storage) -> None:
    keys = {put(store, b"%d" % number) for number in range(30)}
    found = list(store.objects())
    assert {one.key for one in found} == keys
    assert all(abs(time.time() - one.modified) < 60 for one in found)


def test_only_the_objects_of_the_organisation_that_is_gone_are_cleared(store: Storage) -> None:
    other = uuid4()
    put(store, b"one")
    put(store, b"two")
    kept = put(store, b"one", other)
    assert {one.key for one in store.objects(organisation=other)} == {kept}
    assert store.organisation_clear(ORGANISATION) == 2
    assert [one.key for one in store.objects()] == [kept]
    assert store.organisation_clear(ORGANISATION) == 0


def test_a_store_that_works_passes_its_check(store: Storage) -> None:
    put(store, b"there")
    store.check()


def test_the_same_bytes_twice_are_one_object(store: Storage) -> None:
    assert put(store, b"twice") == put(store, b"twice")
    assert [one.bytes for one in store.objects()] == [5]


def test_a_damaged_object_is_replaced_when_its_bytes_come_again(folder: FolderStorage) -> None:
    key = put(folder, b"whole again")
    (folder.root / key).write_bytes(b"who")
    put(folder, b"whole again")
    assert (folder.root / key).read_bytes() == b"whole again"


class Endless(io.RawIOBase):
    """A stream without an end that records the largest read."""

    largest = 0

    def read(self, size: int = -1) -> bytes:
        self.largest = max(self.largest, size)
        return b"x" * size


def test_a_stream_beyond_the_limit_is_refused_without_being_held_in_memory(store: Storage, tmp_path: Path) -> None:
    stream = Endless()
    with pytest.raises(TooLarge), store.stage(stream, organisation=ORGANISATION, limit=5_000_000):  # type: ignore[arg-type]
        pass
    assert 0 < stream.largest <= 1024 * 1024
    assert left_in(tmp_path) == []


def test_exactly_the_limit_is_taken(store: Storage) -> None:
    with store.stage(io.BytesIO(b"x" * 100), organisation=ORGANISATION, limit=100) as upload:
        assert upload.bytes == 100
    with pytest.raises(TooLarge), store.stage(io.BytesIO(b"x" * 101), organisation=ORGANISATION, limit=100):
        pass


def test_an_upload_is_refused_before_the_disk_is_full(tmp_path: Path) -> None:
    store = FolderStorage(tmp_path, keep_free_bytes=10**18)
    with pytest.raises(RefdeskError) as raised, store.stage(io.BytesIO(b"x"), organisation=ORGANISATION):
        pass
    assert (raised.value.code, raised.value.status) == ("disk_full", 507)
    assert list(store.staging.iterdir()) == []


def test_a_disk_that_is_really_full_says_so(
    folder: FolderStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    monkeypatch.setattr(staging.tempfile, "mkstemp", lambda dir: (os.open(link, os.O_RDWR), str(link)))
    with pytest.raises(RefdeskError) as raised:
        put(folder, b"x")
    assert raised.value.code == "disk_full"
    assert raised.value.__cause__.errno == errno.ENOSPC  # type: ignore[union-attr]


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "", "incoming/x", "a/b/c", "x" * 3000])
def test_a_key_that_is_none_reaches_no_file(store: Storage, key: str) -> None:
    with pytest.raises(ObjectMissing):
        store.open(key)
    with pytest.raises(ObjectMissing), store.local_path(key):
        pass
    with pytest.raises(ObjectMissing):
        store.delete(key)
    with pytest.raises(ObjectMissing):
        store.exists(key)


def test_deleting_twice_does_no_harm(store: Storage) -> None:
    key = put(store, b"gone")
    store.delete(key)
    store.delete(key)
    assert not store.exists(key)
    with pytest.raises(ObjectMissing):
        store.open(key)
    with pytest.raises(ObjectMissing), store.local_path(key):
        pass


def test_half_written_files_of_a_killed_process_are_purged_when_they_are_old(folder: FolderStorage) -> None:
    put(folder, b"keeps its place")
    old, new = folder.staging / "old", folder.staging / "new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert folder.purge_staging(older_than_s=60) == 1
    assert [path.name for path in folder.staging.iterdir()] == ["new"]
    assert len(list(folder.objects())) == 1


def test_thirty_two_streams_at_once_lose_nothing(store: Storage) -> None:
    data = [os.urandom(200_000 + number) for number in range(32)]
    threads = [threading.Thread(target=put, args=(store, one)) for one in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.key for one in store.objects()} == {
        object_key(ORGANISATION, hashlib.sha256(one).hexdigest()) for one in data
    }


def test_only_public_calls_of_the_s3_client_are_used() -> None:
    # The client's private calls may change with any version.
    private = []
    for name in ("s3.py", "s3_client.py"):
        for node in ast.walk(ast.parse((Path(staging.__file__).parent / name).read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr) and ast.unparse(node.value) != "self":
                private.append(f"{name} line {node.lineno}: {ast.unparse(node)}")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
                private += [f"{name} line {node.lineno}" for arg in node.args if ast.unparse(arg).startswith("'_")]
    assert private == []
