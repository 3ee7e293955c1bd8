"""Documents of an organisation that have the same bytes or nearly the same passages as others.

The hash of a file's bytes has an index; the passages were compared when a document was read
(app/library/pipeline/matches.py). So a page of the list costs two probes of indexes for each of its rows.
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Another document. percent: how many of a document's passages stand in it too."""

    id: UUID
    name: str
    percent: int
    same_bytes: bool


# The versions whose bytes are a document's: those that are searched or wait to be.
_TWINS = """
SELECT v.document_id AS document, o.document_id AS other, 100 AS percent, true AS same
FROM library_documentversion v JOIN library_documentversion o ON o.organisation_id = %(organisation)s
  AND o.sha256 = v.sha256 AND o.state <> 'retired' AND o.document_id <> v.document_id
WHERE v.document_id = ANY(%(documents)s) AND v.state <> 'retired' AND v.organisation_id = %(organisation)s
UNION ALL
SELECT m.document_id, m.other_id, m.percent, false FROM library_documentmatch m
WHERE m.document_id = ANY(%(documents)s) AND m.organisation_id = %(organisation)s
"""

_OF_ONE = f"""
SELECT d.id, d.name, max(t.percent), bool_or(t.same) FROM ({_TWINS}) t
JOIN library_document d ON d.id = t.other AND d.organisation_id = %(organisation)s
GROUP BY d.id, d.name ORDER BY bool_or(t.same) DESC, max(t.percent) DESC, d.id LIMIT {SHOWN}
"""  # noqa: S608 (no part comes from outside)

_AMONG = f"""
SELECT t.document, bool_or(t.same) FROM ({_TWINS}) t
JOIN library_document d ON d.id = t.other AND d.organisation_id = %(organisation)s GROUP BY 1
"""  # noqa: S608 (no part comes from outside)


def duplicates_of(*, organisation: UUID, document: UUID) -> list[Duplicate]:
    """Return the documents that one repeats, those with the same bytes first."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_ONE, {"organisation": organisation, "documents": [document]})
        return [Duplicate(*row) for row in cursor.fetchall()]


def duplicates_among(*, organisation: UUID, documents: Collection[UUID]) -> dict[UUID, str]:
    """Return a word for each of these documents that repeats another."""
    with connection.cursor() as cursor:
        cursor.execute(_AMONG, {"organisation": organisation, "documents": list(documents)})
        return {document: "duplicate" if same else "near duplicate" for document, same in cursor.fetchall()}
