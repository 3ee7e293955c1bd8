"""The document's view of its ingest job. The engine's own tests are in app/jobs/tests."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from app.errors import Conflict
from app.jobs.execution import job_run
from app.jobs.leases import Lease, LeaseLost, fenced, job_fail, job_release, job_wait
from app.jobs.models import Job
from app.jobs.registry import Progress
from app.jobs.services import job_cancel, job_retry
from app.jobs.tests.probes import leases_age, next_jobs, take
from app.library.choices import Step
from app.library.models import Document, DocumentVersion
from app.library.services.documents import document_cancel, document_delete
from app.library.tests.stores import job_of, state_of, upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def document(acme: Any) -> Document:
    return upload(acme, "a.txt", b"some text")


def taken(document: Document) -> Lease:
    return take(job_of(document).id)


def test_an_upload_queues_one_job_about_its_version(document: Document) -> None:
    job = Job.objects.get()
    version = DocumentVersion.objects.get()
    assert (job.kind, job.lane, job.subject, job.weight) == ("ingest", "cpu", str(document.id), 9)
    assert job.payload == {"version": str(version.id)}


def runs(lease: Lease, step: Step) -> None:
    """Return the columns that the thread of lease renewal writes of a running job."""
    assert lease.organisation is not None
    percent = lease.kind.percent(step, 0)
    with transaction.atomic():
        lease.kind.on_progress([Progress(lease.job, lease.organisation, lease.subject, step, percent)])


def test_the_document_runs_with_its_job(document: Document) -> None:
    runs(taken(document), Step.PARSE)
    shown = Document.objects.get()
    assert (shown.state, shown.step, shown.percent) == ("running", "parse", 1)


def test_the_third_death_fails_the_document_with_a_reason(document: Document) -> None:
    for _ in range(3):
        taken(document)
        leases_age()
    assert job_run(job=job_of(document).id)
    shown = Document.objects.get()
    assert (shown.state, shown.error_code) == ("failed", "worker_died")
    assert "three times" in shown.error_message


def test_a_worker_that_stops_queues_the_document_again(document: Document) -> None:
    job_release(taken(document))
    assert state_of(document) == "queued"


def test_waiting_for_a_server_is_shown_until_it_goes_on(document: Document) -> None:
    job_wait(taken(document), code="embeddings_unavailable")
    shown = Document.objects.get()
    assert (shown.state, shown.error_code) == ("queued", "embeddings_unavailable")
    Job.objects.update(not_before=Now())
    runs(taken(document), Step.FETCH)
    shown = Document.objects.get()
    assert (shown.state, shown.error_code, shown.error_message) == ("running", "", "")


def test_a_server_that_is_away_for_a_day_fails_the_document(document: Document) -> None:
    lease = taken(document)
    Job.objects.update(waiting_since=Now() - timedelta(hours=24, minutes=1))
    assert not job_wait(lease, code="search_unavailable")
    assert (state_of(document), Document.objects.get().error_code) == ("failed", "search_unavailable")


def test_a_version_that_failed_with_passages_loses_its_points(document: Document) -> None:
    DocumentVersion.objects.update(chunks=3)
    job_fail(taken(document), code="internal")
    version = DocumentVersion.objects.get()
    assert Job.objects.get(kind="document_delete").payload == {"versions": [str(version.id)], "objects": []}


def test_a_cancelled_document_s_worker_can_write_nothing_more(document: Document) -> None:
    lease = taken(document)
    assert lease.organisation is not None
    document_cancel(organisation=lease.organisation, document=document.id)
    with pytest.raises(LeaseLost), fenced(lease):
        pass
    assert state_of(document) == "cancelled"


def test_a_document_deleted_at_work_leaves_nothing_to_write_to(document: Document) -> None:
    lease = taken(document)
    assert lease.organisation is not None
    document_delete(organisation=lease.organisation, document=document.id)
    with pytest.raises(LeaseLost), fenced(lease):
        pass
    job = Job.objects.get(kind="document_delete")
    # The worker may have a request under way, so the deletion is delayed.
    assert job.not_before > timezone.now() + timedelta(seconds=5)


def test_the_jobs_page_cancels_and_repeats_by_the_document_s_own_services(document: Document) -> None:
    job_cancel(job=job_of(document))
    assert state_of(document) == "cancelled"
    job_retry(job=job_of(document))
    assert state_of(document) == "queued"
    states = sorted(Job.objects.filter(kind="ingest").values_list("state", flat=True))
    assert states == ["cancelled", "queued"]
    with pytest.raises(Conflict):
        job_retry(job=Job.objects.get(kind="ingest", state="cancelled"))


def test_small_files_go_first(acme: Any) -> None:
    large, small = upload(acme, "large.txt", b"x" * 5000), upload(acme, "small.txt", b"x")
    wanted: list[UUID] = [job_of(small).id, job_of(large).id]
    assert next_jobs() == wanted
