import errno
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError

from app.errors import RefdeskError, Upstream
from app.jobs.active_job import ActiveJob
from app.jobs.execution import job_run
from app.jobs.lease_renewal import LeaseRenewal, lease_renewal
from app.jobs.models import Job
from app.jobs.services import job_create, jobs_cancel
from app.jobs.tests.probes import Probe, Quick, job_get, leases_age, take
from app.lib.tenancy import scope_now
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(acme: Any, probe: Probe) -> UUID:
    return job_create(kind="probe", organisation=acme.id, subject=acme.id, payload={"a": 1})


def test_a_job_runs_in_its_organisation_and_ends_done(job: UUID, probe: Probe, acme: Any) -> None:
    seen: list[Any] = []

    def work(context: ActiveJob) -> None:
        seen.extend([context.organisation, context.subject, context.payload, scope_now()])

    probe.work = work
    assert job_run(job=job)
    assert seen == [acme.id, acme.id, {"a": 1}, str(acme.id)]
    row = job_get(job)
    assert (row.state, row.percent, row.lease_until, row.payload) == ("done", 100, None, {"a": 1})
    assert row.ended is not None
    assert probe.states == [("done", "")]
    assert not job_run(job=job)


def test_the_box_s_own_job_sees_everything(probe: Probe) -> None:
    seen = []
    probe.work = lambda context: seen.append(scope_now())
    assert job_run(job=job_create(kind="probe"))
    assert seen == ["all"]


def test_a_kind_may_end_its_job_in_the_transaction_of_its_last_write(job: UUID, probe: Probe, acme: Any) -> None:
    def work(context: ActiveJob) -> None:
        with context.done():
            Job.objects.filter(pk=context.job).update(subject="ended")

    probe.work = work
    job_run(job=job)
    assert (job_get(job).state, job_get(job).subject) == ("done", "ended")


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (RefdeskError("broken_file", "Damaged."), "failed", "broken_file"),
        (Upstream("search_unavailable"), "queued", "search_unavailable"),
        (RefdeskError("disk_full"), "queued", "disk_full"),
        (OSError(errno.ENOSPC, "full"), "queued", "disk_full"),
        (OperationalError("away"), "queued", "database_unavailable"),
        (ValueError("a secret word"), "failed", "internal"),
    ],
)
def test_an_error_ends_the_job_or_makes_it_wait(
    job: UUID, probe: Probe, error: Exception, state: str, code: str
) -> None:
    def work(context: ActiveJob) -> None:
        raise error

    probe.work = work
    job_run(job=job)
    row = job_get(job)
    assert (row.state, row.error_code) == (state, code)
    assert row.error_message != ""
    assert probe.states[-1] == (state, code)


def test_a_kind_may_be_tried_again_after_an_unexpected_error(
    job: UUID, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "retries", 1)

    def work(context: ActiveJob) -> None:
        raise ValueError

    probe.work = work
    job_run(job=job)
    assert job_get(job).state == "queued"
    Job.objects.update(not_before=None)
    job_run(job=job)
    assert (job_get(job).state, job_get(job).error_code) == ("failed", "internal")


def test_the_third_death_fails_the_job_with_a_reason(job: UUID, probe: Probe) -> None:
    for _ in range(3):
        take(job)
        leases_age()
    assert job_run(job=job)
    row = job_get(job)
    assert (row.state, row.error_code) == ("failed", "worker_died")
    assert "three times" in row.error_message


def test_deaths_before_work_that_is_kept_do_not_count(job: UUID, probe: Probe) -> None:
    def work(context: ActiveJob) -> None:
        with context.keep():
            pass

    for _ in range(2):
        take(job)
        leases_age()
    probe.work = work
    job_run(job=job)
    assert (job_get(job).state, job_get(job).deaths) == ("done", 0)


def test_a_job_that_is_cancelled_at_work_stops_and_is_cleaned_up(job: UUID, probe: Probe, acme: Any) -> None:
    def work(context: ActiveJob) -> None:
        for running in jobs_cancel(organisation=acme.id, job=context.job):
            lease_renewal.stop_job(running)
        context.check()

    probe.work = work
    job_run(job=job)
    assert job_get(job).state == "cancelled"
    assert probe.lost == [job]


def test_a_job_whose_worker_stops_is_queued_again_without_a_death(
    job: UUID, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewal = LeaseRenewal()
    monkeypatch.setattr("app.jobs.execution.lease_renewal", renewal)

    def work(context: ActiveJob) -> None:
        renewal.stop_all()
        context.check()

    probe.work = work
    job_run(job=job)
    assert (job_get(job).state, job_get(job).deaths) == ("queued", 0)
    assert probe.lost == []


@pytest.fixture
def quick_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.lease_renewal.SHOW_S", 0.02)
    monkeypatch.setattr("app.jobs.lease_renewal.HEARTBEAT_S", 0.05)
    monkeypatch.setattr("app.jobs.execution.lease_renewal", LeaseRenewal())


def test_progress_is_written_soon_and_only_by_who_has_the_lease(job: UUID, probe: Probe, quick_renewal: None) -> None:
    def work(context: ActiveJob) -> None:
        context.progress("second", 0.5)
        wait_until(lambda: (job_get(job).step, job_get(job).percent) == ("second", 69), what="progress")
        Job.objects.update(fence=99)
        context.progress("second", 0.9)
        assert context.stop.wait(10)

    probe.work = work
    job_run(job=job)
    assert (job_get(job).step, job_get(job).percent, job_get(job).state) == ("second", 69, "running")
    assert [(change.step, change.percent) for change in probe.shown] == [("second", 69)]


def test_a_secret_payload_is_emptied_at_any_end(acme: Any, quick: Quick, monkeypatch: pytest.MonkeyPatch) -> None:
    done = job_create(kind="quick", organisation=acme.id, payload={"email": "x"})
    job_run(job=done)
    assert job_get(done).payload == {}

    def fail(self: Quick, context: ActiveJob) -> None:
        raise ValueError

    monkeypatch.setattr(Quick, "run", fail)
    failed = job_create(kind="quick", organisation=acme.id, payload={"email": "x"})
    job_run(job=failed)
    assert (job_get(failed).state, job_get(failed).payload) == ("failed", {})
    cancelled = job_create(kind="quick", organisation=acme.id, payload={"email": "x"})
    jobs_cancel(organisation=acme.id, job=cancelled)
    assert (job_get(cancelled).state, job_get(cancelled).payload) == ("cancelled", {})


def test_an_error_of_a_secret_job_is_logged_without_its_words(
    acme: Any, quick: Quick, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Quick, context: ActiveJob) -> None:
        raise ValueError("canary")

    monkeypatch.setattr(Quick, "run", fail)
    job_run(job=job_create(kind="quick", organisation=acme.id))
    assert "ValueError" in caplog.text
    assert "canary" not in caplog.text


def test_a_lease_is_renewed_while_the_job_runs(job: UUID, probe: Probe, quick_renewal: None) -> None:
    def work(context: ActiveJob) -> None:
        begun = job_get(job).lease_until
        wait_until(lambda: job_get(job).lease_until > begun, limit_s=10, what="a renewed lease")

    probe.work = work
    job_run(job=job)
    assert job_get(job).state == "done"
