"""Usage charged equals usage recorded (I5), after 1,000 random ends of turns and after kill -9 among 50 streams."""

import asyncio
import contextlib
import random
import signal
from typing import Any

import aiohttp
import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from app.bots.models import Bot
from app.chat.models import Message
from app.chat.tests.conftest import Desk
from app.chat.tests.test_processes import session, web  # noqa: F401 (a fixture)
from app.chat.tests.test_turn_faults import QUESTION, Reader
from app.chat.tests.test_turn_usage import books_balance, totals_are_sums
from app.chat.turns.repository import answers_interrupt_stale
from app.llm.tests.fake_llm import Script, ScriptedModel
from app.plans.models import UsageEntry
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)

# A thousand with `--all`.
TURNS, AT_ONCE = 200, 40
# The model's behaviour by a word of the question.
MODELS = {
    "plainly": Script(tokens=["word "] * 10 + ["[1]"], between_s=0.005),
    "slowly": Script(tokens=["word "] * 400, between_s=0.02),
    "late": Script(first_s=5),
    "briefly": Script(tokens=["It is 24 months [1]. And"], fault="drop"),
    "wrongly": Script(tokens=["It is "], fault="malformed"),
    "never": Script(status=500),
    "uncounted": Script(tokens=["word "] * 10 + ["[1]"], usage=False),
}


class Crowd:
    """Turns that end in every way, while database connections break."""

    def __init__(self, desk: Desk, people: list[Person], seed: int) -> None:
        self.desk = desk
        self.people = people
        self.chance = random.Random(seed)

    async def turns(self, count: int) -> None:
        waiting = iter(range(count))

        async def work() -> None:
            for _ in waiting:
                with contextlib.suppress(aiohttp.ClientError, ConnectionError, AssertionError):
                    await self._turn()

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def _turn(self) -> None:
        key = self.chance.choice(self.people).key
        word = self.chance.choice(list(MODELS))
        body = {"message": f"{QUESTION} Say it {word}."}
        if self.chance.random() < 0.1:
            body["stream"] = False  # type: ignore[assignment]
        pause = self.chance.random() * 0.3
        request = self.desk.post("/bots/default/chat", key, body)
        if word in ("slowly", "late") or self.chance.random() < 0.5:
            await self._leave(request, key, pause)
        else:
            async with request as answer:
                await answer.read()

    async def _leave(self, request: Any, key: str, pause: float) -> None:
        """Break off: before the turn has begun, or a while later, by disconnecting or by a stop."""
        patience = pause if self.chance.random() < 0.1 else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience), request as answer:
                head = await answer.content.readuntil(b"\n\n")
                await asyncio.sleep(pause)
                if self.chance.random() < 0.5 and b"event: start" in head:
                    message = head.split(b'"message":"')[1][:36].decode()
                    await self.desk.json(self.desk.post(f"/messages/{message}/stop", key))


async def cut_connections(chance: random.Random) -> None:
    """Drop a connection of the turns now and then, in the middle of a statement."""
    address = connection.get_connection_params()
    wanted = {name: address[name] for name in ("dbname", "user", "password", "host", "port") if address.get(name)}
    async with await psycopg.AsyncConnection.connect(**wanted, autocommit=True) as operator:
        while True:
            await asyncio.sleep(0.2 + chance.random() * 0.5)
            await operator.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
                " WHERE application_name = 'refdesk-turns' ORDER BY random() LIMIT 2) x"
            )


async def all_ended() -> None:
    async with asyncio.timeout(60):
        while await Message.objects.filter(state="running").aexists():
            await answers_interrupt_stale()
            await asyncio.sleep(0.5)


async def test_the_books_balance_after_hundreds_of_random_ends(
    desk: Desk, library: Bot, bob: Person, alice: Person, model: ScriptedModel, all_combinations: bool
) -> None:
    turns = 1000 if all_combinations else TURNS
    model.script(*(Script(**{**vars(script), "when": f"Say it {word}."}) for word, script in MODELS.items()))
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown when the test fails)
    cutter = asyncio.create_task(cut_connections(random.Random(seed)))
    await Crowd(desk, [alice, bob], seed).turns(turns)
    cutter.cancel()
    await all_ended()
    answers = Message.objects.filter(role="assistant")
    # A turn that the database refused, or that was abandoned before it began, has no answer; most have one.
    assert await answers.acount() > turns * 0.7
    states = {state async for state in answers.values_list("state", flat=True).distinct()}
    assert states >= {"done", "stopped", "interrupted", "failed"}
    assert await UsageEntry.objects.filter(step="reserve").acount() == await answers.acount()
    await sync_to_async(books_balance)()
    await sync_to_async(totals_are_sums)()


async def test_the_books_balance_after_a_web_process_was_killed_with_fifty_streams(
    library: Bot,
    bob: Person,
    fake_llm: ScriptedModel,
    valkey: str,
    session: aiohttp.ClientSession,  # noqa: F811
) -> None:
    fake_llm.script(Script(tokens=["word "] * 1500, between_s=0.05))
    with web(fake_llm) as (first_address, process), web(fake_llm):
        first = Desk(first_address, session)
        async with contextlib.AsyncExitStack() as stack:
            readers = [Reader(first.post("/bots/default/chat", bob.key, {"message": QUESTION})) for _ in range(50)]
            await asyncio.gather(*(stack.enter_async_context(reader) for reader in readers))
            await asyncio.gather(*(reader.until("event: delta") for reader in readers))
            # After a checkpoint, so that some of the text is stored.
            async with asyncio.timeout(60):
                while await Message.objects.filter(role="assistant", content="").aexists():  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            process.send_signal(signal.SIGKILL)
            process.wait()
        reserved = await sync_to_async(tokens_charged)()
        await sync_to_async(books_balance)()
        # The other process interrupts them.
        async with asyncio.timeout(60):
            while await Message.objects.filter(state="running").aexists():  # noqa: ASYNC110 (only the rows show it)
                await asyncio.sleep(0.2)
    assert await Message.objects.filter(state="interrupted", tokens_out__gt=0).acount() == 50
    assert 0 < await sync_to_async(tokens_charged)() < reserved
    await sync_to_async(books_balance)()


def tokens_charged() -> int:
    return sum(entry.tokens_in + entry.tokens_out for entry in UsageEntry.objects.all())
