"""What a turn reads and writes in PostgreSQL: two statements, one before the model and one after.

Each is a single statement and so one short transaction; nothing is held while the model speaks. Plain SQL instead of
the ORM, which alone would cost more than the whole turn may (docs/benchmarks.md).
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
from app.chat.citations import Citation
from app.chat.turn_sql import BOT, CHECKPOINT, CLOSE, EARLIER, OPEN, STALE
from app.errors import Conflict, NotFound, RefdeskError
from app.lib.async_sql import fetch
from app.lib.ids import new_id
from app.llm.messages import ChatMessage, Role, TextPart
from app.plans.caps import cap_refusal, is_cap
from app.plans.rate_limits import Subject

# A running answer whose row has not moved for this long has lost its process: three checkpoints missed, and room.
LEASE_S = 10.0
CHECKPOINT_S = 2.0
TITLE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose conversation it is: a person's or a key's, in one organisation.

    The conversation belongs to the key's family (ApiKey.family); what is used is charged to the key itself.
    """

    organisation: UUID
    user: UUID | None = None
    api_key: UUID | None = None
    key_family: UUID | None = None

    @property
    def subject(self) -> Subject:
        """Whose limits hold."""
        return Subject(self.organisation, self.api_key, self.user)


@dataclass(frozen=True, slots=True)
class LiveBot:
    """A bot as it answers now. sources: ids, None for all of the organisation's."""

    id: UUID
    slug: str
    revision: UUID
    settings: BotSettings
    sources: tuple[UUID, ...] | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A turn whose question and answer rows are there. passages: rows by chunk id, of active versions only."""

    conversation: UUID
    question: UUID
    answer: UUID
    created: datetime
    history: list[ChatMessage]
    passages: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reserve:
    """Tokens: of the prompt without passages and history, of all that the model reads, of the longest answer.

    All 0: no model is to answer.
    """

    fixed: int = 0
    context: int = 0
    most: int = 0


class AskedBefore(Exception):
    """The same Idempotency-Key has a turn already."""

    def __init__(self, answer: UUID) -> None:
        self.answer = answer


class BotChanged(Exception):
    """The bot is not the one that was searched for any more; read it again."""


_bots: dict[tuple[UUID, str], LiveBot] = {}
_BOTS_KEPT = 1000


async def bot_live(*, organisation: UUID, slug: str, fresh: bool = False) -> LiveBot:
    """The bot as it is live. What is remembered is checked again by `turn_open`, so it is never answered from stale.

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
    """The last questions of the owner's conversation, newest first; none when it is not theirs."""
    values = {"conversation": conversation, **_owner(owner)}
    return [content for (content,) in await fetch(EARLIER, values)]


async def turn_open(
    *,
    owner: Owner,
    bot: LiveBot,
    question: str,
    conversation: UUID | None,
    key: str,
    mode: str,
    model: str,
    chunks: Sequence[str],
    reserve: Reserve,
) -> Opened:
    """Check the conversation and the bot, write question and answer, reserve tokens, read history and passages.

    One statement.

    Raises:
        NotFound: the conversation is not the owner's with this bot.
        AskedBefore, BotChanged: see there.
        Conflict: the key belongs to another question.
        RefdeskError: quota_used_up.
        RefdeskError: database_unavailable.
    """
    values = {
        **_owner(owner),
        **_of_bot(bot, reserve),
        "key": key,
        "new": conversation is None,
        "conversation": conversation or new_id(),
        "title": title_of(question),
        "question": new_id(),
        "text": question,
        "answer": new_id(),
        "mode": mode,
        "model": model,
        "chunks": list(chunks),
        "entry": new_id(),
    }
    current, known, same, housed, created, history, passages = await _open(values)
    if known is not None:
        _same_checked(same)
        raise AskedBefore(known)
    if not current:
        raise BotChanged
    if not housed:
        raise NotFound(message="There is no such conversation.")
    found = {row["id"]: row for row in orjson.loads(passages or "[]")}
    home, asked, answer = values["conversation"], values["question"], values["answer"]
    return Opened(home, asked, answer, created, _messages(history), found)


def _messages(history: str | None) -> list[ChatMessage]:
    return [ChatMessage(Role(row["role"]), (TextPart(row["content"]),)) for row in orjson.loads(history or "[]")]


def _same_checked(same: bool) -> None:
    if not same:
        raise Conflict(message="This Idempotency-Key was sent with another question. Take a new one for each question.")


async def _open(values: Mapping[str, Any]) -> tuple[Any, ...]:
    try:
        [row] = await fetch(OPEN, values)
    except psycopg.errors.CheckViolation as error:
        if not is_cap(error):
            raise
        raise await cap_refusal(organisation=values["organisation"], api_key=values["api_key"]) from None
    except psycopg.errors.UniqueViolation as error:
        if not values["key"]:
            raise RefdeskError("database_unavailable") from error
        # The same key at the same moment: the other one has just committed.
        [row] = await fetch(OPEN, values)
    return row


async def turn_close(
    *,
    organisation: UUID,
    answer: UUID,
    sources: Sequence[UUID] | None,
    content: str,
    state: str,
    mode: str,
    model: str,
    tokens_in: int,
    tokens_out: int,
    timings: Mapping[str, float | None],
    error_code: str,
    citations: Sequence[tuple[Citation, Mapping[str, Any]]],
) -> int:
    """Record the answer with its citations (each with its passage's row of `turn_open`). One statement.

    Returns: how many documents of `sources` (None: all) are still being read; counted only for a refusal, else 0.

    Raises:
        RefdeskError: database_unavailable.
    """
    rows = [_citation_row(citation, row) for citation, row in citations]
    values = {
        "organisation": organisation,
        "answer": answer,
        "sources": list(sources) if sources else None,
        "content": content.replace("\x00", ""),
        "state": state,
        "mode": mode,
        "refused": mode == AnswerMode.REFUSED,
        "model": model,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "timings": orjson.dumps(timings).decode(),
        "error_code": error_code,
        "citations": orjson.dumps(rows).decode(),
    }
    closed = await fetch(CLOSE, values)
    return closed[0][0] if closed else 0  # none: the row is gone, or was closed by another process


async def answers_checkpoint(contents: Mapping[UUID, str]) -> set[UUID]:
    """Keep the text so far of running answers and renew their lease; the ids of those that still run."""
    values = {"ids": list(contents), "contents": [text.replace("\x00", "") for text in contents.values()]}
    return {identity for (identity,) in await fetch(CHECKPOINT, values)}


async def answers_interrupt_stale(*, lease_s: float = LEASE_S) -> int:
    """Mark answers as interrupted whose process has gone; how many. Their text up to the last checkpoint is kept."""
    return len(await fetch(STALE, {"lease_s": lease_s}))


def title_of(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def _owner(owner: Owner) -> dict[str, UUID | None]:
    return {
        "organisation": owner.organisation,
        "user": owner.user,
        "api_key": owner.api_key,
        "key_family": owner.key_family,
    }


def _of_bot(bot: LiveBot, reserve: Reserve) -> dict[str, Any]:
    return {
        "bot": bot.id,
        "slug": bot.slug,
        "revision": bot.revision,
        "sources": list(bot.sources) if bot.sources else None,
        "history": bot.settings.chat_history_length,
        "shown": bot.settings.retriever_k,
        "fixed": reserve.fixed,
        "context": reserve.context,
        "most": reserve.most,
    }


def _citation_row(citation: Citation, passage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id(),
        "n": citation.n,
        "start": citation.start,
        "end": citation.end,
        "chunk_id": passage["id"],
        **{name: passage[name] for name in ("document_id", "name", "text", "place", "as_of")},
        "version": passage["number"],
    }
