"""Compare rows, vectors and objects with each other; report differences and, if asked, repair them.

The entries of the other stores are copied into temporary tables first and the rows are read after, so that an entry
that came or went meanwhile is recognised by its job and left alone.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, TextField
from django.db.models.functions import Cast, Now

from app.lib.advisory_lock import RECONCILER, lock_for_transaction, lock_try
from app.lib.storage import storage
from app.library.choices import DocumentState, Step, VersionState
from app.library.models import Document, DocumentVersion
from app.library.pipeline.deletion import object_delete_unnamed
from app.library.services.jobs import ingest_job_create, ingests_open
from app.llm.embeddings import EmbeddingSpace, embeddings_client
from app.retrieval.index_loader import index_writer

if TYPE_CHECKING:
    from app.retrieval.index_writer import IndexWriter

log = logging.getLogger(__name__)

# An object may be older than its row by as long as an upload takes.
OBJECT_AGE_S = 3600
SHOWN = 20
STEPS = ("vectors", "files", "documents", "tidy")


@dataclass(slots=True)
class Finding:
    """The number of differences of one kind, and the first few ids or keys."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, found: Sequence[Any]) -> "Finding":
        return cls(len(found), [str(entry) for entry in found[:SHOWN]])


@dataclass(slots=True)
class Report:
    """All differences. `other_model`: documents whose vectors another embedding model made."""

    missing_points: Finding = field(default_factory=Finding)
    orphan_points: Finding = field(default_factory=Finding)
    missing_objects: Finding = field(default_factory=Finding)
    orphan_objects: Finding = field(default_factory=Finding)
    stuck_documents: Finding = field(default_factory=Finding)
    other_model: Finding = field(default_factory=Finding)
    points: int = 0
    objects: int = 0
    repaired: bool = False

    @property
    def clean(self) -> bool:
        return not any(finding.count for finding in self.findings().values())

    def findings(self) -> dict[str, Finding]:
        return {name: value for name in self.__slots__ if isinstance(value := getattr(self, name), Finding)}

    def as_json(self) -> dict[str, Any]:
        return {"clean": self.clean, **asdict(self)}


def reconcile(
    *, repair: bool, object_age_s: float = OBJECT_AGE_S, on_step: Callable[[str], None] = lambda step: None
) -> Report | None:
    """Compare all organisations; return None while another process does it. on_step: called with each of STEPS.

    Raises:
        Upstream: search, the embeddings server or the file store does not answer.
    """
    with lock_try(RECONCILER) as alone:
        if not alone:
            return None
        report = Report(repaired=repair)
        on_step("vectors")
        space = embeddings_client().space()
        _points_compare(report, space, index_writer(space), repair=repair)
        on_step("files")
        _objects_compare(report, repair=repair, age_s=object_age_s)
        on_step("documents")
        _documents_compare(report, repair=repair)
        if repair:
            on_step("tidy")
            _tidy()
    if not report.clean:
        log.warning(
            "reconciler: %s", {name: finding.count for name, finding in report.findings().items() if finding.count}
        )
    return report


def reconciler_keep_away() -> None:
    """Block reconcilers until this transaction, which stores files before their rows, ends; wait for a running one."""
    lock_for_transaction(RECONCILER)


@contextmanager
def _table(name: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[datetime, int]]:
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


def _ids(sql: str, parameters: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [row[0] for row in cursor.fetchall()]


_DELETED = """EXISTS (SELECT 1 FROM jobs_job d WHERE d.kind = 'document_delete'
    AND (d.state IN ('queued', 'running') OR d.updated >= %(begun)s) AND d.payload->'{kind}' ? {value})"""

_ORPHANS = f"""
SELECT p.id FROM store_points p
LEFT JOIN library_chunk c ON c.id::text = p.id AND c.organisation_id::text = p.organisation
    AND c.version_id::text = p.version
LEFT JOIN library_documentversion v ON v.id = c.version_id
WHERE NOT coalesce(v.state = 'active' OR EXISTS (
        SELECT 1 FROM jobs_job j WHERE j.kind IN ('ingest', 'ingest_slow', 'ingest_scan')
          AND j.payload->>'version' = v.id::text AND j.state IN ('queued', 'running')), false)
  AND NOT {_DELETED.format(kind="versions", value="p.version")}
"""  # noqa: S608 (no part comes from outside)

_MISSING = """
SELECT c.id, c.version_id FROM library_chunk c JOIN library_documentversion v ON v.id = c.version_id
LEFT JOIN store_points p ON p.id = c.id::text AND p.organisation = c.organisation_id::text
    AND p.version = c.version_id::text
WHERE v.state = 'active' AND v.embedding_model = %(model)s AND p.id IS NULL
  AND NOT EXISTS (SELECT 1 FROM jobs_job j WHERE j.kind IN ('ingest', 'ingest_slow', 'ingest_scan')
                  AND j.payload->>'version' = v.id::text
                  AND (j.state IN ('queued', 'running') OR j.updated >= %(begun)s))
"""


def _points_compare(report: Report, space: EmbeddingSpace, writer: "IndexWriter", *, repair: bool) -> None:
    owners = ((point.id, point.organisation, point.version) for point in writer.point_owners())
    with _table("store_points", "id text, organisation text, version text", owners) as (begun, report.points):
        orphans = _ids(_ORPHANS, {"begun": begun})
        with connection.cursor() as cursor:
            cursor.execute(_MISSING, {"begun": begun, "model": space.model})
            missing = cursor.fetchall()
    report.orphan_points, report.missing_points = Finding.of(orphans), Finding.of([row[0] for row in missing])
    active = DocumentVersion.objects.filter(state=VersionState.ACTIVE, chunks__gt=0)
    report.other_model = Finding.of(
        list(active.exclude(embedding_model=space.model).values_list("document", flat=True))
    )
    if repair:
        writer.points_delete(orphans)
        # The stored passages are indexed again, with their vectors from the cache.
        for version in {row[1] for row in missing}:
            _job_again(version, Step.EMBED)


def _job_again(version: UUID, step: Step | None) -> None:
    row = DocumentVersion.objects.select_related("document").filter(pk=version).first()
    if row is not None:
        ingest_job_create(organisation=row.organisation_id, document=row.document, version=row, step=step)


_MISSING_OBJECTS = """
SELECT DISTINCT v.document_id FROM library_documentversion v LEFT JOIN store_objects o ON o.key = v.storage_key
WHERE o.key IS NULL AND v.state <> 'retired' AND v.created < %(begun)s
"""

_ORPHAN_OBJECTS = f"""
SELECT o.key FROM store_objects o LEFT JOIN library_documentversion v ON v.storage_key = o.key
WHERE v.id IS NULL AND o.modified < extract(epoch FROM now()) - %(age)s
  AND NOT {_DELETED.format(kind="objects", value="o.key")}
"""  # noqa: S608 (no part comes from outside)


def _objects_compare(report: Report, *, repair: bool, age_s: float) -> None:
    stored = ((entry.key, entry.modified) for entry in storage().objects())
    with _table("store_objects", "key text, modified float8", stored) as (begun, report.objects):
        report.missing_objects = Finding.of(_ids(_MISSING_OBJECTS, {"begun": begun}))
        orphans = _ids(_ORPHAN_OBJECTS, {"begun": begun, "age": age_s})
    report.orphan_objects = Finding.of(orphans)
    if repair:
        for key in orphans:
            object_delete_unnamed(key=key)


def _documents_compare(report: Report, *, repair: bool) -> None:
    open_jobs = ingests_open().filter(unique_key=Cast(OuterRef("pk"), TextField()))
    at_work = (DocumentState.QUEUED, DocumentState.RUNNING)
    stuck = list(Document.objects.filter(~Exists(open_jobs), state__in=at_work))
    report.stuck_documents = Finding.of([document.id for document in stuck])
    for document in stuck if repair else ():
        version = document.versions.filter(state=VersionState.BUILDING).order_by("-number").first()
        if version is not None:
            _job_again(version.id, None)
        else:
            Document.objects.filter(pk=document.pk, state__in=at_work).update(
                state=DocumentState.READY if document.active_version_id else DocumentState.FAILED,
                error_code="" if document.active_version_id else "internal",
                step=None,
                updated=Now(),
            )


def _tidy() -> None:
    """Remove data that is no longer needed."""
    storage().purge_staging(older_than_s=OBJECT_AGE_S)
