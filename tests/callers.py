"""The callers of the access matrix: people of an organisation, of another one, of a third and of a suspended one.

Made once a module: a refused caller changes nothing, and each test proves it.
"""

import copy
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db.models import Model
from django.test import Client, override_settings
from django.utils import timezone

from app.accounts.auth import CHOSEN_ORGANISATION, _callers
from app.accounts.choices import Role, Scope
from app.accounts.models import ApiKey, Membership, Organisation, User
from app.accounts.services import membership_create, organisation_create, user_deactivate
from tests.database import CleanDatabase
from tests.factories import Tenant, tenant_make
from tests.people import Person, person_make
from tests.routes import Caller

HASHER = f"{MD5PasswordHasher.__module__}.{MD5PasswordHasher.__qualname__}"


Attempt = TypeVar("Attempt")


@dataclass
class Callers:
    """acme, other and frozen (a suspended one): a person of each role, with a session and a key.

    tenant: the rows of acme; third: those of a third organisation.
    """

    acme: dict[Role, Person]
    other: dict[Role, Person]
    tenant: Tenant
    third: Tenant
    frozen: dict[Role, Person]
    frozen_tenant: Tenant
    dead_keys: dict[str, str]
    dead_sessions: dict[str, Client]
    all_combinations: bool = False

    @property
    def owner(self) -> Person:
        return self.acme[Role.OWNER]

    @property
    def words(self) -> tuple[str, ...]:
        """Return the texts that no response to a foreign caller may hold."""
        return (self.tenant.word, self.third.word, self.frozen_tenant.word)

    def sample(self, attempts: Iterable[Attempt], kind: Callable[[Attempt], object] = bool) -> list[Attempt]:
        """Return every attempt with `--all`, and otherwise the first of each kind."""
        listed = list(attempts)
        return listed if self.all_combinations else list({kind(each): each for each in reversed(listed)}.values())

    @property
    def other_id(self) -> str:
        return str(self.other[Role.OWNER].organisation.pk)


def people_make(organisation: Organisation, names: dict[Role, str]) -> dict[Role, Person]:
    return {role: person_make(name, organisation, role) for role, name in names.items()}


def callers_make() -> Callers:
    acme = people_make(
        organisation_create(slug="acme", name="Acme"), dict(zip(Role, ("alice", "adam", "erin", "vera"), strict=True))
    )
    other = people_make(
        organisation_create(slug="other", name="Other"), dict(zip(Role, ("olga", "omar", "otto", "oona"), strict=True))
    )
    third = person_make("zoe", organisation_create(slug="third", name="Third"), Role.OWNER)
    frozen = people_make(
        organisation_create(slug="frozen", name="Frozen"), dict(zip(Role, ("fay", "finn", "flo", "fred"), strict=True))
    )
    frozen_tenant = tenant_make(frozen[Role.OWNER], word="glacier")
    Organisation.objects.filter(slug="frozen").update(suspended=timezone.now())
    return Callers(
        acme=acme,
        other=other,
        tenant=tenant_make(acme[Role.OWNER], word="lighthouse"),
        third=tenant_make(third, word="submarine"),
        frozen=frozen,
        frozen_tenant=frozen_tenant,
        dead_keys=_dead_keys(acme[Role.OWNER]),
        dead_sessions=_dead_sessions(acme[Role.OWNER].organisation),
    )


def _dead_keys(owner: Person) -> dict[str, str]:
    """Return keys of acme that are valid no more, and texts that never were a key."""
    revoked, expired = (person_make(name, owner.organisation, Role.OWNER) for name in ("revoked", "expired"))
    now = timezone.now()
    ApiKey.objects.filter(name="revoked").update(revoked=now)
    ApiKey.objects.filter(name="expired").update(expires=now - timedelta(seconds=1))
    unknown = {"unknown": "rk_" + "x" * 43, "without its prefix": owner.key[3:], "another scheme": "sk-1", "empty": ""}
    return {"revoked": revoked.key, "expired": expired.key, **unknown}


def _dead_sessions(acme: Organisation) -> dict[str, Client]:
    """Return clients with the cookies of former owners of acme."""
    people = {name: person_make(name, acme, Role.OWNER) for name in ("suspended", "deleted", "removed")}
    user_deactivate(user=people["suspended"].user)
    User.objects.filter(pk=people["deleted"].user.pk).delete()
    Membership.objects.filter(user=people["removed"].user).delete()
    return {name: person.client for name, person in people.items()}


@pytest.fixture(scope="module")
def callers(clean_database: CleanDatabase, django_db_blocker: Any, all_combinations: bool) -> Iterator[Callers]:
    with django_db_blocker.unblock(), override_settings(PASSWORD_HASHERS=[HASHER]):
        _callers.clear()
        yield replace(callers_make(), all_combinations=all_combinations)
        clean_database.restore()


def session_of(name: str, person: Person, **headers: str) -> Caller:
    return Caller(name, session=person.client, headers=headers)


def key_of(name: str, key: str, **headers: str) -> Caller:
    return Caller(name, headers={"Authorization": f"Bearer {key}", **headers})


def key_with_scopes(person: Person, scopes: Collection[Scope]) -> Caller:
    """Create a key of the person's organisation and role with these scopes only; return its caller."""
    name = "without " + ",".join(scope for scope in Scope if scope not in scopes)
    made = person_make(f"k{uuid4().hex}", person.organisation, person.role)
    ApiKey.objects.filter(created_by=made.user).update(scopes=[scope.value for scope in scopes])
    return key_of(name, made.key)


def two_organisations(callers: Callers, *, chosen: str = "") -> Person:
    """Create an owner of acme and of the other one. chosen: the id of the organisation that the session has chosen."""
    person = person_make(f"p{uuid4().hex}", callers.owner.organisation, Role.OWNER)
    membership_create(organisation=callers.other[Role.OWNER].organisation, user=person.user, role=Role.OWNER)
    if chosen:
        session = person.client.session
        session[CHOSEN_ORGANISATION] = chosen
        session.save()
    return person


def nowhere(tenant: Tenant) -> Tenant:
    """Return a copy of the tenant with ids that no row has."""

    def absent(row: Any) -> Any:
        twin = copy.copy(row)
        twin.pk = uuid4()
        if hasattr(row, "slug"):
            twin.slug = f"{row.slug[:-1]}x"
        return twin

    rows = {field.name: getattr(tenant, field.name) for field in fields(tenant)}
    twins = {name: absent(row) for name, row in rows.items() if isinstance(row, Model)}
    return replace(tenant, **twins, found={})
