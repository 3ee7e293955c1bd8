"""The statements of a turn, each one short transaction (app/chat/turns/repository.py runs them).

The columns of messages and citations follow from their declaration (app/chat/models.py).
"""

from app.chat.models import Citation, Conversation, Message
from app.chat.prompts import BYTES_PER_TOKEN
from app.lib.async_sql import of_organisation
from app.lib.columns import Use, column_names
from app.lib.sql_columns import insert_parts, quoted, record_parts, set_parts
from app.plans.ledger import CHARGED, COLUMNS, TODAY, TOTALS, TOTALS_WITHIN_CAPS
from app.retrieval.search import DOCUMENT_NAME_SQL

BOT = """
SELECT b.id, b.live_revision_id, r.settings::text,
       (SELECT array_agg(s.source_id ORDER BY s.source_id) FROM bots_botsource s WHERE s.bot_id = b.id),
       b.paused IS NOT NULL
FROM bots_bot b JOIN bots_botrevision r ON r.id = b.live_revision_id
WHERE b.organisation_id = %(organisation)s AND b.slug = %(slug)s
"""

EARLIER = """
SELECT m.content FROM chat_message m JOIN chat_conversation c ON c.id = m.conversation_id
WHERE c.id = %(conversation)s AND c.organisation_id = %(organisation)s AND m.role = 'user'
  AND c.user_id IS NOT DISTINCT FROM %(user)s AND c.api_key_id IS NOT DISTINCT FROM %(key_family)s
ORDER BY m.id DESC LIMIT 3
"""

# Passages and history that the model reads: the fixed part of the prompt, its first passages and the history, within
# its context.
# `most` is 0 when no model is to answer.
_ESTIMATE = f"""
  SELECT CASE WHEN %(most)s = 0 THEN 0 ELSE LEAST(%(context)s - %(most)s, %(fixed)s + (
    COALESCE((SELECT sum(octet_length(text)) FROM passage
      WHERE array_position(%(chunks)s::uuid[], id) <= %(shown)s), 0)
    + COALESCE((SELECT sum(octet_length(content)) FROM history), 0)) / {BYTES_PER_TOKEN}) END::int AS tokens_in
"""

_CONVERSATION = insert_parts(
    Conversation,
    {
        "id": "%(conversation)s",
        "organisation_id": "%(organisation)s",
        "bot_id": "%(bot)s",
        "user_id": "%(user)s",
        "api_key_id": "%(key_family)s",
        "title": "%(title)s",
        "created": "now()",
        "updated": "now()",
    },
)
_QUESTION = insert_parts(
    Message,
    {
        "id": "%(question)s",
        "organisation_id": "%(organisation)s",
        "conversation_id": "home.id",
        "role": "'user'",
        "idempotency_key": "%(key)s",
        "content": "%(text)s",
        "state": "'done'",
        "created": "now()",
        "updated": "now()",
    },
)
_ANSWER = insert_parts(
    Message,
    {
        "id": "%(answer)s",
        "organisation_id": "%(organisation)s",
        "conversation_id": "question.conversation_id",
        "role": "'assistant'",
        "reply_to_id": "question.id",
        "state": "'running'",
        "mode": "%(mode)s",
        "model": "%(model)s",
        "revision_id": "%(revision)s",
        "tokens_in": "estimate.tokens_in",
        "tokens_out": "%(most)s",
        "created": "now() + interval '1 microsecond'",
        "updated": "now()",
    },
)

OPEN = f"""
WITH bot AS (
  SELECT b.id FROM bots_bot b
  WHERE b.id = %(bot)s AND b.organisation_id = %(organisation)s AND b.slug = %(slug)s
    AND b.live_revision_id = %(revision)s AND b.paused IS NULL
    AND (SELECT array_agg(s.source_id ORDER BY s.source_id) FROM bots_botsource s WHERE s.bot_id = b.id)
        IS NOT DISTINCT FROM %(sources)s::uuid[]
), known AS (
  SELECT a.id, q.content = %(text)s::text AS same FROM chat_message q JOIN chat_message a ON a.reply_to_id = q.id
  WHERE q.idempotency_key = %(key)s AND q.idempotency_key <> '' AND {of_organisation("q")}
), owned AS (
  SELECT c.id FROM chat_conversation c
  WHERE NOT %(new)s AND c.id = %(conversation)s AND c.organisation_id = %(organisation)s AND c.bot_id = %(bot)s
    AND c.user_id IS NOT DISTINCT FROM %(user)s AND c.api_key_id IS NOT DISTINCT FROM %(key_family)s
  FOR KEY SHARE
), made AS (
  INSERT INTO chat_conversation ({_CONVERSATION[0]}) SELECT {_CONVERSATION[1]}
  FROM bot WHERE %(new)s AND NOT EXISTS (SELECT FROM known)
  RETURNING id
), home AS (
  SELECT id FROM owned WHERE EXISTS (SELECT FROM bot) AND NOT EXISTS (SELECT FROM known)
  UNION ALL SELECT id FROM made
), history AS (
  SELECT m.id, m.role, m.content FROM chat_message m
  WHERE m.conversation_id IN (SELECT id FROM owned) AND m.content <> ''
  ORDER BY m.id DESC LIMIT %(history)s
), passage AS (
  SELECT c.id, c.text, c.place, c.document_id, {DOCUMENT_NAME_SQL} AS name, v.number, v.fetched AS as_of
  FROM (SELECT * FROM library_chunk WHERE id = ANY(%(chunks)s::uuid[]) OFFSET 0) c
  JOIN library_document d ON d.id = c.document_id AND d.active_version_id = c.version_id
  JOIN library_documentversion v ON v.id = c.version_id
  WHERE c.organisation_id = %(organisation)s AND d.organisation_id = %(organisation)s
    AND (%(sources)s::uuid[] IS NULL OR d.source_id = ANY(%(sources)s::uuid[]))
), estimate AS ({_ESTIMATE}), question AS (
  INSERT INTO chat_message ({_QUESTION[0]}) SELECT {_QUESTION[1]}
  FROM home RETURNING id, conversation_id
), answer AS (
  INSERT INTO chat_message ({_ANSWER[0]}) SELECT {_ANSWER[1]}
  FROM question, estimate RETURNING id, created, tokens_in, tokens_out
), charged AS (
  INSERT INTO plans_usageentry ({COLUMNS})
  SELECT %(entry)s, %(organisation)s, now(), {TODAY}, 'turn', 'reserve', answer.id, %(bot)s, %(api_key)s, %(user)s,
    %(model)s, 1, answer.tokens_in, answer.tokens_out
  FROM answer {CHARGED}
), {TOTALS_WITHIN_CAPS}
SELECT EXISTS (SELECT FROM bot), (SELECT id FROM known), (SELECT same FROM known),
  EXISTS (SELECT FROM home), (SELECT created FROM answer),
  (SELECT json_agg(json_build_object('role', role, 'content', content) ORDER BY id) FROM history)::text,
  (SELECT json_agg(row_to_json(passage)) FROM passage)::text
"""

# The ledger entry for the difference between a turn's usage and its reservation. `owed`: answer and difference.
_SETTLE = f"""
charged AS (
  INSERT INTO plans_usageentry ({COLUMNS})
  SELECT gen_random_uuid(), r.organisation_id, now(), r.day, r.kind, 'settle', r.subject, r.bot, r.api_key, r."user",
    r.model, 0, owed.tokens_in, owed.tokens_out
  FROM owed CROSS JOIN LATERAL (
    SELECT * FROM plans_usageentry e WHERE e.subject = owed.id AND e.step = 'reserve' LIMIT 1
  ) r
  WHERE owed.tokens_in <> 0 OR owed.tokens_out <> 0 {CHARGED}
), {TOTALS}
"""

_CITED = column_names(Citation, Use.RESULT)
_CITATION_RECORD = record_parts(Citation, [*_CITED, "document_id"])
_CITATION = insert_parts(
    Citation,
    {
        **{name: f"x.{quoted(name)}" for name in _CITED},
        "organisation_id": "%(organisation)s",
        "message_id": "answer.id",
        # Null for a document that has just been deleted.
        "document_id": "(SELECT d.id FROM library_document d WHERE d.id = x.document_id FOR KEY SHARE)",
    },
)

# An answer that was deleted while being written is settled by the ledger's own entries.
CLOSE = f"""
WITH was AS (
  SELECT id, tokens_in, tokens_out FROM chat_message m
  WHERE id = %(answer)s AND {of_organisation("m")} AND state IN ('running', 'stopped', 'interrupted')
  FOR NO KEY UPDATE
), answer AS (
  UPDATE chat_message m SET {set_parts(Message)}, updated = now(),
    being_read = CASE WHEN %(refused)s THEN (
      SELECT count(*) FROM library_document d
      WHERE d.organisation_id = %(organisation)s AND d.state IN ('queued', 'running')
        AND (%(sources)s::uuid[] IS NULL OR d.source_id = ANY(%(sources)s::uuid[]))
    ) ELSE 0 END
  FROM was WHERE m.id = was.id
  RETURNING m.id, m.conversation_id, m.being_read,
    m.tokens_in - was.tokens_in AS owed_in, m.tokens_out - was.tokens_out AS owed_out
), owed AS (
  SELECT id, owed_in AS tokens_in, owed_out AS tokens_out FROM answer
  UNION ALL
  SELECT e.subject, %(tokens_in)s - sum(e.tokens_in), %(tokens_out)s - sum(e.tokens_out) FROM plans_usageentry e
  WHERE e.subject = %(answer)s AND e.organisation_id = %(organisation)s
    AND NOT EXISTS (SELECT FROM chat_message WHERE id = %(answer)s)
  GROUP BY e.subject
), cited AS (
  INSERT INTO chat_citation ({_CITATION[0]}) SELECT {_CITATION[1]}
  FROM answer, jsonb_to_recordset(%(citations)s::jsonb) AS x({_CITATION_RECORD})
), touched AS (
  UPDATE chat_conversation c SET updated = now() FROM answer WHERE c.id = answer.conversation_id
), {_SETTLE}
SELECT being_read FROM answer
"""

CHECKPOINT = """
UPDATE chat_message m SET content = x.content, updated = now()
FROM unnest(%(ids)s::uuid[], %(contents)s::text[]) AS x(id, content)
WHERE m.id = x.id AND m.state = 'running' RETURNING m.id
"""

# The usage of a model whose process died is unknown: it is estimated by the text so far, with the prompt's tokens;
# without a text the turn is free.
STALE = f"""
WITH was AS (
  SELECT id, tokens_in, tokens_out, content <> '' AND tokens_out > 0 AS begun,
    LEAST(tokens_out, octet_length(content) / {BYTES_PER_TOKEN} + 1) AS written
  FROM chat_message WHERE state = 'running' AND updated < now() - make_interval(secs => %(lease_s)s)
  FOR NO KEY UPDATE SKIP LOCKED
), ended AS (
  UPDATE chat_message m SET state = 'interrupted', error_code = 'interrupted', updated = now(),
    tokens_in = CASE WHEN was.begun THEN was.tokens_in ELSE 0 END,
    tokens_out = CASE WHEN was.begun THEN was.written ELSE 0 END
  FROM was WHERE m.id = was.id
  RETURNING m.id, m.tokens_in - was.tokens_in AS tokens_in, m.tokens_out - was.tokens_out AS tokens_out
), owed AS (SELECT * FROM ended), {_SETTLE}
SELECT id FROM ended
"""
