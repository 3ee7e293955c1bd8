"""Write the results of an ingest: the passages of a version, and its activation.

Each is one statement and so one round trip: eight statements by the ORM in a transaction cost 6 ms of two processes,
and the whole ingest of a small file should cost 20 ms. The statements are fenced: parts that read `lease` change
nothing when the lease is lost.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import orjson
from django.db import connection

from app.jobs.leases import DONE_SQL, LeaseLost, fenced_sql
from app.library.pipeline.context import IngestContext, StoredChunk
from app.library.pipeline.sandbox import ParsedChunks
from app.plans.ledger import COLUMNS, TODAY

_KEEP = f"""
{fenced_sql("step = 'embed', deaths = 0")}, version AS (
    UPDATE library_documentversion SET media_type = %(media_type)s, title = %(title)s, language = %(language)s,
        pages = %(pages)s, seconds = %(seconds)s, chunks = %(chunks)s, embedding_model = %(model)s,
        warnings = %(warnings)s::jsonb
    FROM lease WHERE library_documentversion.id = %(version)s
), document AS (
    UPDATE library_document SET media_type = %(media_type)s, pages = %(pages)s, chunks = %(chunks)s,
        version = greatest(version, %(number)s), updated = now()
    FROM lease WHERE library_document.id = %(document)s
), text AS (
    INSERT INTO library_versiontext (version_id, organisation_id, blocks)
    SELECT %(version)s, %(organisation)s, %(blocks)s FROM lease
    ON CONFLICT (version_id) DO UPDATE SET blocks = excluded.blocks
), rows AS (
    INSERT INTO library_chunk (organisation_id, document_id, version_id, id, position, text, embed_text, tokens, start,
        "end", place)
    SELECT %(organisation)s, %(document)s, %(version)s, c.id, c.position, c.text, c.embed_text, c.tokens, c.start,
        c.stop, c.place::jsonb
    FROM lease, unnest(%(ids)s::uuid[], %(positions)s::int[], %(texts)s::text[], %(embed_texts)s::text[],
        %(tokens)s::int[], %(starts)s::int[], %(ends)s::int[], %(places)s::text[])
        AS c (id, position, text, embed_text, tokens, start, stop, place)
)
SELECT now() FROM lease
"""  # noqa: S608 (no part comes from outside)

_ACTIVATE = f"""
{fenced_sql(DONE_SQL)}, version AS (
    UPDATE library_documentversion SET state = 'active', attempts = %(attempts)s::jsonb
    FROM lease WHERE library_documentversion.id = %(version)s
), document AS (
    UPDATE library_document SET state = CASE WHEN version > %(number)s THEN 'queued' ELSE 'ready' END, step = NULL,
        percent = 100, active_version_id = %(version)s, chunks = %(chunks)s,
        version = greatest(version, %(number)s), error_code = '', error_message = '', updated = now()
    FROM lease WHERE library_document.id = %(document)s RETURNING version > %(number)s AS newer
), charged AS (
    INSERT INTO plans_usageentry ({COLUMNS}, tokens_embedded)
    SELECT gen_random_uuid(), %(organisation)s, now(), {TODAY}, 'ingest', 'charge', %(version)s, NULL, NULL, NULL,
        %(embedding)s, 0, 0, 0, (SELECT COALESCE(sum(tokens), 0) FROM library_chunk WHERE version_id = %(version)s)
    FROM lease
    -- Points that are written again, for a document that was moved, are no use of the model.
    WHERE EXISTS (SELECT FROM library_documentversion WHERE id = %(version)s AND state <> 'active')
)
SELECT now(), (SELECT newer FROM document) FROM lease
"""  # noqa: S608 (no part comes from outside)


def _named(context: IngestContext) -> dict[str, Any]:
    lease, row = context.job.lease, context.row
    return {
        "job": lease.job,
        "fence": lease.fence,
        "organisation": row.organisation_id,
        "document": row.document_id,
        "version": row.id,
        "number": row.number,
        "chunks": row.chunks,
    }


def _run(statement: str, values: dict[str, Any]) -> Any:
    """Return the row of a statement, whose first column is the time of the write. Raises LeaseLost."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    if row is None:
        raise LeaseLost
    return row


def chunks_keep(context: IngestContext, parsed: ParsedChunks, chunks: Sequence[StoredChunk]) -> None:
    """Store the passages and the text of a version that has none yet. Raises LeaseLost."""
    document, drafts = context.document, parsed.drafts
    document.updated, *_ = _run(
        _KEEP,
        {
            **_named(context),
            "media_type": parsed.media_type,
            "title": (parsed.title or "")[:500],
            "language": context.row.language,
            "pages": parsed.pages,
            "seconds": parsed.seconds,
            "model": context.space.model,
            "warnings": orjson.dumps(parsed.warnings).decode(),
            "blocks": zlib.compress(parsed.blocks_json, 6),
            "ids": [one.id for one in chunks],
            "positions": [draft.position for draft in drafts],
            "texts": [draft.text for draft in drafts],
            "embed_texts": [one.embed_text for one in chunks],
            "tokens": [draft.tokens for draft in drafts],
            "starts": [draft.start for draft in drafts],
            "ends": [draft.end for draft in drafts],
            "places": [orjson.dumps(draft.place.to_json()).decode() for draft in drafts],
        },
    )
    document.media_type, document.pages = parsed.media_type, parsed.pages


def version_activate(context: IngestContext) -> bool:
    """Activate the version; return whether a newer version waits to be read. Raises LeaseLost.

    The document's row shows it: adding a version locks that row, and this statement waits for the lock.
    """
    values = {**_named(context), "embedding": context.space.model, "attempts": context.timeline.attempts()}
    _, newer = _run(_ACTIVATE, values)
    context.job.ended = True
    return bool(newer)
