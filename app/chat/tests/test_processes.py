"""Several web processes: a turn is resumed and stopped through another one, and a dying process loses no text."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from django.conf import settings as django_settings

from app.bots.models import Bot
from app.chat.models import Message
from app.chat.tests.conftest import Desk, events_of, text_of
from app.chat.tests.test_turn_faults import QUESTION, Reader, ended
from app.embedded.http_probe import http_get
from app.embedded.ports import port_find
from app.llm.tests.fake_llm import SOON_S, Script, ScriptedModel
from tests.people import Person
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def web(model: ScriptedModel) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    port = port_find()
    name = django_settings.DATABASES["default"]["NAME"]
    database = urlsplit(os.environ["REFDESK_DATABASE_URL"])._replace(path=f"/{name}").geturl()
    environment = {**os.environ, "REFDESK_DATABASE_URL": database, "REFDESK_LLM_URL": model.url}
    command = [sys.executable, "-m", "uvicorn", "app.asgi:application", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen([*command, "--timeout-graceful-shutdown", "2"], cwd=ROOT, env=environment)
    try:
        wait_until(lambda: http_get("127.0.0.1", port, "/health") is not None)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_turn_is_resumed_and_stopped_through_another_process(
    library: Bot, bob: Person, fake_llm: ScriptedModel, valkey: str, session: aiohttp.ClientSession
) -> None:
    fake_llm.script(Script(tokens=[f"w{n} " for n in range(1500)], between_s=0.02))
    with web(fake_llm) as (first_address, _), web(fake_llm) as (second_address, _):
        first, second = Desk(first_address, session), Desk(second_address, session)
        async with Reader(first.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
            begun = await reader.until("event: delta", 20)
            message, last = begun[0][2]["message"], begun[-1][0]
            headers = {"Last-Event-ID": str(last)}
            async with Reader(second.get(f"/messages/{message}/events", bob.key, **headers)) as other:
                await other.until("event: delta", 3)
                reader.answer.close()
                # The first reader is absent for longer than the grace period: the second keeps the turn running.
                await asyncio.sleep(2.5)
                rest = await other.until("event: delta", 60)
                stopped = time.time()
                status, answer = await second.json(second.post(f"/messages/{message}/stop", bob.key))
                assert (status, answer["state"]) == (200, "stopped")
                assert await fake_llm.reader_left() - stopped < SOON_S
                rest = await other.until("event: done")
        numbers = [number for number, _, _ in begun + rest]
        assert numbers == list(range(1, len(numbers) + 1))
        assert rest[-1][2]["message"]["content"] == text_of(begun + rest) == answer["content"]


async def test_a_killed_process_leaves_an_interrupted_answer_with_its_text(
    library: Bot, bob: Person, fake_llm: ScriptedModel, valkey: str, session: aiohttp.ClientSession
) -> None:
    fake_llm.script(Script(tokens=[f"w{n} " for n in range(1500)], between_s=0.02))
    with web(fake_llm) as (first_address, process), web(fake_llm) as (second_address, _):
        first, second = Desk(first_address, session), Desk(second_address, session)
        async with Reader(first.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
            begun = await reader.until("event: delta", 120)
            process.send_signal(signal.SIGKILL)
        message = begun[0][2]["message"]
        async with second.get(f"/messages/{message}/events", bob.key) as answer:
            events: list[Any] = events_of(await answer.text())
        assert events[-1][1] == "error"
        assert events[-1][2]["error"]["code"] == "interrupted"
        row = await ended(message)
        assert (row.state, row.error_code) == ("interrupted", "interrupted")
        assert row.content.startswith("w0 w1 w2")
        assert await Message.objects.filter(role="assistant").acount() == 1


async def test_a_process_that_is_asked_to_end_records_what_it_was_writing(
    library: Bot, bob: Person, fake_llm: ScriptedModel, valkey: str, session: aiohttp.ClientSession
) -> None:
    fake_llm.script(Script(tokens=[f"w{n} " for n in range(1500)], between_s=0.02))
    with web(fake_llm) as (address, process):
        desk = Desk(address, session)
        async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
            begun = await reader.until("event: delta", 10)
            process.terminate()
            assert await asyncio.to_thread(process.wait, 30) is not None
        row = await Message.objects.aget(pk=begun[0][2]["message"])
        assert row.state == "interrupted"
        assert row.content.startswith(text_of(begun))


async def test_an_answer_of_a_dead_process_is_ended_although_nobody_asks_for_it(
    library: Bot, bob: Person, fake_llm: ScriptedModel, valkey: str, session: aiohttp.ClientSession
) -> None:
    fake_llm.script(Script(tokens=[f"w{n} " for n in range(1500)], between_s=0.02))
    with web(fake_llm) as (address, process):
        async with Reader(Desk(address, session).post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
            begun = await reader.until("event: delta", SOON_S)
            process.send_signal(signal.SIGKILL)
    with web(fake_llm):
        row = await ended(begun[0][2]["message"])
    assert (row.state, row.error_code) == ("interrupted", "interrupted")
