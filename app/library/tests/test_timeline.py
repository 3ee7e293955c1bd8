"""The attempts to read a document: seconds of the steps, and errors in plain words, recorded under the fence."""

import re
from typing import Any

import pytest

from app.jobs.active_job import ActiveJob
from app.jobs.execution import job_run
from app.jobs.leases import lease_take
from app.jobs.models import Job
from app.jobs.tests.probes import leases_age
from app.jobs.tests.running import jobs_run
from app.lib.tenancy import everything_visible
from app.library.models import DocumentVersion
from app.library.pipeline.timeline import Timeline
from app.library.selectors.timeline import Attempt, attempts_list, seconds_text
from app.library.tests.stores import upload
from tests.people import Person


@pytest.fixture(autouse=True)
def engines(qdrant: str, embedder: str) -> None:
    """Have the engines that an ingest needs."""


def attempts_of(person: Person, document: Any) -> list[Attempt]:
    return attempts_list(organisation=person.organisation.pk, document=document.pk)


def test_a_document_that_was_read_shows_each_step_with_its_seconds(alice: Person) -> None:
    document = upload(alice.organisation, "one.md", b"# Rules\n\nNo smoking.")
    jobs_run()
    [attempt] = attempts_of(alice, document)
    labels = [step.label for step in attempt.steps]
    assert labels == ["Fetching", "Reading", "Cutting into passages", "Embedding", "Indexing"]
    assert (attempt.error, attempt.times, attempt.version) == ("", 1, 1)
    assert attempt.took_s is not None
    assert 0 < sum(step.seconds for step in attempt.steps) <= attempt.took_s + 0.01
    page = alice.client.get(f"/documents/{document.pk}").content.decode()
    assert "How it was read" in page
    assert "<span>Succeeded</span>" in page
    assert len(re.findall(r"<dt>(?:Fetching|Reading|Embedding|Indexing)</dt><dd>[^<]+ s</dd>", page)) == 4


def test_failed_attempts_stay_with_their_errors_in_plain_words(alice: Person) -> None:
    document = upload(alice.organisation, "broken.pdf", b"%PDF-1.7\n" + b"nothing of a PDF " * 50)
    jobs_run()
    [attempt] = attempts_of(alice, document)
    assert attempt.error == "The file is damaged and cannot be read."
    assert attempt.hint == "Open it, save it anew and upload that."
    assert [(step.label, step.failed) for step in attempt.steps] == [("Fetching", False), ("Reading", True)]
    alice.client.post(f"/api/v1/documents/{document.pk}/retry")
    jobs_run()
    [attempt] = attempts_of(alice, document)
    assert (attempt.times, attempt.error) == (2, "The file is damaged and cannot be read.")
    upload(alice.organisation, "broken.pdf", b"A text now.")
    jobs_run()
    second, first = attempts_of(alice, document)
    assert (second.version, second.error, first.version, first.times) == (2, "", 1, 2)
    page = alice.client.get(f"/documents/{document.pk}").content.decode()
    assert "<span>Version 1</span><span>2 times since " in page
    assert "The file is damaged and cannot be read. Open it, save it anew" in page


def test_waits_for_a_full_disk_are_one_entry(alice: Person, settings: Any) -> None:
    document = upload(alice.organisation, "one.md", b"A text.")
    settings.DISK_RESERVE_BYTES = 10**18
    for _ in range(3):
        Job.objects.update(not_before=None)
        jobs_run()
    [attempt] = attempts_of(alice, document)
    assert (attempt.times, attempt.error) == (3, "There is no room left on the server's disk.")
    assert attempt.first is not None
    assert attempt.first <= attempt.at
    settings.DISK_RESERVE_BYTES = 1
    Job.objects.update(not_before=None)
    jobs_run()
    assert [each.error for each in attempts_of(alice, document)] == ["", "There is no room left on the server's disk."]


def test_a_dead_worker_is_an_attempt_and_so_is_the_end_after_three(alice: Person) -> None:
    document = upload(alice.organisation, "one.md", b"A text.")
    Job.objects.update(state="running", attempt=1, fence=1)
    leases_age()
    jobs_run_all()
    done, died = attempts_of(alice, document)
    assert (done.error, died.error) == ("", "The worker that did this died.")
    killer = upload(alice.organisation, "killer.md", b"Another text.")
    Job.objects.filter(subject=str(killer.pk)).update(state="running", attempt=3, fence=3, deaths=2)
    leases_age()
    jobs_run_all()
    [end] = attempts_of(alice, killer)
    assert end.error == "The worker died three times on this."


def jobs_run_all() -> None:
    """Run the jobs whose leases have expired, as the next worker does."""
    with everything_visible():
        for job in Job.objects.filter(state="running").values_list("id", flat=True):
            job_run(job=job)


def test_only_the_last_twenty_attempts_are_kept(alice: Person) -> None:
    document = upload(alice.organisation, "one.md", b"A text.")
    old = [{"at": "2026-01-01T00:00:00Z", "steps": [], "code": "internal", "message": f"{n}"} for n in range(20)]
    DocumentVersion.objects.filter(document=document).update(attempts=old)
    jobs_run()
    kept = DocumentVersion.objects.get(document=document).attempts
    assert len(kept) == 20
    assert (kept[0]["message"], "code" in kept[-1]) == ("1", False)
    assert len(attempts_of(alice, document)) == 20


def test_a_worker_that_lost_its_lease_records_nothing(alice: Person) -> None:
    document = upload(alice.organisation, "one.md", b"A text.")
    job = Job.objects.get(subject=str(document.pk))
    slow = lease_take(job=job.pk)
    assert slow is not None
    timeline = Timeline(ActiveJob(slow), document.versions.get())
    Job.objects.filter(pk=job.pk).update(fence=slow.fence + 1)
    timeline.record(OSError("late"))
    assert document.versions.get().attempts == []
    Job.objects.filter(pk=job.pk).update(fence=slow.fence)
    timeline.record(OSError("in time"))
    assert [entry["code"] for entry in document.versions.get().attempts] == ["internal"]


def test_seconds_are_written_as_people_do() -> None:
    words = [seconds_text(seconds) for seconds in (0.001, 0.31, 12.4, 185, 7440)]
    assert words == ["under 0.1 s", "0.3 s", "12 s", "3 min 5 s", "2 h 4 min"]
