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
from app.errors import Conflict, NotFound, RefdeskError
from app.lib.database import fetch
from app.lib.ids import new_id

# A running answer whose row has not moved for this long has lost its process: three checkpoints missed, and room.
LEASE_S = 10.0
CHECKPOINT_S = 2.0
TITLE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose conversation it is: a person's or a key's, in one organisation."""

    organisation: UUID
    user: UUID | None = None
    api_key: UUID | None = None


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
    history: list[dict[str, str]]
    passages: dict[str, dict[str, Any]]


class AskedBefore(Exception):
    """The same Idempotency-Key has a turn already."""

    def __init__(self, answer: UUID) -> None:
        self.answer = answer


class BotChanged(Exception):
    """The bot is not the one that was searched for any more; read it again."""


_BOT = """
SELECT b.id, b.live_revision_id, r.settings::text,
       (SELECT array_agg(s.source_id ORDER BY s.source_id) FROM bots_botsource s WHERE s.bot_id = b.id),
       b.paused IS NOT NULL
FROM bots_bot b JOIN bots_botrevision r ON r.id = b.live_revision_id
WHERE b.organisation_id = %(organisation)s AND b.slug = %(slug)s
"""

_EARLIER = """
SELECT m.content FROM chat_message m JOIN chat_conversation c ON c.id = m.conversation_id
WHERE c.id = %(conversation)s AND c.organisation_id = %(organisation)s AND m.role = 'user'
  AND c.user_id IS NOT DISTINCT FROM %(user)s AND c.api_key_id IS NOT DISTINCT FROM %(api_key)s
ORDER BY m.id DESC LIMIT 3
"""

_OPEN = """
WITH bot AS (
  SELECT b.id FROM bots_bot b
  WHERE b.id = %(bot)s AND b.organisation_id = %(organisation)s AND b.slug = %(slug)s
    AND b.live_revision_id = %(revision)s AND b.paused IS NULL
    AND (SELECT array_agg(s.source_id ORDER BY s.source_id) FROM bots_botsource s WHERE s.bot_id = b.id)
        IS NOT DISTINCT FROM %(sources)s::uuid[]
), known AS (
  SELECT a.id, q.content = %(text)s::text AS same FROM chat_message q JOIN chat_message a ON a.reply_to_id = q.id
  WHERE q.organisation_id = %(organisation)s AND q.idempotency_key = %(key)s AND %(key)s <> ''
), owned AS (
  SELECT c.id FROM chat_conversation c
  WHERE NOT %(new)s AND c.id = %(conversation)s AND c.organisation_id = %(organisation)s AND c.bot_id = %(bot)s
    AND c.user_id IS NOT DISTINCT FROM %(user)s AND c.api_key_id IS NOT DISTINCT FROM %(api_key)s
  FOR KEY SHARE
), made AS (
  INSERT INTO chat_conversation (id, organisation_id, bot_id, user_id, api_key_id, title, created, updated)
  SELECT %(conversation)s, %(organisation)s, %(bot)s, %(user)s, %(api_key)s, %(title)s, now(), now()
  FROM bot WHERE %(new)s AND NOT EXISTS (SELECT FROM known)
  RETURNING id
), home AS (
  SELECT id FROM owned WHERE EXISTS (SELECT FROM bot) AND NOT EXISTS (SELECT FROM known)
  UNION ALL SELECT id FROM made
), history AS (
  SELECT m.id, m.role, m.content FROM chat_message m
  WHERE m.conversation_id IN (SELECT id FROM owned) AND m.content <> ''
  ORDER BY m.id DESC LIMIT %(history)s
), question AS (
  INSERT INTO chat_message (id, organisation_id, conversation_id, role, content, state, mode, model, idempotency_key,
    tokens_in, tokens_out, timings, error_code, created, updated)
  SELECT %(question)s, %(organisation)s, home.id, 'user', %(text)s, 'done', '', '', %(key)s,
    0, 0, '{}', '', now(), now()
  FROM home RETURNING id, conversation_id
), answer AS (
  INSERT INTO chat_message (id, organisation_id, conversation_id, role, reply_to_id, content, state, mode, model,
    idempotency_key, revision_id, tokens_in, tokens_out, timings, error_code, created, updated)
  SELECT %(answer)s, %(organisation)s, question.conversation_id, 'assistant', question.id, '', 'running', %(mode)s,
    %(model)s, '', %(revision)s, 0, 0, '{}', '', now() + interval '1 microsecond', now()
  FROM question RETURNING created
), passage AS (
  SELECT c.id, c.text, c.place, c.document_id, d.name, v.number, v.created AS as_of
  FROM ingest_chunk c
  JOIN sources_document d ON d.id = c.document_id AND d.active_version_id = c.version_id
  JOIN sources_documentversion v ON v.id = c.version_id
  WHERE c.id = ANY(%(chunks)s::uuid[]) AND c.organisation_id = %(organisation)s
    AND d.organisation_id = %(organisation)s
    AND (%(sources)s::uuid[] IS NULL OR d.source_id = ANY(%(sources)s::uuid[]))
)
SELECT EXISTS (SELECT FROM bot), (SELECT id FROM known), (SELECT same FROM known),
  EXISTS (SELECT FROM home), (SELECT created FROM answer),
  (SELECT json_agg(json_build_object('role', role, 'content', content) ORDER BY id) FROM history)::text,
  (SELECT json_agg(row_to_json(passage)) FROM passage)::text
"""

_CLOSE = """
WITH answer AS (
  UPDATE chat_message SET content = %(content)s, state = %(state)s, mode = %(mode)s, model = %(model)s,
    tokens_in = %(tokens_in)s, tokens_out = %(tokens_out)s, timings = %(timings)s::jsonb,
    error_code = %(error_code)s, updated = now(),
    being_read = CASE WHEN %(refused)s THEN (
      SELECT count(*) FROM sources_document d
      WHERE d.organisation_id = %(organisation)s AND d.state IN ('queued', 'running')
        AND (%(sources)s::uuid[] IS NULL OR d.source_id = ANY(%(sources)s::uuid[]))
    ) ELSE 0 END
  WHERE id = %(answer)s AND organisation_id = %(organisation)s AND state IN ('running', 'stopped', 'interrupted')
  RETURNING id, conversation_id, being_read
), cited AS (
  INSERT INTO chat_citation (id, organisation_id, message_id, n, start, "end", support, chunk_id, document_id,
    document_name, version, text, place, as_of)
  SELECT x.id, %(organisation)s, answer.id, x.n, x.start, x."end", NULL, x.chunk_id,
    (SELECT d.id FROM sources_document d WHERE d.id = x.document_id FOR KEY SHARE),
    x.name, x.version, x.text, x.place, x.as_of
  FROM answer, jsonb_to_recordset(%(citations)s::jsonb) AS x(id uuid, n int, start int, "end" int, chunk_id uuid,
    document_id uuid, name text, version int, text text, place jsonb, as_of timestamptz)
), touched AS (
  UPDATE chat_conversation c SET updated = now() FROM answer WHERE c.id = answer.conversation_id
)
SELECT being_read FROM answer
"""

_CHECKPOINT = """
UPDATE chat_message m SET content = x.content, updated = now()
FROM unnest(%(ids)s::uuid[], %(contents)s::text[]) AS x(id, content)
WHERE m.id = x.id AND m.state = 'running' RETURNING m.id
"""

_STALE = """
UPDATE chat_message SET state = 'interrupted', error_code = 'interrupted', updated = now()
WHERE state = 'running' AND updated < now() - make_interval(secs => %(lease_s)s) RETURNING id
"""

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
    rows = await fetch(_BOT, {"organisation": organisation, "slug": slug})
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
    return [content for (content,) in await fetch(_EARLIER, values)]


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
) -> Opened:
    """Check the conversation and the bot, write question and answer, read history and passages. One statement.

    Raises:
        NotFound: the conversation is not the owner's with this bot.
        AskedBefore, BotChanged: see there.
        Conflict: the key belongs to another question.
        RefdeskError: database_unavailable.
    """
    home, asked, answer = conversation or new_id(), new_id(), new_id()
    values = {
        **_owner(owner),
        "bot": bot.id,
        "slug": bot.slug,
        "revision": bot.revision,
        "sources": list(bot.sources) if bot.sources else None,
        "key": key,
        "new": conversation is None,
        "conversation": home,
        "title": title_of(question),
        "history": bot.settings.chat_history_length,
        "question": asked,
        "text": question,
        "answer": answer,
        "mode": mode,
        "model": model,
        "chunks": list(chunks),
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
    return Opened(home, asked, answer, created, orjson.loads(history or "[]"), found)


def _same_checked(same: bool) -> None:
    if not same:
        raise Conflict(message="This Idempotency-Key was sent with another question. Take a new one for each question.")


async def _open(values: Mapping[str, Any]) -> tuple[Any, ...]:
    try:
        [row] = await fetch(_OPEN, values)
    except psycopg.errors.UniqueViolation as error:
        if not values["key"]:
            raise RefdeskError("database_unavailable") from error
        # The same key at the same moment: the other one has just committed.
        [row] = await fetch(_OPEN, values)
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
    closed = await fetch(_CLOSE, values)
    return closed[0][0] if closed else 0  # none: the row is gone, or was closed by another process


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


async def answers_checkpoint(contents: Mapping[UUID, str]) -> set[UUID]:
    """Keep the text so far of running answers and renew their lease; the ids of those that still run."""
    values = {"ids": list(contents), "contents": [text.replace("\x00", "") for text in contents.values()]}
    return {identity for (identity,) in await fetch(_CHECKPOINT, values)}


async def answers_interrupt_stale(*, lease_s: float = LEASE_S) -> int:
    """Mark answers as interrupted whose process has gone; how many. Their text up to the last checkpoint is kept."""
    return len(await fetch(_STALE, {"lease_s": lease_s}))


def title_of(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def _owner(owner: Owner) -> dict[str, UUID | None]:
    return {"organisation": owner.organisation, "user": owner.user, "api_key": owner.api_key}
