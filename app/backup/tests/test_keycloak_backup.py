"""Keycloak's rows in a backup: dumped by its own login, and loaded into an empty database once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from app.backup.archive.reading import KEYCLOAK_ADMIN, OIDC_CLIENT, Archive, Unusable, archive_open
from app.backup.archive.writing import archive_written
from app.backup.keycloak_backup import (
    Keycloak,
    keycloak_check,
    keycloak_dump,
    keycloak_end,
    keycloak_find,
    keycloak_load,
)
from app.backup.pg_dump import ProgramFailed
from app.backup.restore import NotEmpty
from app.backup.tests.test_archive import fill
from tests.engines import POSTGRES

NAMES = ("keycloak_first", "keycloak_second")
PASSWORD = "Wq3-zeppelin"
REALM = """
CREATE TABLE realm (id text PRIMARY KEY, name text);
CREATE TABLE user_entity (id text PRIMARY KEY, realm_id text REFERENCES realm, email text);
INSERT INTO realm VALUES ('r', 'refdesk');
INSERT INTO user_entity VALUES ('1', 'r', 'vera@example.org'), ('2', 'r', 'Zoë@example.org');
"""


def address_of(name: str) -> str:
    parts = urlsplit(POSTGRES.url(name, role=name))
    return parts._replace(netloc=f"{name}:{PASSWORD}@{parts.netloc.rpartition('@')[2]}").geturl()


def place(folder: Path, name: str, *, client: str = "the client's secret") -> Keycloak:
    """Return a share as init deals it out, for a database of that name."""
    folder = folder / name
    folder.mkdir(exist_ok=True)
    url = address_of(name)
    for file, text in (("keycloak_database_url", url), ("keycloak_admin", "admin's"), ("oidc_client", client)):
        (folder / file).write_text(text + "\n")
    keycloak = keycloak_find(folder)
    assert keycloak is not None
    return keycloak


@pytest.fixture
def databases(postgres: str, tmp_path: Path) -> Iterator[list[Keycloak]]:
    """Make two databases, each with its own owner: the first with a realm and two people, the second empty."""
    with psycopg.connect(POSTGRES.url("postgres", role="postgres"), autocommit=True) as superuser:
        for name in NAMES:
            superuser.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
            superuser.execute(f"CREATE DATABASE {name} OWNER {name}")
        try:
            with psycopg.connect(address_of(NAMES[0])) as first:
                first.execute(REALM)
            yield [place(tmp_path, name) for name in NAMES]
        finally:
            for name in NAMES:
                superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
                superuser.execute(f"DROP ROLE {name}")


@pytest.fixture
def archive(databases: list[Keycloak], tmp_path: Path) -> Archive:
    with archive_written(tmp_path / "made.tar") as writer:
        fill(writer, **keycloak_dump(writer, databases[0]))
    return archive_open(tmp_path / "made.tar")


def people(name: str) -> list[Any]:
    with psycopg.connect(address_of(name)) as connection:
        return connection.execute("SELECT id, email FROM user_entity ORDER BY id").fetchall()


def test_people_come_again_with_the_secrets_that_fit(archive: Archive, databases: list[Keycloak]) -> None:
    assert archive.manifest["keycloak"]["tables"] == {"realm": 1, "user_entity": 2}
    assert archive.read(OIDC_CLIENT) == b"the client's secret"
    assert archive.read(KEYCLOAK_ADMIN) == b"admin's"
    assert keycloak_check(archive, databases[1]) is False
    assert keycloak_load(archive, databases[1]) == []
    assert people(NAMES[1]) == people(NAMES[0]) != []


def test_rows_that_another_restore_left_are_recognised_until_it_is_over(
    archive: Archive, databases: list[Keycloak]
) -> None:
    keycloak_load(archive, databases[1])
    assert keycloak_check(archive, databases[1]) is True
    keycloak_end(databases[1])
    with pytest.raises(NotEmpty):
        keycloak_check(archive, databases[1])


def test_a_keycloak_that_has_begun_is_not_overwritten(archive: Archive, databases: list[Keycloak]) -> None:
    with pytest.raises(NotEmpty):
        keycloak_check(archive, databases[0])
    with pytest.raises(ProgramFailed):
        keycloak_load(archive, databases[0])
    assert len(people(NAMES[0])) == 2


def test_a_table_with_other_rows_than_the_backup_says_is_named(archive: Archive, databases: list[Keycloak]) -> None:
    archive.manifest["keycloak"]["tables"]["user_entity"] = 3
    assert keycloak_load(archive, databases[1]) == ["Keycloak's user_entity: 3 rows in the backup, 2 here"]


def test_a_secret_that_does_not_fit_the_realm_is_refused(
    archive: Archive, databases: list[Keycloak], tmp_path: Path
) -> None:
    other = place(tmp_path, NAMES[1], client="a secret of .env")
    with pytest.raises(NotEmpty, match="REFDESK_OIDC_CLIENT_SECRET"):
        keycloak_check(archive, other)


def test_a_database_that_does_not_answer_is_said_without_its_password(
    databases: list[Keycloak], tmp_path: Path
) -> None:
    gone = Keycloak((f"{databases[0].place[0]} port=1", PASSWORD), "", "")
    with pytest.raises(ProgramFailed, match="does not answer") as said, archive_written(tmp_path / "b.tar") as writer:
        keycloak_dump(writer, gone)
    assert PASSWORD not in str(said.value)


def test_with_another_provider_there_is_nothing_of_keycloak_s(tmp_path: Path) -> None:
    for file in ("keycloak_database_url", "keycloak_admin", "oidc_client"):
        (tmp_path / file).write_text("\n")
    assert keycloak_find(tmp_path) is None
    with pytest.raises(ProgramFailed, match="scripts/up"):
        keycloak_find(tmp_path / "not dealt out")


@pytest.mark.parametrize("offset", [0, 600])
def test_a_damaged_member_of_keycloak_s_is_refused(archive: Archive, offset: int) -> None:
    with archive.opened("keycloak.dump") as (file, size):
        at = file.tell() + min(offset, size - 1)
    data = bytearray(archive.path.read_bytes())
    data[at] ^= 1
    archive.path.write_bytes(data)
    with pytest.raises(Unusable, match=r"keycloak\.dump in the archive is damaged"):
        archive_open(archive.path)
