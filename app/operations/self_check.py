"""Check a running box: its engines, its pages, and one question whose answer cites a passage.

scripts/upgrade uses the result to decide whether to keep a new version.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from uuid import UUID

import urllib3
from django.conf import settings

from app import env
from app.bots.models import Bot
from app.chat.choices import AnswerMode
from app.chat.models import Conversation
from app.chat.services import conversation_delete
from app.chat.turns.repository import Owner
from app.chat.turns.run import turn_begin
from app.chat.turns.state import TurnRequest
from app.errors import RefdeskError
from app.lib.async_sql import database_close
from app.lib.http import http_session_close
from app.lib.tenancy import everything_visible
from app.lib.valkey import valkey_close
from app.library.choices import VersionState
from app.library.models import Chunk
from app.operations.health import engines_check

# The engines of a box that has just started become ready one after the other.
PATIENCE_S = 60.0
ANSWER_S = 10.0
# A passage may be a heading or a table, without any sentence to quote.
TRIES = 5
PAGES = ("/health", "/accounts/sign-in")


def engines_silent() -> list[str]:
    """Return names of those that do not answer, after some patience."""
    deadline = time.monotonic() + PATIENCE_S
    while silent := [name for name, said in engines_check().items() if not said["ok"]]:
        if time.monotonic() > deadline:
            break
        time.sleep(1)
    return silent


def pages_broken() -> list[str]:
    """Check the web server on this computer; return its faults, a line each."""
    host = str(env.read_deployment("REFDESK_HOST"))
    # The server listens on all addresses.
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    pool = urllib3.HTTPConnectionPool(host, env.read_deployment("REFDESK_PORT"), timeout=ANSWER_S, retries=False)
    found = []
    for path in PAGES:
        try:
            answer = pool.request("GET", path, headers={"Host": "localhost"}, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            found.append(f"{path} does not answer ({type(error).__name__})")
            continue
        if answer.status >= 400:
            found.append(f"{path} answers {answer.status}")
        elif path == "/health" and answer.json()["version"] != settings.VERSION:
            found.append(f"the web server is of version {answer.json()['version']}, and this is {settings.VERSION}")
    return found


@everything_visible()
def question_problem() -> str:
    """Ask a question about the documents; return the fault, or an empty text. Leaves no conversation."""
    asked = 0
    for bot, question in _questions():
        asked += 1
        try:
            conversation, mode, cited = asyncio.run(_ask(bot.organisation_id, bot.slug, question))
        except RefdeskError as error:
            # A used-up cap is no fault of the version.
            return f"A question is not answered: {error.message}" if error.status >= 500 else ""
        conversation_delete(organisation=bot.organisation_id, conversation=Conversation.objects.get(pk=conversation))
        # A model may omit its citations, which is no fault of the version.
        if cited or mode == AnswerMode.MODEL:
            return ""
    return f"None of {asked} questions about the documents is answered with a citation." if asked else ""


def _questions() -> Iterator[tuple[Bot, str]]:
    """Yield sentences of passages, each with a bot of the same organisation."""
    able = Bot.objects.filter(paused=None, live_revision__isnull=False, sources=None)
    bots = {bot.organisation_id: bot for bot in able.order_by("-created")}
    passages = Chunk.objects.filter(version__state=VersionState.ACTIVE, organisation__in=bots, tokens__gte=12)
    for chunk in passages.order_by("-id")[:TRIES]:
        sentences = re.split(r"(?<=[.!?])\s+", chunk.text)
        yield bots[chunk.organisation_id], max(sentences, key=len)[:300]


async def _ask(organisation: UUID, bot: str, question: str) -> tuple[UUID, str, bool]:
    """Return conversation, mode, whether a passage is cited. Raises RefdeskError."""
    try:
        turn = await turn_begin(TurnRequest(owner=Owner(organisation), bot=bot, question=question))
        async for _ in turn.stream.read():
            pass
        if turn.stream.task is not None:
            await turn.stream.task
        if turn.message is None:
            raise RefdeskError("database_unavailable")
        return turn.conversation, str(turn.message["mode"]), bool(turn.message["citations"])
    finally:
        await http_session_close()
        await database_close()
        await valkey_close()
