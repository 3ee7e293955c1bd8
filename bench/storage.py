"""Cost of storing a file and reading it back: the folder, and the S3 store of REFDESK_TEST_S3_URL.

    python -m bench.storage [--mb 200]

Each store in a process of its own, whose peak memory is its own too. `ahead` is the time before a transaction, `commit`
the time inside it, `read` through a reader as a download does, `copy` as a local file for ingest. Prints a table.
"""

import argparse
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import uuid4

PIECE = 1024 * 1024


class Made(io.RawIOBase):
    """So many bytes that do not repeat, made as they are read."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._piece = bytearray(os.urandom(PIECE))

    def read(self, size: int = -1) -> bytes:
        wanted = min(size, self._left, PIECE)
        self._left -= wanted
        self._piece[:8] = self._left.to_bytes(8, "big")
        return bytes(self._piece[:wanted])


def store_make(kind: str, folder: Path) -> Any:
    from app.lib.storage.folder import FolderStorage

    if kind == "folder":
        return FolderStorage(folder)
    from app.lib.storage.s3 import S3Storage
    from app.lib.storage.s3_client import Place

    address, access, secret = (os.environ[f"REFDESK_TEST_S3_{name}"] for name in ("URL", "ACCESS_KEY", "SECRET_KEY"))
    return S3Storage(Place(address, "refdesk-bench", access, secret), prefix="objects", scratch=FolderStorage(folder))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(kind: str, size: int, folder: Path) -> dict[str, float]:
    organisation, found = uuid4(), {}
    store = store_make(kind, folder)
    before = peak_mb()
    began = time.perf_counter()
    with store.stage(cast(BinaryIO, Made(size)), organisation=organisation) as received:
        found["ahead_s"], began = time.perf_counter() - began, time.perf_counter()
        received.commit()
        found["commit_s"], began = time.perf_counter() - began, time.perf_counter()
    digest = hashlib.sha256()
    with store.open(received.key) as file:
        while piece := file.read(256 * 1024):
            digest.update(piece)
    assert digest.hexdigest() == received.sha256
    found["read_s"], began = time.perf_counter() - began, time.perf_counter()
    with store.local_path(received.key) as path:
        assert path.stat().st_size == size
    found["copy_s"] = time.perf_counter() - began
    found |= {"memory_before_mb": before, "memory_peak_mb": peak_mb(), "cpu_s": time.process_time()}
    store.organisation_clear(organisation)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Storing and reading one file.")
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--store", choices=["folder", "s3"], help=argparse.SUPPRESS)
    read = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refdesk-bench-") as folder:
        if read.store:
            print(json.dumps(measure(read.store, read.mb * 1024 * 1024, Path(folder) / "objects")))
            return
    kinds = ["folder", *(["s3"] if os.environ.get("REFDESK_TEST_S3_URL") else [])]
    if len(kinds) == 1:
        print("REFDESK_TEST_S3_URL is not set: the folder only")
    for kind in kinds:
        command = [sys.executable, "-m", "bench.storage", "--mb", str(read.mb), "--store", kind]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"{kind:8}", "  ".join(f"{name} {value:.2f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
