"""Files in a real MinIO that is killed during use."""

import hashlib
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.lib.storage import object_key
from app.lib.tests.minio import OwnMinio, needs_minio, said_unavailable, store_at
from app.lib.tests.test_storage import LARGE, ORGANISATION, put

pytestmark = needs_minio


@pytest.fixture
def own(tmp_path: Path, unused_tcp_port: int) -> Iterator[OwnMinio]:
    minio = OwnMinio(tmp_path / "minio", unused_tcp_port)
    minio.start()
    yield minio
    minio.kill()


class Slow(io.BytesIO):
    """A stream that calls `then` once its last byte has been read."""

    def __init__(self, data: bytes, then: Callable[[], None]) -> None:
        super().__init__(data)
        self._then: Callable[[], None] | None = then

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data and self._then:
            then, self._then = self._then, None
            then()
        return data


def test_a_store_killed_during_an_upload_loses_nothing_and_takes_it_afterwards(own: OwnMinio, tmp_path: Path) -> None:
    store = store_at(own.place, tmp_path)
    kept, data = put(store, b"kept before"), os.urandom(LARGE)
    threading.Timer(0.15, own.kill).start()
    with said_unavailable(), store.stage(Slow(data, lambda: None), organisation=ORGANISATION) as upload:
        own.kill()
        upload.commit()
    own.start()
    # The upload is stored in whole or not at all.
    whole = {(kept, len(b"kept before")), (object_key(ORGANISATION, hashlib.sha256(data).hexdigest()), LARGE)}
    assert (kept, len(b"kept before")) in {(one.key, one.bytes) for one in store.objects()} <= whole
    key = put(store, data)
    with store.local_path(key) as path, store.local_path(kept) as other:
        assert (path.read_bytes() == data, other.read_bytes()) == (True, b"kept before")


def test_a_store_killed_before_the_upload_is_sent_says_so(own: OwnMinio, tmp_path: Path) -> None:
    store = store_at(own.place, tmp_path)
    with said_unavailable(), store.stage(Slow(os.urandom(LARGE), own.kill), organisation=ORGANISATION):
        pass
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


def test_a_store_that_restarts_during_a_download_is_waited_for(own: OwnMinio, tmp_path: Path) -> None:
    store, data = store_at(own.place, tmp_path), os.urandom(LARGE)
    key = put(store, data)
    with store.open(key) as file:
        head = file.read(100_000)
        own.kill()
        threading.Timer(0.2, own.start).start()
        assert head + b"".join(iter(lambda: file.read(1_000_000), b"")) == data


def test_a_store_that_stays_away_ends_a_download(own: OwnMinio, tmp_path: Path) -> None:
    store = store_at(own.place, tmp_path)
    key = put(store, os.urandom(LARGE))
    with store.open(key) as file:
        file.read(100_000)
        own.kill()
        started = time.monotonic()
        with said_unavailable():
            while file.read(1_000_000):
                pass
        assert time.monotonic() - started < 30
