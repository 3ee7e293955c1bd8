"""A stream ends within five seconds of the right to read it, in real web processes and by the clock.

Everybody's streams are opened first and all rights end at once, so that the waiting is paid once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client
from django.utils import timezone

from app.accounts.choices import Role, Scope
from app.accounts.keys import api_key_revoke
from app.accounts.models import ApiKey, Membership, Organisation, SignIn, User
from app.accounts.services import (
    membership_remove,
    membership_role_set,
    organisation_create,
    password_set,
    user_deactivate,
)
from app.accounts.user_sessions import user_session_end
from app.bots.models import Bot
from app.bots.services import bot_create
from app.chat.tests.conftest import events_of, fake_llm, library
from app.chat.tests.library import WARRANTY, document_index
from app.chat.tests.test_processes import web
from app.llm.tests.fake_llm import Script, ScriptedModel
from tests.people import PASSWORD, Person, person_make

__all__ = ["fake_llm", "library"]  # fixtures
LIMIT_S = 5.0
QUESTION = "How long is the warranty of the Vale 3?"
CSRF = "c" * 32

pytestmark = pytest.mark.django_db(transaction=True)
End = Callable[[Person], object]


def key_of(person: Person) -> ApiKey:
    return ApiKey.objects.get(created_by=person.user)


def key_set(**values: Any) -> End:
    return lambda person: ApiKey.objects.filter(pk=key_of(person).pk).update(**values)


def membership_of(person: Person) -> Membership:
    return Membership.objects.get(user=person.user)


def suspend(person: Person) -> None:
    Organisation.objects.filter(pk=person.organisation.pk).update(suspended=timezone.now())


OF_KEYS: dict[str, End] = {
    "key revoked": lambda person: api_key_revoke(organisation=person.organisation.pk, api_key=key_of(person).pk),
    "key expired": lambda person: key_set(expires=timezone.now())(person),
    "scope taken": key_set(scopes=[scope for scope in Scope if scope != Scope.SEARCH]),
    "role of the key lowered": key_set(role=Role.VIEWER),
    "organisation of the key suspended": suspend,
}
OF_SESSIONS: dict[str, End] = {
    "role lowered": lambda person: membership_role_set(
        organisation=person.organisation.pk,
        membership=membership_of(person).pk,
        role=Role.VIEWER,
        actor_role=Role.OWNER,
    ),
    "membership removed": lambda person: membership_remove(
        organisation=person.organisation.pk, membership=membership_of(person).pk, actor_role=Role.OWNER
    ),
    "person deactivated": lambda person: user_deactivate(user=person.user),
    "person deleted": lambda person: User.objects.filter(pk=person.user.pk).delete(),
    "signed out": lambda person: person.client.post("/accounts/sign-out"),
    "password changed": lambda person: password_set(user=person.user, password="another long password"),
    "session ended from elsewhere": lambda person: user_session_end(
        user=person.user.pk, session=SignIn.objects.get(user=person.user).pk
    ),
    "organisation suspended": suspend,
}
NOTHING = {"the key keeps its rights": "key", "the session keeps its rights": "session"}


@dataclass
class ActiveJob:
    """A stream that is read. ended: the time of its end by the monotonic clock."""

    name: str
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    body: bytearray = field(default_factory=bytearray)
    ended: float | None = None
    task: "asyncio.Task[None] | None" = None

    async def read(self, request: Any) -> None:
        async with request as answer:
            assert answer.status == 200, f"{self.name}: {answer.status} {await answer.text()}"
            self.opened.set()
            async for part in answer.content.iter_any():
                self.body += part
        self.ended = time.monotonic()

    def close(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Reader:
    """One caller with three streams: a turn, the same turn resumed through another process, and news of documents."""

    def __init__(self, name: str, person: Person, by: str, session: aiohttp.ClientSession) -> None:
        self.name, self.person, self.session = name, person, session
        self.headers = {"Authorization": f"Bearer {person.key}"} if by == "key" else _cookies(person.client)
        self.held: list[ActiveJob] = []

    async def open(self, first: str, second: str) -> None:
        body = {"message": QUESTION}
        turn = await self._hold(
            "turn", self.session.post(f"{first}/api/v1/bots/default/chat", json=body, headers=self.headers)
        )
        while b"event: delta" not in turn.body:
            assert turn.ended is None, turn.body
            await asyncio.sleep(0.05)
        message = events_of(turn.body.decode())[0][2]["message"]
        again = f"{second}/api/v1/messages/{message}/events"
        await self._hold("resumed turn", self.session.get(again, headers=self.headers))
        await self._hold("documents", self.session.get(f"{second}/api/v1/documents/events", headers=self.headers))

    async def _hold(self, what: str, request: Any) -> ActiveJob:
        held = ActiveJob(f"{self.name}: {what}")
        held.task = asyncio.create_task(held.read(request))
        opening = asyncio.create_task(held.opened.wait())
        await asyncio.wait({held.task, opening}, return_when=asyncio.FIRST_COMPLETED)
        if held.task.done():
            held.task.result()
        self.held.append(held)
        return held


def _cookies(client: Client) -> dict[str, str]:
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookies = {settings.SESSION_COOKIE_NAME: session, settings.CSRF_COOKIE_NAME: CSRF}
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "X-CSRFToken": CSRF}


def signed_in(name: str, organisation: Organisation) -> Person:
    """Create a person who has signed in by the portal's page, so that the session can be listed and ended."""
    person = person_make(name.replace(" ", "-"), organisation, Role.EDITOR)
    person.client = Client()
    sent = {"email": person.user.email, "password": PASSWORD}
    assert person.client.post("/accounts/sign-in", sent).status_code == 302
    return person


def people(acme: Organisation) -> Iterator[tuple[str, Person, str]]:
    person_make("owner", acme, Role.OWNER)
    for by, ends in (("key", OF_KEYS), ("session", OF_SESSIONS)):
        for name, end in ends.items():
            organisation = _organisation(f"suspended-{by}") if end is suspend else acme
            yield name, signed_in(name, organisation), by
    for name, by in NOTHING.items():
        yield name, signed_in(name, acme), by


def _organisation(slug: str) -> Organisation:
    made = organisation_create(slug=slug)
    document_index(made, "manual.pdf", [WARRANTY], kind="page")
    bot_create(organisation=made, slug="default", name="Reference desk")
    return made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=90)) as session:
        yield session


async def test_streams_end_within_five_seconds_of_the_right_to_read_them(
    library: Bot, acme: Organisation, fake_llm: ScriptedModel, valkey: str, session: aiohttp.ClientSession
) -> None:
    fake_llm.script(Script(tokens=[f"w{n} " for n in range(600)], between_s=0.15))
    everybody = await sync_to_async(lambda: list(people(acme)))()
    readers = [Reader(name, person, by, session) for name, person, by in everybody]
    with web(fake_llm) as (first, _), web(fake_llm) as (second, _):
        try:
            await asyncio.gather(*(reader.open(first, second) for reader in readers))
            assert [held.name for reader in readers for held in reader.held if held.ended is not None] == []
            begun = await rights_end(readers)
            lost = [held for reader in readers if reader.name in begun for held in reader.held]
            await asyncio.wait([held.task for held in lost if held.task is not None], timeout=LIMIT_S + 3)
            took = {held.name: (held.ended or 1e9) - begun[held.name.split(":")[0]] for held in lost}
            assert {name: seconds for name, seconds in took.items() if seconds > LIMIT_S} == {}
            # Nobody got the whole answer, and streams do not end by themselves.
            assert [held.name for held in lost if b'"state":"done"' in held.body] == []
            kept = [held for reader in readers if reader.name not in begun for held in reader.held]
            assert [held.name for held in kept if held.ended is not None] == []
            assert len(kept) == 3 * len(NOTHING)
        finally:
            for held in (held for reader in readers for held in reader.held):
                held.close()


async def rights_end(readers: list[Reader]) -> dict[str, float]:
    """End everybody's right and return the time of each end by the monotonic clock."""
    begun = {}
    for reader in readers:
        end = (OF_KEYS | OF_SESSIONS).get(reader.name)
        if end is not None:
            await sync_to_async(end)(reader.person)
            begun[reader.name] = time.monotonic()
    return begun


@pytest.mark.parametrize("by", ["key", "session"])
async def test_a_whole_answer_is_given_only_to_who_may_still_have_it(
    library: Bot, acme: Organisation, fake_llm: ScriptedModel, valkey: str, session: aiohttp.ClientSession, by: str
) -> None:
    fake_llm.script(Script(tokens=["It is 24 months [1]. "] * 40, between_s=0.2))
    person = await sync_to_async(signed_in)("dora", acme)
    await sync_to_async(person_make)("owner", acme, Role.OWNER)
    with web(fake_llm) as (address, _):
        reader = Reader(by, person, by, session)
        body = {"message": QUESTION, "stream": False}

        async def ask() -> tuple[int, str, float]:
            url = f"{address}/api/v1/bots/default/chat"
            async with session.post(url, json=body, headers=reader.headers) as answer:
                return answer.status, await answer.text(), time.monotonic()

        asked = asyncio.create_task(ask())
        await asyncio.sleep(1.5)
        assert not asked.done()
        await sync_to_async(OF_KEYS["key revoked"] if by == "key" else OF_SESSIONS["signed out"])(person)
        ended = time.monotonic()
        status, text, at = await asked
        assert (status, "not_allowed" in text, "24 months" in text) == (403, True, False)
        assert at - ended < LIMIT_S
