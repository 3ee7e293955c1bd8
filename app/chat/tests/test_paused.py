"""A paused bot: it answers nobody, from the next question on, until it is resumed."""

import pytest
from asgiref.sync import sync_to_async

from app.bots.models import Bot
from app.bots.services import bot_pause, bot_resume
from app.chat.models import Message
from app.chat.tests.conftest import Desk
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "How long is the warranty of the Vale 3?"


async def test_a_paused_bot_refuses_with_words_and_a_resumed_one_answers(desk: Desk, library: Bot, bob: Person) -> None:
    # A first question, so that the web process has the bot cached.
    await desk.ask(bob.key, QUESTION)
    await sync_to_async(bot_pause)(organisation=bob.organisation.pk, bot=library.pk)
    for stream in (True, False):
        asked = {"message": QUESTION, "stream": stream}
        status, body = await desk.json(desk.post("/bots/default/chat", bob.key, asked))
        assert (status, body["error"]["code"]) == (409, "bot_paused")
        assert "resume" in body["error"]["details"]["hint"]
    assert await Message.objects.acount() == 2
    assert (await desk.json(desk.get("/bots/default", bob.key)))[1]["paused"] is True
    await sync_to_async(bot_resume)(organisation=bob.organisation.pk, bot=library.pk)
    events = await desk.ask(bob.key, QUESTION)
    assert events[-1][1] == "done"
