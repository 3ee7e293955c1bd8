"""Read a backup's file: every byte is compared with its digest before use.

Without Django: a restore reads the file before it has anything to connect to.
"""

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import orjson

from app.backup.archive.writing import MANIFEST, READ_BYTES, SEAL
from app.lib.version import project_version, version_key

FORMAT = 1
DUMP, SETTINGS, SECRET_KEY = "database.dump", "settings.json", "secrets/secret_key"
# Missing in backups of versions that stored no credentials yet.
SECRETS_KEYS = "secrets/secrets_keys"
# Members of the appliance only, where Keycloak signs people in.
KEYCLOAK_DUMP, KEYCLOAK_ADMIN, OIDC_CLIENT = "keycloak.dump", "secrets/keycloak_admin", "secrets/oidc_client"
OPTIONAL = (SECRETS_KEYS, KEYCLOAK_DUMP, KEYCLOAK_ADMIN, OIDC_CLIENT)
# Lists of the files that belong to the backup, a line each: key, tab, bytes. Files that no list names are not restored.
LISTS = {"objects": "objects.list", "exports": "exports.list"}
NEEDED = (DUMP, SETTINGS, SECRET_KEY, *LISTS.values())
STORED = re.compile(r"(objects|exports)/([0-9a-f-]{36}/([0-9a-f]{2})/(\3[0-9a-f]{62}))")
# Limit of members that are read whole; a manifest names a few hundred migrations and tables.
LARGEST_TEXT = 16 * 1024 * 1024

Progress = Callable[[int, int], None]


class Unusable(Exception):
    """Raised for an archive that cannot be restored; the text explains it to a person."""


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    offset: int
    bytes: int


class Archive:
    """A complete backup with its `manifest`."""

    def __init__(self, path: Path, manifest: dict[str, Any], members: dict[str, Member]) -> None:
        self.path, self.manifest, self._members = path, manifest, members

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the manifest, which holds all other digests and so identifies this backup."""
        return str(self.manifest["seal"])

    def holds(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        """Read a small member."""
        member = self._members[name]
        if member.bytes > LARGEST_TEXT:
            raise Unusable(f"{name} in {self.path.name} is far too large.")
        with self.path.open("rb") as file:
            file.seek(member.offset)
            return file.read(member.bytes)

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[BinaryIO, int]]:
        """Open a member: yield a file at its first byte, and its size."""
        member = self._members[name]
        with self.path.open("rb") as file:
            file.seek(member.offset)
            yield file, member.bytes

    def listed(self, kind: str) -> Iterator[tuple[str, int]]:
        """Yield keys and bytes of the files of a kind (`objects`, `exports`)."""
        with self.opened(LISTS[kind]) as (file, size):
            while size > 0:
                line = file.readline(4096)
                size -= len(line)
                key, _, number = line.decode().rstrip("\n").partition("\t")
                yield key, int(number)

    def files(self, kind: str) -> Iterator[tuple[str, IO[bytes]]]:
        """Yield key and bytes of each stored file in the archive, those that no list names too."""
        with tarfile.open(self.path, "r:") as tar:
            for member in _members(tar):
                found = STORED.fullmatch(member.name)
                if found and found[1] == kind and (data := tar.extractfile(member)) is not None:
                    yield found[2], data


def archive_open(path: Path, progress: Progress = lambda done, total: None) -> Archive:
    """Open a backup: read all of it once and compare every digest. Raises Unusable."""
    try:
        total = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            members, digests, stored = _read_all(tar, lambda done: progress(done, total))
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tarfile.TarError, ValueError) as error:
        raise Unusable(f"{path.name} is not a backup of Refdesk, or its beginning is damaged.") from error
    if SEAL not in members or MANIFEST not in members:
        raise Unusable(f"{path.name} is damaged: it ends after {sum(m.bytes for m in members.values())} bytes of what "
                       "it held, or something in it cannot be read. Take another backup.")  # fmt: skip
    archive = Archive(path, {}, members)
    archive.manifest = _manifest(archive, digests)
    _version_check(archive)
    _members_check(archive, digests)
    for kind in LISTS:
        _files_check(archive, kind, stored)
    return archive


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := tar.next()) is not None:
        # TarFile would keep an entry for every member it has seen.
        tar.members = []  # type: ignore[attr-defined]
        yield member


def _read_all(
    tar: tarfile.TarFile, progress: Callable[[int], None]
) -> tuple[dict[str, Member], dict[str, str], dict[bytes, int]]:
    """Return members that are no stored files, with their digests; sizes of the stored files by a short hash of their
    name.

    Raises Unusable.
    """
    members: dict[str, Member] = {}
    digests: dict[str, str] = {}
    stored: dict[bytes, int] = {}
    for member in _members(tar):
        found = STORED.fullmatch(member.name)
        if not member.isreg() or not (found or member.name in (*NEEDED, *OPTIONAL, MANIFEST, SEAL)):
            raise Unusable(f"The archive holds {member.name!r}, which no backup of Refdesk does.")
        digest = _digest(tar, member, progress)
        if found:
            if digest != found[4]:
                raise Unusable(f"{member.name} in the archive is damaged. Take another backup.")
            stored[_short(found[1], found[2])] = member.size
        elif member.name in members:
            raise Unusable(f"The archive holds {member.name} twice, which no backup of Refdesk does.")
        else:
            members[member.name] = Member(member.name, member.offset_data, member.size)
            digests[member.name] = digest
    return members, digests, stored


def _digest(tar: tarfile.TarFile, member: tarfile.TarInfo, progress: Callable[[int], None]) -> str:
    """Compute the SHA-256 of a member. Raises Unusable."""
    data = tar.extractfile(member)
    assert data is not None
    digest, size = hashlib.sha256(), 0
    try:
        while block := data.read(READ_BYTES):
            digest.update(block)
            size += len(block)
            progress(member.offset_data + size)
    except tarfile.ReadError:
        size = -1
    if size != member.size:
        raise Unusable(f"The archive is cut short in {member.name}. Take another backup.")
    return digest.hexdigest()


def _short(kind: str, key: str) -> bytes:
    return hashlib.blake2b(f"{kind}/{key}".encode(), digest_size=16).digest()


def _manifest(archive: Archive, digests: dict[str, str]) -> dict[str, Any]:
    if archive.read(SEAL).decode(errors="replace").strip() != digests[MANIFEST]:
        raise Unusable("The archive's list of contents is damaged. Take another backup.")
    try:
        manifest = orjson.loads(archive.read(MANIFEST))
        known = int(manifest["format"]) == FORMAT and bool(manifest["migrations"] and manifest["members"])
        version = str(manifest["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unusable("The archive's list of contents cannot be understood.") from error
    if not known and version_key(version) <= version_key(project_version()):
        raise Unusable("The archive's list of contents cannot be understood.")
    return {**manifest, "seal": digests[MANIFEST]}


def _version_check(archive: Archive) -> None:
    theirs, ours = str(archive.manifest["version"]), project_version()
    if version_key(theirs) > version_key(ours):
        raise Unusable(
            f"This backup was made by Refdesk {theirs}, and this is {ours}, which cannot read it. Update Refdesk first."
        )


def _members_check(archive: Archive, digests: dict[str, str]) -> None:
    said: dict[str, dict[str, Any]] = archive.manifest["members"]
    for name in sorted({*NEEDED, *said, *digests} - {MANIFEST, SEAL}):
        if name not in digests or name not in said:
            raise Unusable(f"The archive lacks {name}. Take another backup.")
        if digests[name] != said[name]["sha256"]:
            raise Unusable(f"{name} in the archive is damaged. Take another backup.")


def _files_check(archive: Archive, kind: str, stored: dict[bytes, int]) -> None:
    for key, size in archive.listed(kind):
        if stored.get(_short(kind, key)) != size:
            raise Unusable(f"The archive lacks the file {kind}/{key}. Take another backup.")
