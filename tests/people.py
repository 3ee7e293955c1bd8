"""Shared people of the tests: alice owns an organisation, bob is a member of it, charlie belongs to another one."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from app.accounts.choices import Role
from app.accounts.keys import api_key_create
from app.accounts.models import Organisation, User
from app.accounts.services import membership_create, organisation_create, user_create
from app.bots.models import Bot
from app.bots.services import bot_create
from app.lib.async_sql import database_close
from app.lib.http import http_session_close
from app.lib.tenancy import ACT_AS_ROLE, scope_enter_everything
from app.lib.valkey import valkey_close
from app.library.models import Source
from app.library.services.sources import source_create
from tests.engines import POSTGRES

# Tests look at everything; a request begins with nothing, whoever sends it.
scope_enter_everything()

PASSWORD = "a long password for tests"


@dataclass
class Person:
    """A member with a signed-in browser and an API key of the same role."""

    user: User
    organisation: Organisation
    role: Role
    key: str
    client: Client = field(default_factory=Client)

    @property
    def headers(self) -> dict[str, str]:
        """Headers for httpx-like clients and for `client.get(..., headers=…)`."""
        return {"Authorization": f"Bearer {self.key}"}


def as_superuser(statement: str, values: Sequence[Any] = ()) -> int:
    """What the application's role may not do: history as another month would have left it. How many rows it was."""
    address = POSTGRES.url(connection.settings_dict["NAME"], role="postgres")
    with psycopg.connect(address, autocommit=True) as superuser:
        return superuser.execute(statement, values).rowcount


def person_make(name: str, organisation: Organisation, role: Role) -> Person:
    """A new member with a key of the same name and role."""
    user = user_create(email=f"{name}@example.org", password=PASSWORD, name=name.title())
    membership_create(organisation=organisation, user=user, role=role)
    _, key = api_key_create(organisation=organisation, name=name, role=role, created_by=user)
    person = Person(user, organisation, role, key)
    person.client.force_login(user)
    return person


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: str, valkey: str) -> None:
    """Starts the database, and the cache for sessions and streams, before pytest-django makes the test database."""
    # The owner makes databases and tables; the application's role may not.
    options = connection.settings_dict["OPTIONS"]
    options["options"] = options["options"].replace(ACT_AS_ROLE, "")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database; at its end, whoever is still connected (threads of async tests) is sent away first."""
    options = connection.settings_dict["OPTIONS"]
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    options["options"] = ACT_AS_ROLE
    yield
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    options["options"] = ""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            # Not autovacuum, which the owner of the database may not send away.
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


@pytest.fixture
async def loop_connections() -> AsyncIterator[None]:
    """Closes what the test's event loop has open, as the web process does at its end.

    Left to themselves, a pool of connections that is just connecting outlives the cancelling of its loop: for ever.
    """
    yield
    await http_session_close()
    await valkey_close()
    await database_close()


@pytest.fixture(autouse=True)
def _loop_left_clean(request: pytest.FixtureRequest) -> None:
    # Only where there is a loop: a test in a browser has another library's.
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("loop_connections")


@pytest.fixture(autouse=True)
def _wide_doors(settings: Any) -> None:
    # All tests come from one address, within minutes.
    settings.DOOR_REQUESTS_PER_MINUTE = 100_000


@pytest.fixture(autouse=True)
def _fast_passwords(settings: Any) -> None:
    # The real hash takes 0.3 s of CPU on purpose, three times a test with three people.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def acme(db: Any) -> Organisation:
    return organisation_create(slug="acme", name="Acme")


@pytest.fixture
def other(db: Any) -> Organisation:
    return organisation_create(slug="other", name="Other")


@pytest.fixture
def alice(acme: Organisation) -> Person:
    return person_make("alice", acme, Role.OWNER)


@pytest.fixture
def bob(acme: Organisation) -> Person:
    return person_make("bob", acme, Role.VIEWER)


@pytest.fixture
def charlie(other: Organisation) -> Person:
    return person_make("charlie", other, Role.OWNER)


@pytest.fixture
def uploads() -> Callable[[Organisation], Source]:
    return lambda organisation: source_create(organisation=organisation, name="Uploads")


@pytest.fixture
def desk() -> Callable[[Organisation], Bot]:
    """Makes the default bot of an organisation."""
    return lambda organisation: bot_create(organisation=organisation, slug="default", name="Reference desk")
