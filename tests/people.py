"""Shared people of the tests: alice owns an organisation, bob is a member of it, charlie belongs to another one."""

import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from app.accounts.choices import Role
from app.accounts.keys import api_key_create
from app.accounts.models import Organisation, User
from app.accounts.services import membership_create, organisation_create, user_create
from app.bots.models import Bot
from app.bots.services import bot_create
from app.lib.async_sql import database_close
from app.lib.http import http_session_close
from app.lib.tenancy import scope_enter_everything
from app.lib.valkey import valkey_close
from app.library.models import Source
from app.library.services.sources import source_create

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
        """Return the header of the key, for `client.get(..., headers=…)`."""
        return {"Authorization": f"Bearer {self.key}"}


def person_make(name: str, organisation: Organisation, role: Role) -> Person:
    """Create a member with a key of the same name and role."""
    user = user_create(email=f"{name}@example.org", password=PASSWORD, name=name.title())
    membership_create(organisation=organisation, user=user, role=role)
    _, key = api_key_create(organisation=organisation, name=name, role=role, created_by=user)
    person = Person(user, organisation, role, key)
    person.client.force_login(user)
    return person


@pytest.fixture
async def loop_connections() -> AsyncIterator[None]:
    """Close what the test's event loop has open, as the web process does at its end.

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
def _address_unlimited(settings: Any) -> None:
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
    """Return a factory of the default bot of an organisation."""
    return lambda organisation: bot_create(organisation=organisation, slug="default", name="Reference desk")
