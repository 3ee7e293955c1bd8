"""The database's tenant wall: row-level security on every table with an organisation (design §4).

The application acts as the role `refdesk_app`, which owns nothing, so that PostgreSQL itself hides what is outside the
transaction's scope (app/lib/tenancy.py). Made by `manage.py migrate`, as the owner, for whatever tables there are: a
new table needs no line here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import ProgrammingError, connection, transaction
from django.db.models import ForeignKey, Model

from app.accounts.models import Organisation
from app.lib.tenancy import ACT_AS_ROLE, ROLE, SETTING

# A change of the rule takes a new name: existing policies are not compared by their text.
POLICY = "tenant_1"

_SCOPE = f"""
CREATE OR REPLACE FUNCTION refdesk_scope() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT string_to_array(nullif(nullif(current_setting('{SETTING}', true), 'all'), ''), ',')::uuid[]
$$
"""


@contextmanager
def as_owner() -> Iterator[None]:
    """Work on the schema: as the owner of the tables, with every row in sight (app/lib/tenancy.py)."""
    given = connection.settings_dict["OPTIONS"]
    before = given["options"]
    given["options"] = before.replace(ACT_AS_ROLE, "")
    _reconnect()
    try:
        yield
    finally:
        given["options"] = before
        _reconnect()


def _reconnect() -> None:
    if connection.in_atomic_block:
        raise ProgrammingError("The schema is not worked on inside a transaction.")
    connection.close()
    close_pool: Any = getattr(connection, "close_pool", None)
    if close_pool is not None:
        close_pool()


def organisation_column(model: type[Model]) -> str | None:
    """The column of a model's table that says whose a row is; None for a table of the whole box."""
    if model is Organisation:
        return "id"
    for field in model._meta.local_fields:
        if field.name == "organisation" and isinstance(field, ForeignKey):
            return field.column
    return None


def tables_guarded() -> dict[str, str]:
    """Tables of tenants, and their column of the organisation."""
    columns = {model._meta.db_table: organisation_column(model) for model in apps.get_models(include_auto_created=True)}
    return {table: column for table, column in columns.items() if column is not None}


def tables_append_only() -> list[str]:
    return [model._meta.db_table for model in apps.get_models() if getattr(model, "append_only", False)]


def walls_build() -> None:
    """Grants and policies, where they are missing. In `as_owner`, after `role_make` and the migrations."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Two starts at once would trip over each other's grants.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('refdesk walls'))")
        cursor.execute(_SCOPE)
        _grant(cursor)
        present = _tables_present(cursor)
        done = _tables_done(cursor)
        for table, column in tables_guarded().items():
            if table in present and table not in done:
                _table_guard(cursor, table, column)


def role_make() -> None:
    """The role, and this login's right to act as it. In `as_owner`.

    Raises:
        ImproperlyConfigured: it is not there and this login may not make it.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('refdesk walls'))")
            cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", [ROLE])
            if not cursor.fetchone()[0]:
                cursor.execute(f"CREATE ROLE {ROLE} NOLOGIN")
            cursor.execute("SELECT pg_has_role(current_user, %s, 'SET')", [ROLE])
            if not cursor.fetchone()[0]:
                cursor.execute(f"GRANT {ROLE} TO CURRENT_USER")
    except ProgrammingError as error:
        raise ImproperlyConfigured(
            f"The database needs a role that Refdesk's login may not make. As a superuser of PostgreSQL: "
            f"CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO {connection.settings_dict['USER']};"
        ) from error


def _grant(cursor: Any) -> None:
    cursor.execute(f"GRANT USAGE ON SCHEMA public TO {ROLE}")
    cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}")
    cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
    present = _tables_present(cursor)
    for table in tables_append_only():
        if table in present:
            cursor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {ROLE}")
    cursor.execute(f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {ROLE}")


def _tables_present(cursor: Any) -> set[str]:
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {table for (table,) in cursor.fetchall()}


def _tables_done(cursor: Any) -> set[str]:
    cursor.execute(
        "SELECT p.tablename FROM pg_policies p JOIN pg_class c ON c.oid = p.tablename::regclass"
        " WHERE p.schemaname = 'public' AND p.policyname = %s AND c.relrowsecurity AND c.relforcerowsecurity",
        [POLICY],
    )
    return {table for (table,) in cursor.fetchall()}


def _table_guard(cursor: Any, table: str, column: str) -> None:
    cursor.execute("SELECT policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = %s", [table])
    for (name,) in cursor.fetchall():
        cursor.execute(f"DROP POLICY {name} ON {table}")
    # The sub-selects are worked out once a statement, not once a row.
    cursor.execute(
        f"CREATE POLICY {POLICY} ON {table} USING ("
        f"(SELECT current_setting('{SETTING}', true)) = 'all'"
        f" OR {column} = ANY ((SELECT refdesk_scope())::uuid[]))"
    )
    cursor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
