import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from app.accounts.choices import Scope
from app.plans.services import SHIPPED
from tests.engines import POSTGRES

ROOT = Path(__file__).parents[2]
# Databases of earlier versions, and which of their tables hold no row.
RELEASED = {
    "released_first.sql": {"auth_group", "auth_group_permissions", "django_admin_log", "django_session"},
    "released_0_1_0.sql": {"auth_group", "auth_group_permissions", "django_admin_log"},
}

# Whatever `migrate` makes, a line each. The order of columns is left out, as PostgreSQL adds new ones at the end, and
# so are the casts of an index's condition, of which a dump that is loaded has more.
SCHEMA = r"""
SELECT format('column %s.%s %s %s %s %s', table_name, column_name, data_type, character_maximum_length, is_nullable,
  coalesce(column_default, identity_generation))
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index ' || regexp_replace(indexdef, '::(character varying|text)(\[\])?|[()]', '', 'g')
FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t
JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace
UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT format('policy %s %s %s', tablename, policyname, qual) FROM pg_policies WHERE schemaname = 'public'
UNION ALL SELECT format('table %s %s %s %s', relname, relrowsecurity, relforcerowsecurity, relacl)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')
"""

Rows = dict[str, set[tuple[Any, ...]]]

# Tables that another app has taken over since.
RENAMED = {
    "accounts_auditdetail": "audit_auditdetail",
    "accounts_auditentry": "audit_auditentry",
    "accounts_audithead": "audit_audithead",
    "accounts_plan": "plans_plan",
    "usage_usageentry": "plans_usageentry",
    "usage_usagetotal": "plans_usagetotal",
    "sources_source": "library_source",
    "sources_document": "library_document",
    "sources_documentversion": "library_documentversion",
    "sources_versiontext": "library_versiontext",
    "ingest_chunk": "library_chunk",
    "ingest_embeddingcache": "library_embeddingcache",
}
# Columns whose values have moved to another table, or all of a table's; a test of its own says where they are.
LEASE = {"attempt", "deaths", "lease_until", "fence", "not_before"}
MOVED = {"sources_document": {"bytes", "sha256"}, "privacy_export": LEASE, "privacy_erasure": LEASE}
TABLES_MOVED = {"ingest_job"}

# A document that a worker was reading when the version before was stopped.
AT_WORK = """
UPDATE ingest_job SET state = 'running', step = 'embed', attempt = 1, fence = 1, sent = now(),
  lease_until = now() + interval '1 hour' WHERE id = (SELECT min(id::text)::uuid FROM ingest_job WHERE kind = 'ingest')
"""


@contextmanager
def database(name: str) -> Iterator[str]:
    """Return address of a database with nothing in it."""
    with psycopg.connect(POSTGRES.url(), autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield POSTGRES.url(name)
        owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def migrate(address: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", *arguments, "--no-input", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "REFDESK_DATABASE_URL": address},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr


def seen(address: str, statement: str) -> set[tuple[Any, ...]]:
    with psycopg.connect(address, options="-c refdesk.scope=all") as owner:
        return set(owner.execute(statement.encode()))


def rows_read(address: str, columns: dict[str, str]) -> Rows:
    # As text: a JSON value cannot be in a set.
    return {table: seen(address, f"SELECT ({names})::text FROM {table}") for table, names in columns.items()}


def columns_read(address: str) -> dict[str, str]:
    statement = """
    SELECT table_name::text, array_agg(column_name::text ORDER BY column_name)
    FROM information_schema.columns WHERE table_schema = 'public' GROUP BY 1
    """
    with psycopg.connect(address) as owner:
        tables = owner.execute(statement.encode()).fetchall()
    kept = {
        table: [name for name in names if name not in MOVED.get(table, ())]
        for table, names in tables
        if table not in TABLES_MOVED
    }
    return {table: f"ROW({','.join(chr(34) + name + chr(34) for name in names)})" for table, names in kept.items()}


@dataclass
class Upgraded:
    """A box of an earlier version after today's `migrate`, and what the columns that it had held before."""

    release: str
    address: str
    columns: dict[str, str]
    before: Rows
    # Documents as (id, name, bytes, sha256, created).
    documents: set[tuple[Any, ...]]
    # Jobs as (id, kind, state, step, document, version).
    jobs: set[tuple[Any, ...]]


@pytest.fixture(scope="module", params=list(RELEASED))
def upgraded(postgres: str, request: pytest.FixtureRequest) -> Iterator[Upgraded]:
    path = Path(__file__).with_name(request.param)
    with database("released") as address:
        load = [POSTGRES.program("psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(path), address]
        subprocess.run(load, check=True, capture_output=True, env=POSTGRES.environment)
        columns = columns_read(address)
        before = rows_read(address, columns)
        documents = seen(address, "SELECT id, name, bytes, sha256, created FROM sources_document")
        with psycopg.connect(address, options="-c refdesk.scope=all", autocommit=True) as owner:
            owner.execute(AT_WORK)
        jobs = seen(address, "SELECT id, kind, state, step, document_id::text, version_id::text FROM ingest_job")
        migrate(address)
        yield Upgraded(request.param, address, columns, before, documents, jobs)


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True)


def test_an_upgrade_loses_no_row_and_no_value(upgraded: Upgraded) -> None:
    before = {RENAMED.get(table, table): rows for table, rows in upgraded.before.items()}
    after = rows_read(upgraded.address, {RENAMED.get(table, table): names for table, names in upgraded.columns.items()})
    assert {table for table, rows in before.items() if not rows} == RELEASED[upgraded.release]
    assert {table: rows - after[table] for table, rows in before.items()} == {table: set() for table in before}
    grown = {table for table in before if len(after[table]) > len(before[table])}
    assert grown == {"auth_permission", "django_content_type", "django_migrations"}


def test_an_upgrade_goes_on_with_the_document_that_was_read(upgraded: Upgraded) -> None:
    jobs = seen(
        upgraded.address,
        "SELECT id, kind, state, nullif(step, ''), nullif(subject, ''), payload->>'version' FROM jobs_job"
        " WHERE kind IN ('ingest', 'document_delete')",
    )
    kinds, states = {"ingest": "ingest", "delete": "document_delete"}, {"running": "queued"}
    assert jobs == {(row[0], kinds[row[1]], states.get(row[2], row[2]), *row[3:]) for row in upgraded.jobs}
    assert ("ingest", "queued", "embed") in {row[1:4] for row in jobs}
    held = "SELECT count(*) FROM jobs_job WHERE lease_until IS NOT NULL OR sent IS NOT NULL"
    assert seen(upgraded.address, held) == {(0,)}
    keys = "SELECT count(*) FROM jobs_job WHERE kind = 'ingest' AND unique_key IS DISTINCT FROM subject"
    assert seen(upgraded.address, keys) == {(0,)}


@pytest.mark.parametrize("upgraded", ["released_0_1_0.sql"], indirect=True)
@pytest.mark.parametrize(("kind", "organisation"), [("export", "organisation_id"), ("erasure", "NULL::uuid")])
def test_an_upgrade_goes_on_with_open_exports_and_erasures(upgraded: Upgraded, kind: str, organisation: str) -> None:
    # An erasure's job is the box's own: it outlives the organisation that it may erase.
    rows = seen(
        upgraded.address,
        f"SELECT id::text, id::text, {organisation} FROM privacy_{kind} WHERE state = 'queued'",
    )
    statement = "SELECT subject, unique_key, organisation_id FROM jobs_job WHERE state = 'queued' AND kind = "
    assert seen(upgraded.address, f"{statement}'{kind}'") == rows
    assert rows


def test_an_upgrade_gives_each_version_the_bytes_of_its_document(upgraded: Upgraded) -> None:
    moved = seen(
        upgraded.address,
        "SELECT d.id, d.name, v.bytes, v.sha256, v.fetched FROM library_document d"
        " JOIN library_documentversion v ON v.document_id = d.id",
    )
    assert moved == upgraded.documents
    assert len(moved) > 1


@pytest.mark.parametrize("upgraded", ["released_0_1_0.sql"], indirect=True)
def test_an_upgrade_knows_documents_by_their_name_and_keeps_those_of_one_name_apart(upgraded: Upgraded) -> None:
    documents = seen(upgraded.address, "SELECT id, source_id, name, external_id, created FROM library_document")
    others = {(name, external_id) for _, _, name, external_id, _ in documents if name != "handbook.md"}
    assert all(name == external_id for name, external_id in others)
    handbooks: dict[Any, list[str]] = {}
    for _, source, name, external_id, _ in sorted(documents, key=lambda row: row[-1]):
        if name == "handbook.md":
            handbooks.setdefault(source, []).append(external_id)
    # "handbook.md (2)" is the name of another document.
    assert list(handbooks.values()) == [["handbook.md", "handbook.md (3)", "handbook.md (4)"]] * 2


@pytest.mark.parametrize("upgraded", ["released_first.sql"], indirect=True)
def test_an_upgrade_from_the_first_release_fills_what_is_new(upgraded: Upgraded) -> None:
    address = upgraded.address
    assert seen(address, "SELECT name FROM plans_plan") == {(name,) for name in SHIPPED}
    organisations = seen(address, "SELECT slug, plan_id, suspended, retention_days FROM accounts_organisation")
    assert organisations == {("acme", "unlimited", None, None), ("other", "unlimited", None, None)}
    keys = seen(address, "SELECT id, family, scopes::text[]::text, plan_id, replaced_by_id FROM accounts_apikey")
    every_scope = "{" + ",".join(Scope.values) + "}"
    assert keys == {(key, key, every_scope, None, None) for (key,) in seen(address, "SELECT id FROM accounts_apikey")}
    assert len(keys) == 4
    assert seen(address, "SELECT DISTINCT being_read FROM chat_message") == {(0,)}
    assert seen(address, "SELECT DISTINCT by_rule FROM accounts_membership") == {(False,)}


@pytest.mark.django_db
def test_an_upgraded_box_has_the_tables_of_a_new_one(upgraded: Upgraded) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        new = set(cursor.fetchall())
    assert seen(upgraded.address, SCHEMA) == new
    kinds = {line.split()[0] for (line,) in new}
    assert kinds == {"column", "index", "constraint", "trigger", "function", "policy", "table"}


def test_djangos_tables_can_be_made_before_ours(postgres: str) -> None:
    with database("django_first") as address:
        migrate(address, "contenttypes")
        assert seen(address, "SELECT name FROM django_migrations WHERE app = 'accounts'") == set()
        migrate(address)
        assert seen(address, "SELECT name FROM plans_plan") == {(name,) for name in SHIPPED}
