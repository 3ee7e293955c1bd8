import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

from app.lib.tenancy import EVERYTHING, SETTING, scope_enter_everything
from app.library.models import Document, Job
from app.library.pipeline.dispatcher import WINDOW, jobs_next
from app.library.pipeline.jobs import (
    DEATHS,
    WAIT_LIMIT,
    Lease,
    LeaseLost,
    fenced,
    job_fail,
    job_release,
    job_wait,
    lease_take,
    leases_renew,
)
from app.library.pipeline.run import job_run
from app.library.services.documents import document_cancel, document_delete
from app.library.tests.stores import leases_age, state_of, upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def document(acme: Any) -> Document:
    return upload(acme, "a.txt", b"some text")


def take(document: Document) -> Lease:
    lease = lease_take(job=Job.objects.get(document=document).id)
    assert lease is not None
    return lease


def test_a_lease_is_a_minute_by_the_clock_of_the_database(document: Document) -> None:
    take(document)
    job = Job.objects.get()
    assert timedelta(seconds=55) < job.lease_until - timezone.now() <= timedelta(seconds=61)
    assert (job.state, job.attempt, job.fence, job.deaths) == ("running", 1, 1, 0)
    assert state_of(document) == "running"


def test_a_lease_is_taken_by_one_of_many(document: Document) -> None:
    job, taken = Job.objects.get().id, []

    def try_it() -> None:
        scope_enter_everything()
        taken.append(lease_take(job=job))
        connections.close_all()

    threads = [threading.Thread(target=try_it) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([lease for lease in taken if lease]) == 1
    assert Job.objects.get().attempt == 1


def test_a_dead_worker_s_job_is_taken_again_and_its_death_is_counted(document: Document) -> None:
    first = take(document)
    assert lease_take(job=first.job) is None
    leases_age()
    second = take(document)
    assert (second.fence, second.deaths) == (2, 1)


def test_a_slow_worker_is_fenced_out_of_everything(document: Document) -> None:
    slow = take(document)
    leases_age()
    quick = take(document)
    assert leases_renew(leases=[slow, quick]) == {quick.job}
    with pytest.raises(LeaseLost), fenced(slow):
        pass
    for write in (lambda: job_fail(slow, code="internal"), lambda: job_wait(slow, code="disk_full")):
        with pytest.raises(LeaseLost):
            write()
    with pytest.raises(LeaseLost):
        job_release(slow)
    assert state_of(document) == "running"
    with fenced(quick):
        pass


def test_renewing_moves_the_end_of_the_lease(document: Document) -> None:
    lease = take(document)
    Job.objects.update(lease_until=Now() + timedelta(seconds=5))
    assert leases_renew(leases=[lease]) == {lease.job}
    assert Job.objects.get().lease_until > timezone.now() + timedelta(seconds=50)


def test_the_third_death_fails_the_document_with_a_reason(document: Document) -> None:
    for _ in range(DEATHS):
        take(document)
        leases_age()
    assert job_run(job=Job.objects.get().id)
    shown = Document.objects.get()
    assert (shown.state, shown.error_code) == ("failed", "worker_died")
    assert "three times" in shown.error_message
    assert Job.objects.get().state == "failed"


def test_a_worker_that_stops_gives_its_job_back_without_a_death(document: Document) -> None:
    job_release(take(document))
    job = Job.objects.get()
    assert (job.state, job.lease_until, job.deaths) == ("queued", None, 0)
    assert state_of(document) == "queued"
    assert take(document).deaths == 0


def test_waiting_for_a_server_is_shown_and_is_no_death(document: Document) -> None:
    job_wait(take(document), code="embeddings_unavailable")
    shown = Document.objects.get()
    assert (shown.state, shown.error_code) == ("queued", "embeddings_unavailable")
    job = Job.objects.get()
    assert job.not_before > timezone.now()
    assert lease_take(job=job.id) is None
    Job.objects.update(not_before=Now())
    assert take(document).deaths == 0
    assert Document.objects.get().error_code == ""


def test_the_longer_a_server_is_away_the_longer_is_the_wait_up_to_a_minute(document: Document) -> None:
    waits = []
    for away in (0, 10, 60, 600):
        Job.objects.update(not_before=None)
        lease = take(document)
        Job.objects.update(waiting_since=Now() - timedelta(seconds=away) if away else None)
        assert job_wait(lease, code="search_unavailable")
        waits.append(round((Job.objects.get().not_before - timezone.now()).total_seconds()))
    assert waits == [2, 5, 30, 60]


def test_a_server_that_is_away_for_a_day_fails_the_document(document: Document) -> None:
    lease = take(document)
    Job.objects.update(waiting_since=Now() - WAIT_LIMIT - timedelta(minutes=1))
    assert not job_wait(lease, code="search_unavailable")
    assert (Job.objects.get().state, state_of(document)) == ("failed", "failed")
    assert Document.objects.get().error_code == "search_unavailable"


def test_a_cancelled_job_can_write_nothing_more(document: Document) -> None:
    lease = take(document)
    document_cancel(organisation=lease.organisation, document=document.id)
    with pytest.raises(LeaseLost), fenced(lease):
        pass
    assert state_of(document) == "cancelled"


def test_a_document_deleted_at_work_leaves_nothing_to_write_to(document: Document) -> None:
    lease = take(document)
    document_delete(organisation=lease.organisation, document=document.id)
    with pytest.raises(LeaseLost), fenced(lease):
        pass
    job = Job.objects.get()
    assert job.kind == "delete"
    # The worker may have a request under way: what it writes goes afterwards.
    assert job.not_before > timezone.now() + timedelta(seconds=5)


def next_jobs() -> list[UUID]:
    connection = connections["default"]
    connection.ensure_connection()
    connection.connection.execute(f"SET {SETTING} = '{EVERYTHING}'")
    return jobs_next(connection.connection)


def test_a_small_file_of_one_organisation_does_not_wait_for_the_many_of_another(acme: Any, other: Any) -> None:
    for number in range(WINDOW * 2):
        upload(acme, f"{number}.txt", b"x" * (number + 1))
    first = next_jobs()
    assert len(first) == WINDOW
    assert next_jobs() == []
    lonely = upload(other, "one.txt", b"y" * 100_000)
    ended = first[:2]
    Job.objects.filter(pk__in=ended).update(state="done")
    following = next_jobs()
    assert Job.objects.get(document=lonely).id in following
    assert len(following) == 2


def test_small_files_go_first(acme: Any) -> None:
    large, small = upload(acme, "large.txt", b"x" * 5000), upload(acme, "small.txt", b"x")
    assert next_jobs() == [Job.objects.get(document=small).id, Job.objects.get(document=large).id]


def test_a_message_that_nobody_took_is_sent_again(document: Document) -> None:
    [job] = next_jobs()
    assert next_jobs() == []
    Job.objects.update(sent=Now() - timedelta(minutes=1))
    assert next_jobs() == [job]


def test_a_dead_worker_s_job_is_sent_again(document: Document) -> None:
    [job] = next_jobs()
    lease_take(job=job)
    Job.objects.update(sent=Now() - timedelta(minutes=1))
    assert next_jobs() == []
    Job.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert next_jobs() == [job]


def test_a_job_that_waits_is_not_sent_before_its_time(document: Document) -> None:
    Job.objects.update(not_before=Now() + timedelta(minutes=1))
    assert next_jobs() == []
    Job.objects.update(not_before=Now() - timedelta(seconds=1))
    assert len(next_jobs()) == 1
