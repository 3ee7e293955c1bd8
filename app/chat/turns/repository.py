"""Read and write a turn's rows in PostgreSQL: one statement before the model, and one after.

Each is a single statement and so one short transaction; nothing is held while the model speaks. Plain SQL instead of
the ORM, which alone would cost more than the whole turn may (bench/README.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg

from app.bots.settings import BotSettings
from app.chat.choices import AnswerMode
from app.chat.models import Message
from app.chat.turns.sql import BOT, CHECKPOINT, CLOSE, EARLIER, OPEN, STALE
from app.errors import NotFound, RefdeskError
from app.lib.async_sql import fetch
from app.lib.ids import new_id
from app.lib.sql_columns import set_values
from app.llm.messages import ChatMessage, Role, TextPart
from app.plans.caps import cap_refusal, is_cap
from app.plans.rate_limits import Subject

# A running answer whose row is older than this has lost its process: three missed checkpoints, and a margin.
LEASE_S = 10.0
CHECKPOINT_S = 2.0
TITLE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Owner:
    """The person or the key that a conversation belongs to, in one organisation.

    The conversation belongs to the key's family (ApiKey.family); usage is charged to the key itself.
    """

    organisation: UUID
    user: UUID | None = None
    api_key: UUID | None = None
    key_family: UUID | None = None

    @property
    def subject(self) -> Subject:
        """Return the subject whose limits apply."""
        return Subject(self.organisation, self.api_key, self.user)


@dataclass(frozen=True, slots=True)
class LiveBot:
    """A bot with its live revision. sources: ids, None for all of the organisation's."""

    id: UUID
    slug: str
    revision: UUID
    settings: BotSettings
    sources: tuple[UUID, ...] | None


@dataclass(frozen=True, slots=True)
class OpenedTurn:
    """A turn whose question and answer have rows. passages: rows by chunk id, of active versions only."""

    created: datetime
    history: list[ChatMessage]
    passages: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class TokenReservation:
    """Tokens of a prompt without passages and history, of the model's context, and of the longest answer.

    All 0: no model is to answer.
    """

    fixed: int = 0
    context: int = 0
    most: int = 0


class DuplicateTurn(Exception):
    """A turn whose Idempotency-Key has been used already."""

    def __init__(self, answer: UUID) -> None:
        self.answer = answer


class BotChanged(Exception):
    """A bot that changed after the search; it must be read again."""


_bots: dict[tuple[UUID, str], LiveBot] = {}
_BOTS_KEPT = 1000


async def bot_live(*, organisation: UUID, slug: str, fresh: bool = False) -> LiveBot:
    """Return the live bot. `turn_open` checks a cached one again, so that no turn is answered by a stale bot.

    Raises:
        NotFound: no such bot in the organisation.
        RefdeskError: bot_paused.
    """
    known = _bots.get((organisation, slug))
    if known is not None and not fresh:
        return known
    rows = await fetch(BOT, {"organisation": organisation, "slug": slug})
    if not rows:
        _bots.pop((organisation, slug), None)
        raise NotFound(message="There is no such bot.")
    identity, revision, settings, sources, paused = rows[0]
    if paused:
        _bots.pop((organisation, slug), None)
        raise RefdeskError("bot_paused")
    bot = LiveBot(
        identity, slug, revision, BotSettings.model_validate_json(settings), tuple(sources) if sources else None
    )
    if len(_bots) >= _BOTS_KEPT:
        _bots.clear()
    _bots[organisation, slug] = bot
    return bot


async def questions_earlier(*, owner: Owner, conversation: UUID) -> list[str]:
    """Return the last questions of the owner's conversation, newest first; none when it is not the owner's."""
    parameters = {"conversation": conversation, **_owner_parameters(owner)}
    return [content for (content,) in await fetch(EARLIER, parameters)]


async def turn_open(
    *,
    owner: Owner,
    bot: LiveBot,
    question: str,
    conversation: UUID,
    new: bool,
    question_id: UUID,
    answer_id: UUID,
    key: str,
    mode: str,
    model: str,
    chunks: Sequence[str],
    reservation: TokenReservation,
) -> OpenedTurn:
    """Check the conversation and the bot, write question and answer, reserve tokens, read history and passages.

    All in one statement. new: create the conversation.

    Raises:
        NotFound: the conversation is not the owner's with this bot.
        DuplicateTurn, BotChanged.
        RefdeskError: idempotency_key_reused, quota_used_up, database_unavailable.
    """
    parameters = {
        **_owner_parameters(owner),
        **_bot_parameters(bot, reservation),
        "key": key,
        "new": new,
        "conversation": conversation,
        "title": title_of(question),
        "question": question_id,
        "text": question,
        "answer": answer_id,
        "mode": mode,
        "model": model,
        "chunks": list(chunks),
        "entry": new_id(),
    }
    current, known, same, housed, created, history, passages = await _open(parameters)
    if known is not None:
        _check_same(same)
        raise DuplicateTurn(known)
    if not current:
        raise BotChanged
    if not housed:
        raise NotFound(message="There is no such conversation.")
    rows = {row["id"]: row for row in orjson.loads(passages or "[]")}
    return OpenedTurn(created, _messages(history), rows)


def _messages(history: str | None) -> list[ChatMessage]:
    return [ChatMessage(Role(row["role"]), (TextPart(row["content"]),)) for row in orjson.loads(history or "[]")]


def _check_same(same: bool) -> None:
    if not same:
        raise RefdeskError("idempotency_key_reused")


async def _open(parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    try:
        [row] = await fetch(OPEN, parameters)
    except psycopg.errors.CheckViolation as error:
        if not is_cap(error):
            raise
        raise await cap_refusal(organisation=parameters["organisation"], api_key=parameters["api_key"]) from None
    except psycopg.errors.UniqueViolation as error:
        if not parameters["key"]:
            raise RefdeskError("database_unavailable") from error
        # A simultaneous turn with the same key has just committed.
        [row] = await fetch(OPEN, parameters)
    return row


async def turn_close(
    *,
    organisation: UUID,
    answer: UUID,
    sources: Sequence[UUID] | None,
    values: Mapping[str, Any],
    citations: Sequence[Mapping[str, Any]],
) -> int:
    """Record the answer with its citations, each by its columns (app/chat/models.py). One statement.

    Returns: how many documents of `sources` (None: all) are still being read; counted only for a refusal, else 0.

    Raises:
        RefdeskError: database_unavailable.
    """
    parameters = {
        **set_values(Message, values),
        "organisation": organisation,
        "answer": answer,
        "sources": list(sources) if sources else None,
        "refused": values["mode"] == AnswerMode.REFUSED,
        "citations": orjson.dumps([{"id": new_id(), **citation} for citation in citations]).decode(),
    }
    closed = await fetch(CLOSE, parameters)
    return closed[0][0] if closed else 0  # none: the row is deleted, or was closed by another process


async def answers_checkpoint(contents: Mapping[UUID, str]) -> set[UUID]:
    """Store the text so far of running answers and renew their lease; return the ids of those that still run."""
    parameters = {"ids": list(contents), "contents": [text.replace("\x00", "") for text in contents.values()]}
    return {identity for (identity,) in await fetch(CHECKPOINT, parameters)}


async def answers_interrupt_stale(*, lease_s: float = LEASE_S) -> int:
    """Interrupt answers whose process has died, with their text up to the last checkpoint; return the count."""
    return len(await fetch(STALE, {"lease_s": lease_s}))


def title_of(question: str) -> str:
    """Return the title of a conversation that begins with the question."""
    line = " ".join(question.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def _owner_parameters(owner: Owner) -> dict[str, UUID | None]:
    return {
        "organisation": owner.organisation,
        "user": owner.user,
        "api_key": owner.api_key,
        "key_family": owner.key_family,
    }


def _bot_parameters(bot: LiveBot, reservation: TokenReservation) -> dict[str, Any]:
    return {
        "bot": bot.id,
        "slug": bot.slug,
        "revision": bot.revision,
        "sources": list(bot.sources) if bot.sources else None,
        "history": bot.settings.chat_history_length,
        "shown": bot.settings.retriever_k,
        "fixed": reservation.fixed,
        "context": reservation.context,
        "most": reservation.most,
    }
