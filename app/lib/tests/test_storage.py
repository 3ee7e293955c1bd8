import errno
import hashlib
import io
import os
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from app.errors import RefdeskError
from app.lib.storage import FolderStorage, ObjectMissing, TooLarge, object_key

ORGANISATION = uuid4()


@pytest.fixture
def store(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "objects")


def put(store: FolderStorage, data: bytes) -> str:
    with store.receive(io.BytesIO(data), organisation=ORGANISATION) as received:
        received.keep()
        return received.key


def test_a_kept_stream_is_under_the_hash_of_its_bytes(store: FolderStorage) -> None:
    key = put(store, b"some bytes")
    digest = hashlib.sha256(b"some bytes").hexdigest()
    assert key == f"{ORGANISATION}/{digest[:2]}/{digest}" == object_key(ORGANISATION, digest)
    with store.open(key) as file, store.local_path(key) as path:
        assert file.read() == path.read_bytes() == b"some bytes"
    assert store.exists(key)


def test_what_is_not_kept_leaves_nothing(store: FolderStorage) -> None:
    with store.receive(io.BytesIO(b"never kept"), organisation=ORGANISATION) as received:
        assert received.bytes == 10
    assert list(store.objects()) == []
    assert list(store.incoming.iterdir()) == []


def test_the_same_bytes_twice_are_one_object(store: FolderStorage) -> None:
    assert put(store, b"twice") == put(store, b"twice")
    assert [one.bytes for one in store.objects()] == [5]


def test_a_damaged_object_is_replaced_when_its_bytes_come_again(store: FolderStorage) -> None:
    key = put(store, b"whole again")
    (store.root / key).write_bytes(b"who")
    put(store, b"whole again")
    assert (store.root / key).read_bytes() == b"whole again"


class Endless(io.RawIOBase):
    """A stream without an end that remembers how much was asked for at once."""

    largest = 0

    def read(self, size: int = -1) -> bytes:
        self.largest = max(self.largest, size)
        return b"x" * size


def test_a_stream_beyond_the_limit_is_refused_without_being_held_in_memory(store: FolderStorage) -> None:
    stream = Endless()
    with pytest.raises(TooLarge), store.receive(stream, organisation=ORGANISATION, limit=5_000_000):  # type: ignore[arg-type]
        pass
    assert 0 < stream.largest <= 1024 * 1024
    assert list(store.incoming.iterdir()) == []


def test_exactly_the_limit_is_taken(store: FolderStorage) -> None:
    with store.receive(io.BytesIO(b"x" * 100), organisation=ORGANISATION, limit=100) as received:
        assert received.bytes == 100
    with pytest.raises(TooLarge), store.receive(io.BytesIO(b"x" * 101), organisation=ORGANISATION, limit=100):
        pass


def test_an_upload_is_refused_before_the_disk_is_full(tmp_path: Path) -> None:
    store = FolderStorage(tmp_path, keep_free_bytes=10**18)
    with pytest.raises(RefdeskError) as raised, store.receive(io.BytesIO(b"x"), organisation=ORGANISATION):
        pass
    assert (raised.value.code, raised.value.status) == ("disk_full", 507)
    assert list(store.incoming.iterdir()) == []


def test_a_disk_that_is_really_full_says_so(store: FolderStorage) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    store.incoming.mkdir(parents=True)
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(RefdeskError) as raised:
        store._copy(io.BytesIO(b"x"), full, None)
    assert raised.value.code == "disk_full"
    assert raised.value.__cause__.errno == errno.ENOSPC  # type: ignore[union-attr]


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "", "incoming/x", "a/b/c", "x" * 3000])
def test_a_key_that_is_none_reaches_no_file(store: FolderStorage, key: str) -> None:
    with pytest.raises(ObjectMissing):
        store.open(key)
    with pytest.raises(ObjectMissing), store.local_path(key):
        pass
    with pytest.raises(ObjectMissing):
        store.delete(key)


def test_deleting_twice_does_no_harm(store: FolderStorage) -> None:
    key = put(store, b"gone")
    store.delete(key)
    store.delete(key)
    assert not store.exists(key)
    with pytest.raises(ObjectMissing):
        store.open(key)


def test_half_received_files_of_a_killed_process_are_cleared_when_they_are_old(store: FolderStorage) -> None:
    put(store, b"keeps its place")
    old, new = store.incoming / "old", store.incoming / "new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert store.incoming_clear(older_than_s=60) == 1
    assert [path.name for path in store.incoming.iterdir()] == ["new"]
    assert len(list(store.objects())) == 1


def test_thirty_two_streams_at_once_lose_nothing(store: FolderStorage) -> None:
    data = [os.urandom(200_000 + number) for number in range(32)]
    threads = [threading.Thread(target=put, args=(store, one)) for one in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.key for one in store.objects()} == {
        object_key(ORGANISATION, hashlib.sha256(one).hexdigest()) for one in data
    }
