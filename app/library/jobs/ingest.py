from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from app.accounts.models import Organisation
from app.jobs.active_job import ActiveJob
from app.jobs.choices import OPEN, JobState, Lane
from app.jobs.kinds import JobKind, Progress, register
from app.jobs.models import Job
from app.library.choices import DocumentState, Step, VersionState
from app.library.events import documents_publish
from app.library.models import Document, DocumentVersion
from app.library.pipeline.run import version_ingest
from app.library.pipeline.timeline import death_record
from app.library.services.documents import document_cancel, document_retry
from app.library.services.jobs import INGEST, INGEST_SCAN, INGEST_SLOW, INGESTS, delete_job_create
from app.library.services.versions import version_follow

# `done` is written together with the active version (app/library/pipeline/chunk_store.py).
_SHOWN = {
    JobState.QUEUED: DocumentState.QUEUED,
    JobState.FAILED: DocumentState.FAILED,
}

_PROGRESS = """
UPDATE library_document d
SET state = 'running', step = v.step, percent = v.percent, error_code = '', error_message = '', updated = now()
FROM unnest(%s::uuid[], %s::text[], %s::int[]) AS v (document, step, percent)
WHERE d.id = v.document AND d.state IN ('queued', 'running') RETURNING d.id
"""


@register
class Ingest(JobKind):
    """Reads a document and makes it searchable. People see its state in the document's own row."""

    kind = INGEST
    title = "Read a document"
    lane = Lane.CPU
    at_once = 4
    # Embedding takes nearly all of the time.
    steps = {Step.FETCH: 0, Step.PARSE: 1, Step.CHUNK: 14, Step.EMBED: 15, Step.INDEX: 90}

    def run(self, context: ActiveJob) -> None:
        version_ingest(context)
        documents_publish(documents=[context.subject])

    def on_state(self, job: Job) -> None:
        state = _SHOWN.get(JobState(job.state))
        if state is None:
            return
        document = UUID(job.subject)
        Document.objects.filter(pk=document).update(
            state=state, error_code=job.error_code, error_message=job.error_message, updated=Now()
        )
        if job.error_code == "worker_died":
            death_record(
                version=UUID(job.payload["version"]), job=job.id, code=job.error_code, message=job.error_message
            )
        if state == DocumentState.FAILED:
            _failed_leave(job)
        transaction.on_commit(lambda: documents_publish(documents=[document]))

    def on_progress(self, changes: Sequence[Progress]) -> None:
        with connection.cursor() as cursor:
            values = [[change.subject for change in changes], [change.step for change in changes]]
            cursor.execute(_PROGRESS, [*values, [change.percent for change in changes]])
            shown = [row[0] for row in cursor.fetchall()]
        transaction.on_commit(lambda: documents_publish(documents=shown))

    def on_lease_lost(self, context: ActiveJob) -> None:
        """Delete the points that were written after the version was cancelled or deleted, unless a worker is at it."""
        # Nothing is left to do for an organisation that is gone: its erasure looks for points once more at its end.
        if not Organisation.objects.filter(pk=context.organisation).exists():
            return
        payload = context.payload
        version = DocumentVersion.objects.filter(pk=payload["version"]).first()
        busy = Job.objects.filter(
            organisation=context.organisation, kind__in=INGESTS, unique_key=context.lease.subject, state__in=OPEN
        ).exists()
        if busy or (version is not None and version.state == VersionState.ACTIVE):
            return
        delete_job_create(organisation=context.organisation, versions=[UUID(payload["version"])], objects=[])

    def retry(self, job: Job) -> None:
        assert job.organisation_id is not None
        document_retry(organisation=job.organisation_id, document=UUID(job.subject))

    def cancel(self, job: Job) -> None:
        assert job.organisation_id is not None
        document_cancel(organisation=job.organisation_id, document=UUID(job.subject))

    def subject_name(self, job: Job) -> str:
        return Document.objects.filter(pk=job.subject).values_list("name", flat=True).first() or ""


def _failed_leave(job: Job) -> None:
    """Delete the points of a failed version, since only active ones have points (I2), and queue a newer version."""
    version = DocumentVersion.objects.filter(pk=job.payload["version"]).first()
    if version is None:
        return
    assert job.organisation_id is not None
    if version.state != VersionState.ACTIVE and version.chunks:
        delete_job_create(organisation=job.organisation_id, versions=[version.id], objects=[])
    version_follow(organisation=job.organisation_id, document=version.document_id, number=version.number)


@register
class IngestSlow(Ingest):
    """The same for a document whose reading takes minutes or hours: a recording. It has one thread of its own."""

    kind = INGEST_SLOW
    title = "Write down a recording"
    lane = Lane.SLOW
    at_once = 1
    steps = {Step.FETCH: 0, Step.PARSE: 1, Step.CHUNK: 90, Step.EMBED: 91, Step.INDEX: 98}


@register
class IngestScan(IngestSlow):
    """The same for a document with pages that are pictures. It has one thread of its own."""

    kind = INGEST_SCAN
    title = "Read a scan"
