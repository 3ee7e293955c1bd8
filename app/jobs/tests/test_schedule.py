import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from app.jobs.kinds import every, nightly
from app.jobs.models import Job, Schedule
from app.jobs.schedule import Clock, kinds_schedule, schedule_clear, schedule_run, schedule_set
from app.jobs.tests.probes import Long, Probe, Quick
from app.lib.tenancy import scope_enter_everything
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def timed(probes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the kinds' times. probe: every ten minutes and at the start; long: at one in the night."""
    for cls in (Probe, Long, Quick):
        monkeypatch.setattr(cls, "timetable", None)
    every(600, at_start=True)(Probe)
    nightly(hour=1)(Long)


def due() -> None:
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=1))


def test_a_new_box_does_everything_once_and_then_at_its_time(timed: None) -> None:
    kinds_schedule()
    assert schedule_run() == 2
    assert sorted(Job.objects.values_list("kind", flat=True)) == ["long", "probe"]
    assert schedule_run() == 0
    again = Schedule.objects.get(name="kind:probe").next_run - timezone.now()
    assert timedelta(seconds=590) < again <= timedelta(seconds=600)
    assert (Schedule.objects.get(name="kind:long").next_run.hour, Job.objects.count()) == (1, 2)


def test_several_beats_make_a_job_once(timed: None) -> None:
    kinds_schedule()
    due()
    made = []

    def beat() -> None:
        scope_enter_everything()
        made.append(schedule_run())
        connections.close_all()

    threads = [threading.Thread(target=beat) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made) == 2
    assert Job.objects.count() == 2


def test_while_the_last_job_is_open_no_second_one_is_made(timed: None) -> None:
    for _ in range(3):
        kinds_schedule()
        due()
        schedule_run()
    assert Job.objects.count() == 2
    Job.objects.update(state="done")
    due()
    schedule_run()
    assert Job.objects.count() == 4


def test_what_comes_at_the_start_comes_at_each_start(timed: None) -> None:
    kinds_schedule()
    schedule_run()
    Job.objects.update(state="done")
    kinds_schedule()
    schedule_run()
    assert Job.objects.filter(state="queued").values_list("kind", flat=True).get() == "probe"


def test_a_kind_that_left_the_schedule_or_changed_its_time_is_followed(
    timed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds_schedule()
    monkeypatch.setattr(Probe, "timetable", None)
    nightly(hour=3)(Long)
    kinds_schedule()
    row = Schedule.objects.get()
    assert (row.name, row.cron) == ("kind:long", "0 3 * * *")


def test_a_row_s_cron_makes_a_job_of_its_organisation(acme: Any, probes: Any) -> None:
    row = schedule_set(
        name="source:1", kind="probe", organisation=acme.id, cron="30 4 * * 1", time_zone="Europe/Berlin", subject="1"
    )
    local = row.next_run.astimezone(timezone.get_fixed_timezone(60))
    assert local.weekday() == 0
    assert schedule_run() == 0
    due()
    assert schedule_run() == 1
    job = Job.objects.get()
    assert (job.kind, job.organisation_id, job.subject) == ("probe", acme.id, "1")
    assert Schedule.objects.get().next_run > timezone.now()


def test_a_row_is_taken_off_the_schedule_by_its_own_organisation_only(acme: Any, other: Any, probes: Any) -> None:
    schedule_set(name="source:1", kind="probe", organisation=acme.id, cron="0 4 * * *", time_zone="UTC")
    schedule_clear(name="source:1", organisation=other.id)
    assert Schedule.objects.count() == 1
    schedule_clear(name="source:1", organisation=acme.id)
    assert Schedule.objects.count() == 0


def test_a_kind_that_this_version_does_not_know_is_looked_at_later(acme: Any, probes: Any) -> None:
    schedule_set(name="source:1", kind="of_tomorrow", organisation=acme.id, cron="0 4 * * *", time_zone="UTC")
    due()
    schedule_run()
    assert not Job.objects.exists()
    assert Schedule.objects.get().next_run > timezone.now() + timedelta(minutes=50)


def test_the_clock_beats_until_it_is_stopped(timed: None) -> None:
    clock = Clock()
    clock.start()
    wait_until(lambda: Job.objects.count() == 2, what="the schedule's jobs")
    assert clock.lives()
    clock.stop()
    wait_until(lambda: not clock.lives(), what="the clock's end")
