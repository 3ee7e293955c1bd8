"""Compare rows, vectors and objects with each other; report differences and, if asked, repair them.

The entries of the other stores are copied into temporary tables first and the rows are read after, so that an entry
that came or went meanwhile is recognised by its job and left alone.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, TextField
from django.db.models.functions import Cast, Now

from app.lib.advisory_lock import RECONCILER, lock_for_transaction, lock_try
from app.lib.storage import storage
from app.library.choices import DocumentState, Step, VersionState
from app.library.models import Document, DocumentVersion
from app.library.pipeline.deletion import object_delete_unnamed
from app.library.reconcile.points import DELETED, ids_select, indexes_left_over, points_compare, store_table
from app.library.services.jobs import ingest_job_create, ingests_open
from app.llm.models_kept import models_kept
from app.retrieval.index_loader import index_delete, index_writer

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

    def add(self, found: Sequence[Any]) -> None:
        self.count += len(found)
        self.first += [str(entry) for entry in found[: SHOWN - len(self.first)]]

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
    left_over_indexes: Finding = field(default_factory=Finding)
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
        _points_compare(report, repair=repair)
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


def _points_compare(report: Report, *, repair: bool) -> None:
    """Compare the index that is searched and, during a change of the embedding model, the second one."""
    models = models_kept()
    missing: set[UUID] = set()
    for model in models.all:
        writer = index_writer(model.space)
        # A model that was exchanged in the settings leaves the vectors of another: every document is read again.
        only = model.space.model if models.choice.in_use is None and model is models.in_use else None
        result = points_compare(writer, only=only)
        report.orphan_points.add(result.orphans)
        if model.complete:
            report.missing_points.add(list(result.missing))
            missing.update(result.missing.values())
        if model is models.in_use:
            report.points = result.points
        if repair:
            writer.points_delete(result.orphans)
    left_over = indexes_left_over(models)
    report.left_over_indexes = Finding.of([space.model for space in left_over])
    if models.choice.in_use is None:
        active = DocumentVersion.objects.filter(state=VersionState.ACTIVE, chunks__gt=0)
        report.other_model = Finding.of(
            list(active.exclude(embedding_model=models.in_use.space.model).values_list("document", flat=True))
        )
    if repair:
        # The stored passages are indexed again, with their vectors from the cache.
        for version in missing:
            _job_again(version, Step.EMBED)
        for space in left_over:
            index_delete(space)


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
  AND NOT {DELETED.format(kind="objects", value="o.key")}
"""  # noqa: S608 (no part comes from outside)


def _objects_compare(report: Report, *, repair: bool, age_s: float) -> None:
    stored = ((entry.key, entry.modified) for entry in storage().objects())
    with store_table("store_objects", "key text, modified float8", stored) as (begun, report.objects):
        report.missing_objects = Finding.of(ids_select(_MISSING_OBJECTS, {"begun": begun}))
        orphans = ids_select(_ORPHAN_OBJECTS, {"begun": begun, "age": age_s})
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
