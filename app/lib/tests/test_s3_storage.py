"""Faults that only a store behind a network has. The contract of both kinds is in test_storage.py."""

import hashlib
import io
import json
import logging
import os
import socket
import time
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from minio.commonconfig import ENABLED
from minio.credentials import StaticProvider
from minio.minioadmin import MinioAdmin
from minio.versioningconfig import VersioningConfig

from app.errors import RefdeskError
from app.lib.storage import ObjectMissing, Storage
from app.lib.storage.folder import FolderStorage
from app.lib.storage.s3 import PART_BYTES, S3Storage
from app.lib.storage.s3_client import Place
from app.lib.tests.minio import (
    BadNetwork,
    admin,
    needs_s3,
    new_place,
    said_unavailable,
    store_at,
)
from app.lib.tests.test_storage import LARGE, ORGANISATION, left_in, put

pytestmark = needs_s3


@pytest.fixture
def place() -> Iterator[Place]:
    with new_place() as made:
        yield made


@pytest.fixture
def store(place: Place, tmp_path: Path) -> S3Storage:
    return store_at(place, tmp_path)


def calls_of(store: Storage, key: str) -> dict[str, Callable[[], Any]]:
    """Return each thing that is asked of a store."""
    return {
        "stage": lambda: put(store, os.urandom(100)),
        "stage_large": lambda: put(store, os.urandom(LARGE)),
        "open": lambda: store.open(key),
        "local_path": lambda: store.local_path(key).__enter__(),
        "exists": lambda: store.exists(key),
        "delete": lambda: store.delete(key),
        "objects": lambda: list(store.objects()),
        "organisation_clear": lambda: store.organisation_clear(uuid4()),
        "check": lambda: store.check(),
    }


# A misconfigured or unavailable store


@pytest.mark.parametrize("call", calls_of(None, ""))  # type: ignore[arg-type]
def test_a_store_where_nothing_listens_is_unavailable(place: Place, tmp_path: Path, call: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    away = store_at(replace(place, url=f"http://127.0.0.1:{port}"), tmp_path)
    started = time.monotonic()
    with said_unavailable():
        calls_of(away, f"{ORGANISATION}/aa/{'a' * 64}")[call]()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("call", calls_of(None, ""))  # type: ignore[arg-type]
def test_wrong_keys_are_told_to_the_log_and_not_in_the_answer(
    place: Place, tmp_path: Path, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = store_at(replace(place, secret_key="not the secret of it"), tmp_path)
    with caplog.at_level(logging.ERROR), said_unavailable("SignatureDoesNotMatch"):
        calls_of(wrong, f"{ORGANISATION}/aa/{'a' * 64}")[call]()
    assert "REFDESK_S3_SECRET_KEY is wrong" in caplog.text
    assert "not the secret of it" not in caplog.text


def test_an_access_key_that_nobody_knows_is_named(place: Place, tmp_path: Path) -> None:
    with said_unavailable("InvalidAccessKeyId"):
        put(store_at(replace(place, access_key="nobody"), tmp_path), b"x")


def test_a_store_that_hangs_is_unavailable_in_time(place: Place, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_place = replace(place, url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        hanging = S3Storage(silent_place, prefix="objects", scratch=FolderStorage(tmp_path), answer_s=1)
        started = time.monotonic()
        with said_unavailable():
            hanging.exists(f"{ORGANISATION}/aa/{'a' * 64}")
    assert 1 < time.monotonic() - started < 5


# The bucket


def minio_admin(place: Place) -> MinioAdmin:
    parts = urlsplit(place.url)
    keys = StaticProvider(place.access_key, place.secret_key)
    return MinioAdmin(endpoint=parts.netloc, credentials=keys, secure=parts.scheme == "https")


def test_the_bucket_is_made_with_the_first_object(store: S3Storage, place: Place) -> None:
    assert not admin(place).bucket_exists(place.bucket)
    put(store, b"first")
    assert admin(place).bucket_exists(place.bucket)


def test_the_bucket_is_made_with_the_first_large_object(store: S3Storage, place: Place) -> None:
    key = put(store, os.urandom(LARGE))
    assert [one.key for one in store.objects()] == [key]


def test_a_new_store_is_empty_and_not_broken(store: S3Storage) -> None:
    assert list(store.objects()) == []
    assert store.purge_staging(older_than_s=0) == 0
    assert store.organisation_clear(ORGANISATION) == 0


def test_a_lost_bucket_is_not_taken_for_lost_files(store: S3Storage, place: Place) -> None:
    key = put(store, b"in it")
    store.delete(key)
    admin(place).remove_bucket(place.bucket)
    for ask in (store.open, store.exists):
        with said_unavailable("NoSuchBucket"):
            ask(key)
    # A process that has never seen the bucket reports the same.
    with said_unavailable("NoSuchBucket"):
        store_at(place, store.scratch.root.parent).exists(key)


@pytest.fixture
def narrow(place: Place) -> Iterator[Place]:
    """Yield a place whose key has only the permissions that docs/storage.md lists, in this bucket."""
    text = (Path(__file__).parents[3] / "docs" / "storage.md").read_text("utf-8")
    policy = json.loads(
        text.split("```json\n")[1].split("```")[0].replace("arn:aws:s3:::refdesk", f"arn:aws:s3:::{place.bucket}")
    )
    name, secret = f"narrow{uuid4().hex[:10]}", uuid4().hex
    server = minio_admin(place)
    server.user_add(name, secret)
    server.policy_add(name, policy=policy)
    server.policy_set(name, user=name)
    yield replace(place, access_key=name, secret_key=secret)
    server.user_remove(name)
    server.policy_remove(name)


def test_the_documented_rights_are_enough(narrow: Place, place: Place, tmp_path: Path) -> None:
    admin(place).make_bucket(place.bucket)
    store = store_at(narrow, tmp_path)
    for data in (b"small", os.urandom(LARGE)):
        key = put(store, data)
        with store.local_path(key) as path:
            assert path.read_bytes() == data
        assert [one.key for one in store.objects(organisation=ORGANISATION)] == [key]
        store.delete(key)
        assert not store.exists(key)
    assert store.organisation_clear(ORGANISATION) == 0
    store.check()


def test_a_bucket_that_may_not_be_made_is_said_plainly(
    narrow: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), said_unavailable():
        put(store_at(narrow, tmp_path), b"x")
    assert f"there is no bucket {narrow.bucket}, and it could not be made (AccessDenied)" in caplog.text


def test_where_versions_are_kept_deleting_leaves_none(store: S3Storage, place: Place) -> None:
    client = admin(place)
    client.make_bucket(place.bucket)
    client.set_bucket_versioning(place.bucket, VersioningConfig(ENABLED))

    def versions() -> int:
        return len(list(client.list_objects(place.bucket, recursive=True, include_version=True)))

    first = put(store, b"one")
    client.remove_object(place.bucket, store.name(first))
    put(store, b"one")
    assert versions() == 3
    store.delete(first)
    assert versions() == 0
    put(store, b"one")
    put(store, b"two")
    assert store.organisation_clear(ORGANISATION) == 2
    assert versions() == 0


# The network


@pytest.fixture
def network(place: Place) -> Iterator[BadNetwork]:
    made = BadNetwork(place.url)
    yield made
    made.close()


@pytest.mark.parametrize("size", [500_000, LARGE])
def test_an_upload_that_is_cut_off_leaves_nothing_visible(
    store: S3Storage, place: Place, network: BadNetwork, tmp_path: Path, size: int
) -> None:
    key = put(store, b"another object")
    network.limit_up = 300_000
    with said_unavailable():
        put(store_at(replace(place, url=network.url), tmp_path), os.urandom(size))
    assert network.cuts
    assert [one.key for one in store.objects()] == [key]
    assert left_in(tmp_path) == []


def test_a_download_that_is_cut_off_goes_on_where_it_was(
    store: S3Storage, place: Place, network: BadNetwork, tmp_path: Path
) -> None:
    data = os.urandom(2_000_000)
    key = put(store, data)
    network.limit_down = 600_000
    through = store_at(replace(place, url=network.url), tmp_path)
    with through.local_path(key) as path:
        assert path.read_bytes() == data
    assert network.cuts >= 3
    with through.open(key) as file:
        file.seek(1_500_000)
        assert file.read() == data[1_500_000:]


def test_a_damaged_object_is_not_handed_out(store: S3Storage, place: Place) -> None:
    key = put(store, b"as it was")
    admin(place).put_object(place.bucket, store.name(key), io.BytesIO(b"as it wos"), 9)
    with pytest.raises(ObjectMissing), store.local_path(key):
        pass
    # An object of the wrong size is replaced when the same bytes come again.
    admin(place).put_object(place.bucket, store.name(key), io.BytesIO(b"as"), 2)
    put(store, b"as it was")
    with store.local_path(key) as path:
        assert path.read_bytes() == b"as it was"


@pytest.mark.parametrize("size", [10, LARGE])
def test_the_bytes_are_there_before_the_transaction_and_again_if_they_went_meanwhile(
    store: S3Storage, size: int
) -> None:
    with store.stage(io.BytesIO(b"n" * size), organisation=ORGANISATION) as upload:
        assert [(one.key, one.bytes) for one in store.objects()] == [(upload.key, size)]
        store.delete(upload.key)
        upload.commit()
        upload.commit()
    with store.open(upload.key) as file:
        assert file.read() == b"n" * size


def test_an_upload_takes_one_part_of_memory_at_a_time(store: S3Storage) -> None:
    put(store, b"the client is loaded")
    tracemalloc.start()
    put(store, os.urandom(LARGE * 2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The bytes themselves, made here, and two parts: one being read and one being sent.
    assert peak < LARGE * 2 + 3 * PART_BYTES


def test_documents_and_exports_do_not_see_each_other(store: S3Storage, place: Place, tmp_path: Path) -> None:
    exports = store_at(place, tmp_path, prefix="exports")
    key = put(store, b"document")
    assert (exports.exists(key), list(exports.objects())) == (False, [])
    assert exports.organisation_clear(ORGANISATION) == 0
    assert store.exists(key)


def test_more_objects_than_one_page_of_a_listing(store: S3Storage, place: Place) -> None:
    client = admin(place)
    client.make_bucket(place.bucket)
    for number in range(1003):
        digest = hashlib.sha256(b"%d" % number).hexdigest()
        client.put_object(place.bucket, f"objects/{ORGANISATION}/{digest[:2]}/{digest}", io.BytesIO(b""), 0)
    client.put_object(place.bucket, "objects/not a key", io.BytesIO(b""), 0)
    assert len({one.key for one in store.objects()}) == 1003


# Addresses for browsers


def test_without_a_public_address_files_come_through_us(store: S3Storage) -> None:
    assert store.download_address(put(store, b"x"), disposition="attachment", media_type="text/plain") is None


def test_a_signed_address_gives_the_file_as_an_attachment_for_a_minute(place: Place, tmp_path: Path) -> None:
    # Browsers reach it by a name that differs from ours.
    public = replace(place, public_url=place.url.replace("127.0.0.1", "localhost"))
    store = store_at(public, tmp_path)
    key = put(store, b"the file")
    address = store.download_address(key, disposition='attachment; filename="a b.txt"', media_type="text/plain")
    assert address is not None
    assert address.startswith(public.public_url)
    assert "X-Amz-Expires=60&" in address
    assert place.secret_key not in address
    with urllib.request.urlopen(address) as response:
        assert response.read() == b"the file"
        assert response.headers["Content-Disposition"] == 'attachment; filename="a b.txt"'
        assert response.headers["Content-Type"] == "text/plain"
    for changed in (address.replace("attachment", "inline"), address.replace("X-Amz-Expires=60", "X-Amz-Expires=600")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(changed)
        assert refused.value.code == 403
    with pytest.raises(ObjectMissing):
        store.download_address(key.replace(key[-64:], "a" * 64), disposition="attachment", media_type="text/plain")


# A full store


def test_a_full_store_says_that_there_is_no_room(place: Place, tmp_path: Path) -> None:
    admin(place).make_bucket(place.bucket)
    minio_admin(place).bucket_quota_set(place.bucket, 1024 * 1024)
    with pytest.raises(RefdeskError) as raised:
        put(store_at(place, tmp_path), os.urandom(LARGE))
    assert (raised.value.code, raised.value.status) == ("disk_full", 507)
