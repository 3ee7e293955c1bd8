import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

from app.jobs.leases import LeaseLost, fenced, job_done, job_fail, job_release, job_wait, lease_take, leases_renew
from app.jobs.models import Job
from app.jobs.services import job_create, jobs_cancel
from app.jobs.tests.probes import Probe, job_get, leases_age, take
from app.lib.tenancy import scope_enter_everything

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(acme: Any, probe: Probe) -> UUID:
    return job_create(kind="probe", organisation=acme.id)


def test_a_lease_is_a_minute_by_the_clock_of_the_database(job: UUID, probe: Probe) -> None:
    take(job)
    row = job_get(job)
    assert timedelta(seconds=55) < row.lease_until - timezone.now() <= timedelta(seconds=61)
    assert (row.state, row.attempt, row.fence, row.deaths) == ("running", 1, 1, 0)
    assert row.started is not None
    assert probe.states == []


def test_a_lease_is_taken_by_one_of_many(job: UUID) -> None:
    taken = []

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
    assert job_get(job).attempt == 1


def test_a_dead_worker_s_job_is_taken_again_and_its_death_is_counted(job: UUID) -> None:
    take(job)
    assert lease_take(job=job) is None
    leases_age()
    second = take(job)
    assert (second.fence, second.deaths, second.attempt) == (2, 1, 2)


def test_a_slow_worker_is_fenced_out_of_everything(job: UUID) -> None:
    slow = take(job)
    leases_age()
    quick = take(job)
    assert leases_renew(leases=[slow, quick]) == {job}
    assert leases_renew(leases=[slow]) == set()
    with pytest.raises(LeaseLost), fenced(slow):
        pass
    with pytest.raises(LeaseLost), job_done(slow):
        pass
    for write in (lambda: job_fail(slow, code="internal"), lambda: job_wait(slow, code="disk_full")):
        with pytest.raises(LeaseLost):
            write()
    with pytest.raises(LeaseLost):
        job_release(slow)
    assert job_get(job).state == "running"
    with fenced(quick):
        pass


def test_what_is_written_beside_a_lost_lease_is_undone(job: UUID, acme: Any) -> None:
    slow = take(job)
    leases_age()
    take(job)
    with pytest.raises(LeaseLost), job_done(slow):
        Job.objects.filter(pk=job).update(subject="written")
    assert job_get(job).subject == ""


def test_renewing_moves_the_end_of_the_lease(job: UUID) -> None:
    lease = take(job)
    Job.objects.update(lease_until=Now() + timedelta(seconds=5))
    assert leases_renew(leases=[lease]) == {job}
    assert job_get(job).lease_until > timezone.now() + timedelta(seconds=50)


def test_a_worker_that_stops_gives_its_job_back_without_a_death(job: UUID, probe: Probe) -> None:
    job_release(take(job))
    row = job_get(job)
    assert (row.state, row.lease_until, row.deaths) == ("queued", None, 0)
    assert probe.states[-1] == ("queued", "")
    assert take(job).deaths == 0


def test_waiting_for_a_server_is_shown_and_is_no_death(job: UUID, probe: Probe) -> None:
    assert job_wait(take(job), code="embeddings_unavailable")
    row = job_get(job)
    assert (row.state, row.error_code) == ("queued", "embeddings_unavailable")
    assert row.error_message == "The embedding model does not answer."
    assert probe.states[-1] == ("queued", "embeddings_unavailable")
    assert row.not_before > timezone.now()
    assert lease_take(job=job) is None
    Job.objects.update(not_before=Now())
    assert take(job).deaths == 0
    assert job_get(job).error_code == ""


def test_the_longer_a_server_is_away_the_longer_is_the_wait_up_to_a_minute(job: UUID) -> None:
    waits = []
    for away in (0, 10, 60, 600):
        Job.objects.update(not_before=None)
        lease = take(job)
        Job.objects.update(waiting_since=Now() - timedelta(seconds=away) if away else None)
        assert job_wait(lease, code="search_unavailable")
        waits.append(round((job_get(job).not_before - timezone.now()).total_seconds()))
    assert waits == [2, 5, 30, 60]


def test_a_server_that_is_away_for_too_long_fails_the_job(job: UUID, probe: Probe) -> None:
    lease = take(job)
    assert probe.wait_limit is not None
    Job.objects.update(waiting_since=Now() - probe.wait_limit - timedelta(minutes=1))
    assert not job_wait(lease, code="search_unavailable")
    assert (job_get(job).state, job_get(job).error_code) == ("failed", "search_unavailable")
    assert probe.states[-1] == ("failed", "search_unavailable")


def test_a_kind_may_wait_for_ever(job: UUID, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Probe, "wait_limit", None)
    lease = take(job)
    Job.objects.update(waiting_since=Now() - timedelta(days=30))
    assert job_wait(lease, code="search_unavailable")


def test_a_cancelled_job_can_write_nothing_more(job: UUID, acme: Any) -> None:
    lease = take(job)
    assert jobs_cancel(organisation=acme.id, kind="probe") == [job]
    with pytest.raises(LeaseLost), fenced(lease):
        pass
    row = job_get(job)
    assert (row.state, row.error_code, row.lease_until) == ("cancelled", "cancelled", None)
    assert row.ended is not None


def test_a_job_of_a_kind_that_this_version_does_not_know_is_left_alone(job: UUID) -> None:
    Job.objects.update(kind="of_tomorrow")
    assert lease_take(job=job) is None
