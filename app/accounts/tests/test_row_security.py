"""Row-level security between organisations: roles, grants, policies and scopes."""

import asyncio
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from app.accounts.models import Membership, Organisation
from app.accounts.row_security import organisation_column, tables_append_only, tables_guarded
from app.lib.async_sql import database_close, fetch
from app.lib.ids import new_id
from app.lib.tenancy import ROLE, everything_visible, organisations_visible, scope_now
from app.library.models import Source
from app.library.services.sources import source_create
from tests.database import as_superuser
from tests.people import Person

# Tables of the whole box, with the reason why no organisation owns their rows.
SHARED = {
    "llm_embeddingchange": "the model of the box's one index, which operators change",
    "plans_plan": "limits that operators keep for every organisation",
    "accounts_user": "a person may be in several organisations; listed only through their memberships",
    "accounts_identity": "how a person signs in",
    "accounts_onetimetoken": "how a person gets in",
    "accounts_signin": "sessions of a person",
    "django_session": "sessions",
    "django_content_type": "Django's list of models",
    "auth_permission": "Django's list of permissions, not used",
    "auth_group": "not used",
    "auth_group_permissions": "not used",
    "django_admin_log": "not used",
}


@pytest.fixture
def two(acme: Organisation, other: Organisation) -> tuple[Organisation, Organisation]:
    for organisation in (acme, other):
        source_create(organisation=organisation, name="Uploads")
    return acme, other


def owners_visible() -> set[UUID]:
    return set(Source.objects.values_list("organisation_id", flat=True))


def rows(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_the_application_is_neither_owner_nor_superuser(db: Any) -> None:
    [(role, superuser, bypass)] = rows(
        "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    )
    assert (role, superuser, bypass) == (ROLE, False, False)
    assert rows(f"SELECT tablename FROM pg_tables WHERE tableowner = '{ROLE}'") == []


def test_every_table_is_a_tenant_s_or_says_why_not(db: Any) -> None:
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert tables - set(tables_guarded()) - set(SHARED) == set()
    assert not set(SHARED) & set(tables_guarded())


def test_every_tenant_s_table_is_guarded_even_from_its_owner(db: Any) -> None:
    guarded = rows(
        "SELECT c.relname FROM pg_class c JOIN pg_policies p ON p.tablename = c.relname"
        " WHERE c.relrowsecurity AND c.relforcerowsecurity AND p.schemaname = 'public'"
    )
    assert {name for (name,) in guarded} == set(tables_guarded())
    assert len(tables_guarded()) > 20


def test_no_row_is_visible_without_a_scope(two: Any, db: Any) -> None:
    for model in apps.get_models():
        if organisation_column(model) is not None:
            with organisations_visible():
                assert not model._default_manager.exists(), model


def test_a_scope_shows_its_organisations_and_no_other(two: tuple[Organisation, Organisation]) -> None:
    acme, other = two
    with organisations_visible(acme.pk):
        assert owners_visible() == {acme.pk}
        assert not Organisation.objects.filter(pk=other.pk).exists()
        with organisations_visible(other.pk):
            assert owners_visible() == {other.pk}
        assert owners_visible() == {acme.pk}
    with organisations_visible(acme.pk, other.pk):
        assert owners_visible() == {acme.pk, other.pk}
    with organisations_visible(new_id()):
        assert owners_visible() == set()


def test_a_scope_changes_inside_a_transaction_and_after_an_error(two: tuple[Organisation, Organisation]) -> None:
    acme, other = two
    with transaction.atomic(), organisations_visible(acme.pk):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows("SELECT 1 / 0")
        assert owners_visible() == {acme.pk}
    with organisations_visible(other.pk):
        assert owners_visible() == {other.pk}


def test_nothing_is_written_outside_the_scope(two: tuple[Organisation, Organisation]) -> None:
    acme, other = two
    with organisations_visible(acme.pk):
        assert Source.objects.filter(organisation=other).update(name="taken") == 0
        assert Source.objects.filter(organisation=other).delete()[0] == 0
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Source.objects.create(organisation=other, name="planted")
        row = Source.objects.get(organisation=acme)
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Source.objects.filter(pk=row.pk).update(organisation=other)
    assert set(Source.objects.values_list("name", flat=True)) == {"Uploads"}


@pytest.mark.django_db(transaction=True)
def test_a_new_thread_sees_nothing_until_it_says_what(two: tuple[Organisation, Organisation]) -> None:
    visible: list[Any] = []

    def look() -> None:
        visible.append((scope_now(), owners_visible()))
        with everything_visible():
            visible.append(len(owners_visible()))
        connection.close()

    thread = Thread(target=look)
    thread.start()
    thread.join()
    assert visible == [("", set()), 2]


@pytest.mark.django_db(transaction=True)
async def test_plain_statements_keep_to_the_scope_of_their_task(two: tuple[Organisation, Organisation]) -> None:
    async def owners(organisation: Organisation) -> set[UUID]:
        with organisations_visible(organisation.pk):
            return {row[0] for row in await fetch("SELECT organisation_id FROM library_source", {})}

    # Many at once over few connections: a scope must not leak to another task.
    results = await asyncio.gather(*(owners(two[turn % 2]) for turn in range(100)))
    assert results == [{two[turn % 2].pk} for turn in range(100)]
    with organisations_visible():
        assert await fetch("SELECT organisation_id FROM library_source", {}) == []
    await database_close()


@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_history_cannot_be_changed(db: Any, statement: str) -> None:
    assert len(tables_append_only()) >= 2
    for table in tables_append_only():
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            rows(statement.format(table))


def test_the_schema_is_not_the_application_s(db: Any) -> None:
    for statement in (
        "ALTER TABLE library_source DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant_1 ON library_source",
        "CREATE TABLE mine (id int)",
        "DELETE FROM django_migrations",
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows(statement)


@pytest.mark.django_db(transaction=True)
def test_a_dropped_policy_is_built_again_by_the_next_start(two: tuple[Organisation, Organisation]) -> None:
    as_superuser("DROP POLICY tenant_1 ON library_source")
    as_superuser("ALTER TABLE library_source NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
    as_superuser(f"GRANT UPDATE ON audit_auditentry TO {ROLE}")
    with organisations_visible(two[0].pk):
        assert len(owners_visible()) == 2
    call_command("migrate", verbosity=0)
    with organisations_visible(two[0].pk):
        assert owners_visible() == {two[0].pk}
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        rows("UPDATE audit_auditentry SET id = id")


@pytest.mark.django_db(transaction=True)
async def test_a_request_begins_with_nothing_and_leaves_nothing(alice: Person, charlie: Person) -> None:
    for person in (alice, charlie, alice):
        response = await sync_to_async(person.client.get)("/api/v1/sources", headers=person.headers)
        assert response.status_code == 200
        assert scope_now() == "all"  # of this test itself


def test_members_are_found_across_organisations_only_where_that_is_asked(alice: Person, charlie: Person) -> None:
    with organisations_visible(alice.organisation.pk):
        assert set(Membership.objects.values_list("organisation_id", flat=True)) == {alice.organisation.pk}
        assert charlie.user.admin_roles == {charlie.organisation.pk: "owner"}
