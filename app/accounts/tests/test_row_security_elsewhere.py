"""A PostgreSQL server on which Refdesk's role does not exist yet."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.embedded.postgres import Postgres
from app.lib.tenancy import ROLE

ROOT = Path(__file__).parents[3]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "postgres")
    server.start()
    with psycopg.connect(server.url(role="postgres"), autocommit=True) as superuser:
        superuser.execute(f"DROP ROLE {ROLE}")
    yield server
    server.stop()


def migrate(address: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        # A few tables test the role as well as all would, in less time.
        [sys.executable, "manage.py", "migrate", "accounts", "--no-input", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "REFDESK_DATABASE_URL": address},
        capture_output=True,
        text=True,
        timeout=150,
    )


def test_a_superusers_login_makes_the_role_by_itself(elsewhere: Postgres) -> None:
    result = migrate(elsewhere.url(role="postgres"))
    assert result.returncode == 0, result.stderr
    with psycopg.connect(elsewhere.url(role="postgres"), options=f"-c role={ROLE}") as application:
        row = application.execute("SELECT count(*) FROM accounts_organisation").fetchone()
    assert row == (0,)


def test_another_login_is_told_what_to_do_before_anything_is_changed(elsewhere: Postgres) -> None:
    result = migrate(elsewhere.url())
    assert result.returncode != 0
    assert f"CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO refdesk;" in result.stderr
    with psycopg.connect(elsewhere.url(role="postgres"), autocommit=True) as superuser:
        tables = superuser.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert tables == (0,)
        superuser.execute(f"CREATE ROLE {ROLE} NOLOGIN")
        superuser.execute(f"GRANT {ROLE} TO refdesk")
    result = migrate(elsewhere.url())
    assert result.returncode == 0, result.stderr
