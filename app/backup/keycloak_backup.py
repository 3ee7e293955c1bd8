"""Keycloak in a backup of the appliance: its rows, and the two secrets that belong to them.

Keycloak keeps people, groups and clients in its own database beside ours, with its own login. It is dumped after our
snapshot: a person added in between is in it, and nobody whom our rows name is missing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg.sql

from app.backup.archive.reading import KEYCLOAK_ADMIN, KEYCLOAK_DUMP, OIDC_CLIENT, Archive
from app.backup.archive.writing import ArchiveWriter
from app.backup.create import table_counts
from app.backup.pg_dump import (
    Address,
    ProgramFailed,
    address_connect,
    database_dump,
    database_load,
    snapshot_taken,
    url_address,
)
from app.backup.restore import MARK, NotEmpty


@dataclass(frozen=True, slots=True)
class Keycloak:
    """A Keycloak: the address of its rows, the first admin's password, and Refdesk's client secret."""

    place: Address
    admin: str
    client: str


def keycloak_find(folder: Path) -> Keycloak | None:
    """Read the share for backups that init wrote (app/appliance/secrets_files.py); None with another provider.

    Raises ProgramFailed.
    """
    try:
        url, admin, client = (
            (folder / name).read_text().strip() for name in ("keycloak_database_url", "keycloak_admin", "oidc_client")
        )
    except OSError as error:
        raise ProgramFailed("Keycloak's login was not dealt out yet. Run scripts/up once.") from error
    return Keycloak(url_address(url), admin, client) if url else None


def keycloak_dump(writer: ArchiveWriter, keycloak: Keycloak) -> dict[str, Any]:
    """Write the rows of Keycloak into the archive. Raises ProgramFailed."""
    with snapshot_taken(keycloak.place) as (connection, snapshot):
        tables = table_counts(connection)
        writer.add(KEYCLOAK_DUMP, lambda put: database_dump(put, snapshot=snapshot, place=keycloak.place))
    writer.add_bytes(KEYCLOAK_ADMIN, keycloak.admin.encode())
    writer.add_bytes(OIDC_CLIENT, keycloak.client.encode())
    return {"keycloak": {"tables": tables}}


def keycloak_check(archive: Archive, keycloak: Keycloak) -> bool:
    """Check that Keycloak is empty before anything is changed. Return whether this backup's rows are there already.

    They are when a restore was cut short. Raises NotEmpty.
    """
    if archive.read(OIDC_CLIENT).decode() != keycloak.client:
        raise NotEmpty(
            "Refdesk has another secret at Keycloak here than in the backup, and nobody could sign in. Leave "
            "REFDESK_OIDC_CLIENT_SECRET out of .env, or give it the value that the backup's box had."
        )
    with address_connect(keycloak.place) as connection:
        found = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        if found and found[0] == MARK + archive.sha256:
            return True
        if connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public' LIMIT 1").fetchone():
            raise NotEmpty("Keycloak has begun to work in this box already. A restore goes into an empty box only.")
    return False


def keycloak_load(archive: Archive, keycloak: Keycloak) -> list[str]:
    """Load all rows of Keycloak in one transaction; return the tables whose counts differ from the backup's.

    Raises ProgramFailed.
    """
    with archive.opened(KEYCLOAK_DUMP) as (file, _):
        mark = _comment(keycloak, MARK + archive.sha256)
        database_load(file, before="SELECT 1", after=mark, place=keycloak.place)
    said: dict[str, int] = archive.manifest["keycloak"]["tables"]
    with address_connect(keycloak.place) as connection:
        found = table_counts(connection)
    return [
        f"Keycloak's {name}: {said.get(name, 0)} rows in the backup, {found.get(name, 0)} here"
        for name in sorted({*said, *found})
        if found.get(name, 0) != said.get(name, 0)
    ]


def keycloak_end(keycloak: Keycloak) -> None:
    """Mark the restore of Keycloak as finished."""
    statement = _comment(keycloak, None)
    with address_connect(keycloak.place) as connection:
        connection.execute(statement)


def _comment(keycloak: Keycloak, text: str | None) -> str:
    with address_connect(keycloak.place) as connection:
        return (
            psycopg.sql.SQL("COMMENT ON DATABASE {} IS {}")
            .format(psycopg.sql.Identifier(connection.info.dbname), psycopg.sql.Literal(text))
            .as_string(connection)
        )
