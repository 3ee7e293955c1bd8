"""Row-level security of PostgreSQL on every table with an organisation (design §4).

The application acts as the role `refdesk_app`, which owns nothing, so that PostgreSQL itself hides rows outside the
transaction's scope (app/lib/tenancy.py). `manage.py migrate` creates the policies as the owner for all existing tables:
a new table needs no line here.
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

# Change this name with the policy's rule: existing policies are not compared by their text.
POLICY = "tenant_1"
# Policy that lets every scope read rows without an organisation, but not change them.
DEPLOYMENT_POLICY = "deployment_1"

_SCOPE = f"""
CREATE OR REPLACE FUNCTION refdesk_scope() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT string_to_array(nullif(nullif(current_setting('{SETTING}', true), 'all'), ''), ',')::uuid[]
$$
"""


@contextmanager
def as_owner() -> Iterator[None]:
    """Act as the owner of the tables, who sees every row, to change the schema (app/lib/tenancy.py)."""
    options = connection.settings_dict["OPTIONS"]
    before = options["options"]
    options["options"] = before.replace(ACT_AS_ROLE, "")
    _reconnect()
    try:
        yield
    finally:
        options["options"] = before
        _reconnect()


def _reconnect() -> None:
    if connection.in_atomic_block:
        raise ProgrammingError("The schema cannot be changed inside a transaction.")
    connection.close()
    close_pool: Any = getattr(connection, "close_pool", None)
    if close_pool is not None:
        close_pool()


def organisation_column(model: type[Model]) -> str | None:
    """Return the column with the organisation of a model's rows; None for a table of the whole box."""
    if model is Organisation:
        return "id"
    for field in model._meta.local_fields:
        if field.name == "organisation" and isinstance(field, ForeignKey):
            return field.column
    return None


def tables_guarded() -> dict[str, str]:
    """Return the tables of tenants with their organisation column."""
    columns = {model._meta.db_table: organisation_column(model) for model in apps.get_models(include_auto_created=True)}
    return {table: column for table, column in columns.items() if column is not None}


def tables_deployment_readable() -> set[str]:
    """Return tables whose rows without an organisation, the deployment's own, every organisation may read."""
    return {model._meta.db_table for model in apps.get_models() if getattr(model, "deployment_readable", False)}


def tables_append_only() -> list[str]:
    return [model._meta.db_table for model in apps.get_models() if getattr(model, "append_only", False)]


def row_security_build() -> None:
    """Create missing grants and policies. Call inside `as_owner`, after `role_create` and the migrations."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Two simultaneous starts would conflict over the same grants.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('refdesk row security'))")
        cursor.execute(_SCOPE)
        _grant(cursor)
        present, readable = _tables_present(cursor), tables_deployment_readable()
        policies = _table_policies(cursor)
        for table, column in tables_guarded().items():
            wanted = {POLICY, DEPLOYMENT_POLICY} if table in readable else {POLICY}
            if table in present and not wanted <= policies.get(table, set()):
                _table_guard(cursor, table, column, deployment_readable=table in readable)


def role_create() -> None:
    """Create the application's role and grant this login the right to act as it. Call inside `as_owner`.

    Raises:
        ImproperlyConfigured: the role does not exist and this login may not create it.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('refdesk row security'))")
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


def _table_policies(cursor: Any) -> dict[str, set[str]]:
    """Return the names of the policies of each table whose policies also apply to its owner."""
    # Not with the view pg_policies, which has no oid: casting its names to one fails where the planner applies the cast
    # to every relation of the database, some of which are in no schema of the search path.
    cursor.execute(
        "SELECT c.relname, p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity AND c.relforcerowsecurity"
    )
    policies: dict[str, set[str]] = {}
    for table, policy in cursor.fetchall():
        policies.setdefault(table, set()).add(policy)
    return policies


def _table_guard(cursor: Any, table: str, column: str, *, deployment_readable: bool) -> None:
    cursor.execute("SELECT policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = %s", [table])
    for (name,) in cursor.fetchall():
        cursor.execute(f"DROP POLICY {name} ON {table}")
    # PostgreSQL evaluates the sub-selects once a statement, not once a row.
    cursor.execute(
        f"CREATE POLICY {POLICY} ON {table} USING ("
        f"(SELECT current_setting('{SETTING}', true)) = 'all'"
        f" OR {column} = ANY ((SELECT refdesk_scope())::uuid[]))"
    )
    if deployment_readable:
        cursor.execute(
            f"CREATE POLICY {DEPLOYMENT_POLICY} ON {table} FOR SELECT USING ("
            f"{column} IS NULL AND (SELECT current_setting('{SETTING}', true)) <> '')"
        )
    cursor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
