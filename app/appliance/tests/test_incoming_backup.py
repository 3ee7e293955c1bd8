"""A backup for a new stack: its secrets go into an empty vault; any other vault stays unchanged."""

import io
import os
from pathlib import Path

import pytest

from app.appliance.incoming_backup import ARRIVED, backup_arrive
from app.appliance.secrets_files import APP, secrets_keys
from app.backup.archive.reading import KEYCLOAK_ADMIN, OIDC_CLIENT, SECRETS_KEYS, Unusable
from app.backup.archive.writing import archive_written
from app.backup.tests.test_archive import fill

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="init gives files to other users, which takes root")
SEEDED = {
    "secret_key": "the key",
    "secrets_keys": "one-key,another-key",
    "keycloak_admin": "admin's",
    "oidc_client": "the client's",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("REFDESK_")]:
        monkeypatch.delenv(name)
    (tmp_path / "vault").mkdir()
    (tmp_path / "volumes" / "scratch").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def backup(tmp_path: Path) -> bytes:
    path = tmp_path / "made.tar"
    with archive_written(path) as writer:
        writer.add_bytes(KEYCLOAK_ADMIN, SEEDED["keycloak_admin"].encode())
        writer.add_bytes(OIDC_CLIENT, SEEDED["oidc_client"].encode())
        writer.add_bytes(SECRETS_KEYS, SEEDED["secrets_keys"].encode())
        fill(writer, made="2026-11-21T19:00:00+00:00")
    return path.read_bytes()


def arrive(root: Path, data: bytes, *, size: int | None = None) -> str:
    return backup_arrive(root, io.BytesIO(data), len(data) if size is None else size)


def vault_of(root: Path) -> dict[str, str]:
    return {path.name: path.read_text().strip() for path in (root / "vault").iterdir()}


def test_an_empty_vault_gets_the_backup_s_secrets(root: Path, backup: bytes) -> None:
    assert "is whole" in arrive(root, backup)
    assert vault_of(root) == SEEDED
    kept = root / "volumes" / "scratch" / ARRIVED
    assert (kept.read_bytes(), kept.stat().st_uid, kept.stat().st_mode & 0o777) == (backup, APP, 0o600)
    # Repeated, as after an interrupted restore.
    arrive(root, backup)
    assert vault_of(root) == SEEDED


@pytest.mark.parametrize("name", list(SEEDED))
def test_a_vault_with_another_secret_is_another_box(root: Path, backup: bytes, name: str) -> None:
    (root / "vault" / name).write_text("another\n")
    with pytest.raises(Unusable, match="secrets of its own"):
        arrive(root, backup)
    assert vault_of(root) == {name: "another"}
    assert list((root / "volumes" / "scratch").iterdir()) == []


def test_a_secret_given_otherwise_is_refused(root: Path, backup: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFDESK_OIDC_CLIENT_SECRET", "T3q9ZrXw0Lk2VbNs")
    with pytest.raises(Unusable, match="secrets/oidc_client"):
        arrive(root, backup)
    assert vault_of(root) == {}


def test_keys_of_credentials_in_the_env_file_stand_beside_those_of_the_backup(
    root: Path, backup: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = "T3q9ZrXw0Lk2VbNsT3q9ZrXw0Lk2VbNs"
    monkeypatch.setenv("REFDESK_SECRETS_KEYS", given)
    arrive(root, backup)
    assert secrets_keys(vault_of(root)["secrets_keys"]) == f"{given},one-key,another-key"


def test_a_damaged_backup_changes_nothing(root: Path, backup: bytes) -> None:
    with pytest.raises(Unusable):
        arrive(root, backup[:-2000])
    assert vault_of(root) == {}
    assert list((root / "volumes" / "scratch").iterdir()) == []


def test_a_backup_larger_than_the_disk_is_refused_before_it_comes(root: Path, backup: bytes) -> None:
    with pytest.raises(Unusable, match="MB on the disk"):
        arrive(root, backup, size=10**15)
    assert list((root / "volumes" / "scratch").iterdir()) == []
