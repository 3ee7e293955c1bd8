"""Streams and database connections: a stream holds none, whoever reads it."""

from contextlib import AsyncExitStack

import pytest
from django.db import connection

from app.accounts import auth
from app.bots.models import Bot
from app.chat.tests.conftest import Desk
from app.chat.tests.test_turn_faults import QUESTION, Reader
from app.llm.tests.fake_llm import Script, ScriptedModel
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("known", [True, False])
async def test_more_streams_than_connections_all_begin(
    desk: Desk, library: Bot, bob: Person, model: ScriptedModel, known: bool
) -> None:
    """Check this with and without the key cached (`known`); if it is not, the process looks it up in the database."""
    most = connection.settings_dict["OPTIONS"]["pool"]["max_size"]
    model.script(Script(first_s=60))
    async with AsyncExitStack() as stack:
        for _ in range(most + 4):
            if not known:
                auth._callers.clear()
            reader = await stack.enter_async_context(
                Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION}))
            )
            await reader.until("event: start")
