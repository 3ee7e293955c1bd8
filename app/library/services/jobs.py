"""Queue the work on documents, in the transaction that makes the work necessary."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet

from app.jobs.choices import OPEN, JobState
from app.jobs.models import Job
from app.jobs.services import job_create, jobs_cancel
from app.library.choices import Step
from app.library.models import Document, DocumentVersion

INGEST, DELETE = "ingest", "document_delete"
# The same work on a document whose reading takes long; a job becomes one when its file turns out to be such.
# Scans have a kind of their own: a recording of two hours keeps none of them waiting.
INGEST_SLOW, INGEST_SCAN = "ingest_slow", "ingest_scan"
INGESTS_MOVED = (INGEST_SLOW, INGEST_SCAN)
INGESTS = (INGEST, *INGESTS_MOVED)
FILL, DROP = "embedding_fill", "embedding_drop"


def ingest_job_create(
    *, organisation: UUID, document: Document, version: DocumentVersion, step: Step | None = None
) -> UUID:
    """Queue the ingest of a version, unless its document has an open one. step: the first step.

    Call it in the transaction that made the version, so that no version is without its job.
    """
    moved = ingests_open().filter(kind__in=INGESTS_MOVED)
    there = moved.filter(organisation=organisation, unique_key=str(document.id)).first()
    if there is not None:
        return there.id
    return job_create(
        kind=INGEST,
        organisation=organisation,
        subject=document.id,
        payload={"version": str(version.id)},
        key=str(document.id),
        step=step or "",
        weight=version.bytes,
    )


def delete_job_create(
    *, organisation: UUID, versions: Iterable[UUID], objects: Iterable[str], delay: timedelta | None = None
) -> UUID:
    """Queue the removal of the points of versions, and of objects unless a row names them.

    Call it in the transaction that removes the rows, which no longer name these things.
    """
    return job_create(
        kind=DELETE,
        organisation=organisation,
        payload={"versions": [str(version) for version in versions], "objects": list(objects)},
        delay=delay,
    )


def ingests_open() -> QuerySet[Job]:
    return Job.objects.filter(kind__in=INGESTS, state__in=OPEN)


def ingest_is_open(*, organisation: UUID, document: UUID) -> bool:
    return ingests_open().filter(organisation=organisation, unique_key=str(document)).exists()


def documents_ingesting(*, organisation: UUID, documents: Iterable[UUID]) -> list[UUID]:
    """Return those of some documents that have an open ingest, in the order of their ids."""
    keys = [str(document) for document in documents]
    rows = ingests_open().filter(organisation=organisation, unique_key__in=keys).order_by("unique_key")
    return [UUID(key) for key in rows.values_list("unique_key", flat=True)]


def ingest_state(*, organisation: UUID, document: UUID, lock: bool = False) -> JobState | None:
    """Return the state of a document's open ingest, if there is one. lock: lock the job (before the document)."""
    rows = ingests_open().filter(organisation=organisation, unique_key=str(document))
    row = (rows.select_for_update() if lock else rows).first()
    return JobState(row.state) if row else None


def ingest_cancel(*, organisation: UUID, document: UUID) -> bool:
    """Cancel the open ingest of a document; return whether a worker was running it.

    That worker stops at its next check, and cannot write any more.
    """
    running = [jobs_cancel(organisation=organisation, kind=kind, key=str(document)) for kind in INGESTS]
    return any(running)


def fill_job_create(*, change: UUID) -> UUID:
    """Queue the filling of the second index of a change of the embedding model, unless it is queued."""
    return job_create(kind=FILL, subject=change, key=FILL)


def drop_job_create(*, change: UUID, delay: timedelta) -> UUID:
    """Queue the deletion of the index that a change of the embedding model leaves."""
    return job_create(kind=DROP, subject=change, key=str(change), delay=delay)
