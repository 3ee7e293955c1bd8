"""Compare the points of one index with the passages of active versions."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

from app.jobs.selectors import jobs_open
from app.library.services.jobs import DROP, INGESTS
from app.llm.choices import ChangeState
from app.llm.embeddings import EmbeddingSpace
from app.llm.models import EmbeddingChange
from app.llm.models_kept import KeptModels
from app.retrieval.index import collection_name
from app.retrieval.index_loader import index_exists

if TYPE_CHECKING:
    from app.retrieval.index_writer import IndexWriter


@dataclass(frozen=True, slots=True)
class PointsResult:
    """The differences of one index. missing: passages without a point, each with its version."""

    points: int
    orphans: list[str]
    missing: dict[UUID, UUID]


@contextmanager
def store_table(name: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[datetime, int]]:
    """Make a temporary table of another store's contents; yield the time before the reading and the number of rows."""
    count = 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        begun = cursor.fetchone()[0]
        cursor.execute(f"CREATE TEMPORARY TABLE {name} ({columns})")
        try:
            with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
                    count += 1
            cursor.execute(f"ANALYZE {name}")
            yield begun, count
        finally:
            cursor.execute(f"DROP TABLE IF EXISTS {name}")


def ids_select(sql: str, parameters: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [row[0] for row in cursor.fetchall()]


DELETED = """EXISTS (SELECT 1 FROM jobs_job d WHERE d.kind = 'document_delete'
    AND (d.state IN ('queued', 'running') OR d.updated >= %(begun)s) AND d.payload->'{kind}' ? {value})"""

_INGESTS = "j.kind IN (" + ", ".join(f"'{kind}'" for kind in INGESTS) + ")"

_ORPHANS = f"""
SELECT p.id FROM store_points p
LEFT JOIN library_chunk c ON c.id::text = p.id AND c.organisation_id::text = p.organisation
    AND c.version_id::text = p.version
LEFT JOIN library_documentversion v ON v.id = c.version_id
WHERE NOT coalesce(v.state = 'active' OR EXISTS (
        SELECT 1 FROM jobs_job j WHERE {_INGESTS} AND j.payload->>'version' = v.id::text
          AND j.state IN ('queued', 'running')), false)
  AND NOT {DELETED.format(kind="versions", value="p.version")}
"""  # noqa: S608 (no part comes from outside)

_MISSING = f"""
SELECT c.id, c.version_id FROM library_chunk c JOIN library_documentversion v ON v.id = c.version_id
LEFT JOIN store_points p ON p.id = c.id::text AND p.organisation = c.organisation_id::text
    AND p.version = c.version_id::text
WHERE v.state = 'active' AND (%(only)s::text IS NULL OR v.embedding_model = %(only)s) AND p.id IS NULL
  AND NOT EXISTS (SELECT 1 FROM jobs_job j WHERE {_INGESTS} AND j.payload->>'version' = v.id::text
                  AND (j.state IN ('queued', 'running') OR j.updated >= %(begun)s))
"""  # noqa: S608 (no part comes from outside)


def points_compare(writer: "IndexWriter", *, only: str | None = None) -> PointsResult:
    """Compare an index. only: leave out passages that were cut for another model than this.

    Raises:
        Upstream: search_unavailable.
    """
    owners = ((point.id, point.organisation, point.version) for point in writer.point_owners())
    with store_table("store_points", "id text, organisation text, version text", owners) as (begun, points):
        orphans = ids_select(_ORPHANS, {"begun": begun})
        with connection.cursor() as cursor:
            cursor.execute(_MISSING, {"begun": begun, "only": only})
            missing = dict(cursor.fetchall())
    return PointsResult(points, orphans, missing)


def indexes_left_over(models: KeptModels) -> list[EmbeddingSpace]:
    """Return the models of ended changes that have an index again, by an upload that had begun long before."""
    kept = {collection_name(model.space) for model in models.all}
    dropping = set(jobs_open(kind=DROP).values_list("subject", flat=True))
    left = {}
    for row in EmbeddingChange.objects.filter(
        state__in=(ChangeState.DONE, ChangeState.ABANDONED), started__isnull=False
    ):
        done = row.state == ChangeState.DONE
        space = EmbeddingSpace(*((row.old_model, row.old_dimensions or 0) if done else (row.model, row.dimensions)))
        if collection_name(space) not in kept and str(row.pk) not in dropping:
            left[collection_name(space)] = space
    return [space for space in left.values() if index_exists(space)]
