from typing import Any

import pytest
from django.db import transaction

from app.errors import Conflict
from app.jobs.models import Job
from app.jobs.services import job_cancel, job_create, job_restart, job_retry, jobs_cancel
from app.jobs.tests.probes import Probe, job_get, take

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_job_of_a_key_is_open_at_a_time(acme: Any, probe: Probe) -> None:
    first = job_create(kind="probe", organisation=acme.id, key="a")
    assert job_create(kind="probe", organisation=acme.id, key="a") == first
    assert job_create(kind="probe", organisation=acme.id, key="b") != first
    assert job_create(kind="quick", organisation=acme.id, key="a") != first
    Job.objects.filter(pk=first).update(state="done")
    assert job_create(kind="probe", organisation=acme.id, key="a") != first


def test_a_job_is_undone_with_the_transaction_that_made_it_necessary(acme: Any, probe: Probe) -> None:
    with transaction.atomic():
        job_create(kind="probe", organisation=acme.id)
        transaction.set_rollback(True)
    assert not Job.objects.exists()


def test_a_kind_that_nobody_registered_is_refused(acme: Any, probe: Probe) -> None:
    with pytest.raises(KeyError):
        job_create(kind="of_nobody", organisation=acme.id)


def test_cancelling_finds_only_what_it_names(acme: Any, other: Any, probe: Probe) -> None:
    mine = job_create(kind="probe", organisation=acme.id, key="a")
    beside = job_create(kind="probe", organisation=acme.id, key="b")
    foreign = job_create(kind="quick", organisation=other.id, key="a")
    box = job_create(kind="long", key="a")
    assert jobs_cancel(organisation=acme.id, kind="probe", key="a") == []
    states = {job: job_get(job).state for job in (mine, beside, foreign, box)}
    assert states == {mine: "cancelled", beside: "queued", foreign: "queued", box: "queued"}


def test_a_failed_job_is_tried_again_once(acme: Any, probe: Probe) -> None:
    job = job_create(kind="probe", organisation=acme.id, key="a")
    with pytest.raises(Conflict):
        job_retry(job=job_get(job))
    Job.objects.filter(pk=job).update(state="failed", error_code="internal", deaths=3)
    job_retry(job=job_get(job))
    row = job_get(job)
    assert (row.state, row.error_code, row.deaths, row.ended) == ("queued", "", 0, None)
    assert probe.states == [("queued", "")]
    with pytest.raises(Conflict):
        job_retry(job=row)


def test_a_failed_job_whose_place_is_taken_is_not_tried_again(acme: Any, probe: Probe) -> None:
    old = job_create(kind="probe", organisation=acme.id, key="a")
    Job.objects.filter(pk=old).update(state="failed")
    job_create(kind="probe", organisation=acme.id, key="a")
    with pytest.raises(Conflict):
        job_retry(job=job_get(old))
    assert job_get(old).state == "failed"


def test_a_person_cancels_an_open_job_only_where_its_kind_allows_it(
    acme: Any, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_create(kind="probe", organisation=acme.id)
    monkeypatch.setattr(Probe, "may_cancel", False)
    with pytest.raises(Conflict):
        job_cancel(job=job_get(job))
    monkeypatch.setattr(Probe, "may_cancel", True)
    job_cancel(job=job_get(job))
    assert (job_get(job).state, probe.states) == ("cancelled", [("cancelled", "cancelled")])
    with pytest.raises(Conflict):
        job_cancel(job=job_get(job))


def test_a_restarted_job_begins_anew_and_its_worker_is_fenced_out(acme: Any, probe: Probe) -> None:
    job = job_create(kind="probe", organisation=acme.id, step="second")
    lease = take(job)
    job_restart(job=job)
    row = job_get(job)
    assert (row.state, row.step, row.fence, row.percent) == ("queued", "", lease.fence + 1, 0)
