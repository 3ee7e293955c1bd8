"""Real S3 stores for tests: the one of REFDESK_TEST_S3_URL, a test's own that it may kill, and a bad network."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from minio import Minio

from app.errors import Upstream
from app.lib.storage.folder import FolderStorage
from app.lib.storage.s3 import S3Storage
from app.lib.storage.s3_client import Place
from tests.servers import server_url

URL = server_url("S3")
ACCESS_KEY = os.environ.get("REFDESK_TEST_S3_ACCESS_KEY", "")
SECRET_KEY = os.environ.get("REFDESK_TEST_S3_SECRET_KEY", "")
needs_s3 = pytest.mark.server("S3")

CACHE = Path(os.environ.get("SERVICES_CACHE") or Path.home() / ".cache" / "services")
PROGRAM = CACHE / "bin" / "minio" if (CACHE / "bin" / "minio").exists() else shutil.which("minio")
needs_minio = pytest.mark.skipif(PROGRAM is None, reason="no MinIO program to start, kill and start again")


def admin(place: Place) -> Minio:
    parts = urlsplit(place.url)
    return Minio(parts.netloc, place.access_key, place.secret_key, secure=parts.scheme == "https")


def store_at(place: Place, folder: Path, prefix: str = "objects") -> S3Storage:
    return S3Storage(place, prefix=prefix, scratch=FolderStorage(folder / "objects"))


@contextmanager
def new_place(url: str = URL, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> Iterator[Place]:
    """Return a bucket's name that nothing has used, and no bucket of it afterwards."""
    place = Place(url, f"refdesk-test-{uuid4().hex[:16]}", access_key, secret_key)
    yield place
    bucket_remove(place)


def bucket_remove(place: Place) -> None:
    client = admin(place)
    if not client.bucket_exists(place.bucket):
        return
    for one in client.list_objects(place.bucket, recursive=True, include_version=True):
        client.remove_object(place.bucket, str(one.object_name), version_id=one.version_id)
    client.remove_bucket(place.bucket)


def settings_use(settings: object, place: Place) -> None:
    """Make the place the deployment's store."""
    for name in ("url", "bucket", "access_key", "secret_key", "public_url"):
        setattr(settings, f"S3_{name.upper()}", getattr(place, name))


class OwnMinio:
    """A MinIO server for one test, with its own folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.url = f"http://127.0.0.1:{port}"
        self.place = Place(self.url, "refdesk", "owner-of-it", "a secret of its own")
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        keys = {"MINIO_ROOT_USER": self.place.access_key, "MINIO_ROOT_PASSWORD": self.place.secret_key}
        command = [str(PROGRAM), "server", str(self.folder), "--quiet", "--address", f"127.0.0.1:{self.port}"]
        self._child = subprocess.Popen(
            [*command, "--console-address", "127.0.0.1:0"],
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"], "MINIO_BROWSER": "off", **keys},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, urllib.error.URLError):
                if urllib.request.urlopen(f"{self.url}/minio/health/ready", timeout=2).status == 200:
                    return
            time.sleep(0.1)
        raise AssertionError("MinIO did not start")

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


class BadNetwork:
    """A proxy between a client and a store that cuts each connection after a number of bytes in one direction.

    `limit_up`, `limit_down`: bytes that a connection may carry to the store, or back; None: unlimited.
    """

    def __init__(self, url: str) -> None:
        self.limit_up: int | None = None
        self.limit_down: int | None = None
        self.cuts = 0
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                for pair, limit in (((near, far), self.limit_up), ((far, near), self.limit_down)):
                    threading.Thread(target=self._carry, args=(*pair, limit), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, limit: int | None) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if limit is not None and carried + len(data) > limit:
                    target.sendall(data[: limit - carried])
                    self.cuts += 1
                    break
                target.sendall(data)
                carried += len(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def said_unavailable(reason: str | None = None) -> Iterator[None]:
    with pytest.raises(Upstream) as raised:
        yield
    assert (raised.value.code, raised.value.status, raised.value.retryable) == ("storage_unavailable", 503, True)
    if reason is not None:
        assert raised.value.details["reason"] == reason
