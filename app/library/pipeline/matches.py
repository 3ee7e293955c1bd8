"""Find the documents of an organisation that share most of their passages with one that was just read.

Passages are compared by the hash of their text, of which there is an index: one probe for each passage of the new
document, and at most `PER_PASSAGE` rows from each, so a sentence that stands in 10,000 documents costs no more than
one in 20. The result is stored for both directions, since a short document may stand whole in a long one.
"""

from django.db import connection

from app.library.pipeline.context import IngestContext

# A document that shares this part of its passages with another is shown as its near duplicate.
LEAST_PERCENT = 80
PER_PASSAGE = 20

# Both rows of a pair are locked in one order, so that two documents read at once cannot block each other.
_MATCHES = f"""
WITH lease AS (
  SELECT 1 FROM jobs_job WHERE id = %(job)s AND fence = %(fence)s AND state = 'running'
), mine AS (
  SELECT text_hash, count(*) AS n FROM library_chunk, lease WHERE version_id = %(version)s GROUP BY 1
), found AS (
  SELECT o.version_id, o.document_id, o.chunks, m.text_hash, m.n, count(*) AS k
  FROM mine m CROSS JOIN LATERAL (
    SELECT c.version_id, c.document_id, v.chunks
    FROM library_chunk c JOIN library_documentversion v ON v.id = c.version_id AND v.state <> 'retired'
    WHERE c.organisation_id = %(organisation)s AND c.text_hash = m.text_hash AND c.document_id <> %(document)s
    ORDER BY c.document_id LIMIT {PER_PASSAGE}
  ) o GROUP BY 1, 2, 3, 4, 5
), shared AS (
  SELECT document_id, max(ours) AS ours, max(theirs) AS theirs FROM (
    SELECT document_id, 100 * sum(n) / %(chunks)s AS ours, 100 * sum(k) / greatest(chunks, 1) AS theirs
    FROM found GROUP BY version_id, document_id, chunks
  ) x GROUP BY 1
), pairs (document, other, percent) AS (
  SELECT %(document)s::uuid, document_id, least(ours, 100) FROM shared WHERE ours >= {LEAST_PERCENT}
  UNION ALL
  SELECT document_id, %(document)s::uuid, least(theirs, 100) FROM shared WHERE theirs >= {LEAST_PERCENT}
), gone AS (
  DELETE FROM library_documentmatch m USING lease
  WHERE (m.document_id = %(document)s OR m.other_id = %(document)s)
    AND NOT EXISTS (SELECT 1 FROM pairs p WHERE p.document = m.document_id AND p.other = m.other_id)
)
INSERT INTO library_documentmatch (id, organisation_id, document_id, other_id, percent)
SELECT gen_random_uuid(), %(organisation)s, document, other, percent::int FROM pairs ORDER BY document, other
ON CONFLICT (document_id, other_id) DO UPDATE SET percent = excluded.percent
"""  # noqa: S608 (no part comes from outside)


def matches_store(context: IngestContext) -> None:
    """Store which documents share most of their passages with this one, whose passages are stored."""
    lease = context.job.lease
    with connection.cursor() as cursor:
        cursor.execute(
            _MATCHES,
            {
                "job": lease.job,
                "fence": lease.fence,
                "organisation": context.organisation,
                "document": context.document.id,
                "version": context.version,
                "chunks": context.row.chunks,
            },
        )
