"""The real web process (uvicorn in the test's loop) with real engines, and a scripted model server."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import orjson
import pytest
import uvicorn
from django.conf import Settings

from app.accounts.models import Organisation
from app.bots.models import Bot
from app.bots.services import bot_create
from app.chat.tests.library import DESCALING, HOLIDAY, WARRANTY, document_index
from app.llm.routing import endpoints_forget
from app.llm.tests.fake_llm import ScriptedModel


class Desk:
    """A client of the REST API; `ask` returns the events of a turn."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.address = address
        self.session = session

    def post(self, path: str, key: str, body: Any = None, **headers: str) -> Any:
        return self.session.post(
            f"{self.address}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {key}", **headers}
        )

    def get(self, path: str, key: str, **headers: str) -> Any:
        return self.session.get(f"{self.address}/api/v1{path}", headers={"Authorization": f"Bearer {key}", **headers})

    async def json(self, request: Any) -> tuple[int, Any]:
        async with request as answer:
            return answer.status, orjson.loads(await answer.read() or b"null")

    async def ask(self, key: str, message: str, *, bot: str = "default", **more: Any) -> list[tuple[int, str, Any]]:
        async with self.post(f"/bots/{bot}/chat", key, {"message": message, **more}) as answer:
            assert answer.status == 200, await answer.text()
            return events_of(await answer.text())


def events_of(body: str) -> list[tuple[int, str, Any]]:
    """Return (id, name, data) of each whole event."""
    found = re.findall(r"id: (\d+)\nevent: (\w+)\ndata: (.*)\n\n", body)
    return [(int(number), name, orjson.loads(data)) for number, name, data in found]


def text_of(events: list[tuple[int, str, Any]]) -> str:
    return "".join(data["text"] for _, name, data in events if name == "delta")


@pytest.fixture(scope="session")
def fake_llm() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def model(fake_llm: ScriptedModel, settings: Settings) -> ScriptedModel:
    """Make the fake server the deployment's model server."""
    settings.LLM_URL = fake_llm.url
    endpoints_forget()
    return fake_llm


@pytest.fixture
def library(acme: Organisation, qdrant: str, embedder: str) -> Bot:
    """Return Acme's bot over three documents."""
    document_index(acme, "manual.pdf", [WARRANTY, DESCALING], kind="page")
    document_index(acme, "handbook.docx", [HOLIDAY])
    return bot_create(organisation=acme, slug="default", name="Reference desk")


@pytest.fixture
def desk_bot(acme: Organisation) -> Bot:
    """Return a bot without documents."""
    return bot_create(organisation=acme, slug="default", name="Reference desk")


@pytest.fixture
async def desk(valkey: str) -> AsyncIterator[Desk]:
    from app.asgi import application

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, lifespan="on", log_level="warning", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        async with aiohttp.ClientSession() as session:
            yield Desk(f"http://127.0.0.1:{listener.getsockname()[1]}", session)
        server.should_exit = True
        await serving
