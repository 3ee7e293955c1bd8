import json
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
RELEASED = Path(__file__).with_name("released_first.sql")

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

# Tables of the first release that another app has taken over since.
RENAMED = {
    "sources_source": "library_source",
    "sources_document": "library_document",
    "sources_documentversion": "library_documentversion",
    "sources_versiontext": "library_versiontext",
    "ingest_chunk": "library_chunk",
    "ingest_embeddingcache": "library_embeddingcache",
}
# Its rows are jobs of the whole box now.
MOVED = "ingest_job"

# Work that the version before had open: a document that is read and one that is deleted, an export, an erasure.
OPEN_WORK = """
UPDATE ingest_job SET state = 'running', step = 'embed', attempt = 1, fence = 1,
  lease_until = now() + interval '1 hour', sent = now() WHERE id = (SELECT min(id::text)::uuid FROM ingest_job);
INSERT INTO ingest_job (id, kind, targets, state, attempt, deaths, fence, bytes, error_code, created, updated,
  organisation_id) SELECT gen_random_uuid(), 'delete', '{"versions": ["v"], "objects": ["o"]}', 'queued', 0, 0, 0,
  0, '', now(), now(), id FROM accounts_organisation WHERE slug = 'acme';
INSERT INTO privacy_export (id, state, percent, attempt, deaths, fence, error_code, created, updated, kind,
  conversations, storage_key, bytes, sha256, counts, expires, organisation_id)
  SELECT gen_random_uuid(), 'running', 40, 1, 0, 1, '', now(), now(), 'organisation', true, '', 0, '', '{}',
  now() + interval '7 days', id FROM accounts_organisation WHERE slug = 'acme';
INSERT INTO privacy_erasure (id, state, percent, attempt, deaths, fence, error_code, created, updated, kind, subject,
  asked_by_kind, targets, organisation_id) SELECT gen_random_uuid(), 'queued', 0, 0, 0, 0, '', now(), now(), 'person',
  gen_random_uuid(), 'person', '{}', id FROM accounts_organisation WHERE slug = 'acme';
"""


@contextmanager
def database(name: str) -> Iterator[str]:
    """Address of a database with nothing in it."""
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
    SELECT table_name::text, 'ROW(' || string_agg(quote_ident(column_name), ',') || ')'
    FROM information_schema.columns WHERE table_schema = 'public' GROUP BY 1
    """
    return dict(seen(address, statement))


@dataclass
class Upgraded:
    """A box of the first release after today's `migrate`, and what the columns that it had held before."""

    address: str
    columns: dict[str, str]
    before: Rows


@pytest.fixture(scope="module")
def upgraded(postgres: str) -> Iterator[Upgraded]:
    with database("released") as address:
        load = [POSTGRES.program("psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(RELEASED), address]
        subprocess.run(load, check=True, capture_output=True, env=POSTGRES.environment)
        columns = columns_read(address)
        before = rows_read(address, columns)
        migrate(address, "privacy", "0001_initial")
        with psycopg.connect(address, options="-c refdesk.scope=all", autocommit=True) as owner:
            owner.execute(OPEN_WORK)
        migrate(address)
        yield Upgraded(address, columns, before)


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True)


def test_an_upgrade_from_the_first_release_loses_no_row_and_no_value(upgraded: Upgraded) -> None:
    columns = {RENAMED.get(table, table): names for table, names in upgraded.columns.items() if table != MOVED}
    before = {RENAMED.get(table, table): rows for table, rows in upgraded.before.items() if table != MOVED}
    after = rows_read(upgraded.address, columns)
    unused = {"auth_group", "auth_group_permissions", "django_admin_log", "django_session"}
    assert {table for table, rows in before.items() if not rows} == unused
    assert {table: rows - after[table] for table, rows in before.items()} == {table: set() for table in before}
    grown = {table for table in before if len(after[table]) > len(before[table])}
    assert grown == {"auth_permission", "django_content_type", "django_migrations"}


def test_an_upgrade_goes_on_with_the_work_that_was_open(upgraded: Upgraded) -> None:
    statement = """
    SELECT j.kind, j.state, j.step, j.lane, o.slug, j.lease_until IS NULL AND j.sent IS NULL, j.payload::text
    FROM jobs_job j LEFT JOIN accounts_organisation o ON o.id = j.organisation_id
    """
    jobs = seen(upgraded.address, statement)
    [version] = {row[6] for row in jobs if row[0] == "ingest" and row[1] == "queued"}
    assert version in {row[6] for row in jobs}
    assert {row[:6] for row in jobs if row[1] != "done"} == {
        ("ingest", "queued", "embed", "cpu", "acme", True),
        ("document_delete", "queued", "", "cpu", "acme", True),
        ("export", "queued", "", "slow", "acme", True),
        # The box's own: it outlives the organisation that it may erase.
        ("erasure", "queued", "", "slow", None, True),
    }
    [deletion] = [row[6] for row in jobs if row[0] == "document_delete"]
    assert json.loads(deletion) == {"versions": ["v"], "objects": ["o"]}
    documents = seen(upgraded.address, "SELECT id::text FROM library_document")
    assert seen(upgraded.address, "SELECT subject FROM jobs_job WHERE kind = 'ingest'") == documents
    assert seen(upgraded.address, "SELECT unique_key FROM jobs_job WHERE kind = 'ingest'") == documents
    for kind in ("export", "erasure"):
        rows = seen(upgraded.address, f"SELECT id::text, state FROM privacy_{kind}")
        assert rows == seen(upgraded.address, f"SELECT subject, state FROM jobs_job WHERE kind = '{kind}'")


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
