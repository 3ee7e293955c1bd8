import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from app.jobs.dispatcher import Dispatcher, connection_parameters
from app.jobs.leases import CHANNEL
from app.jobs.models import Job
from app.jobs.services import job_create
from app.jobs.tests.probes import Long, Probe, job_get, next_jobs, next_messages, take
from tests.database import as_superuser

pytestmark = pytest.mark.django_db(transaction=True)
WINDOW = Probe().window


def test_a_light_job_of_one_organisation_does_not_wait_for_the_many_of_another(
    acme: Any, other: Any, probe: Probe
) -> None:
    for number in range(WINDOW * 2):
        job_create(kind="probe", organisation=acme.id, weight=number)
    first = next_jobs()
    assert len(first) == WINDOW
    assert next_jobs() == []
    lonely = job_create(kind="probe", organisation=other.id, weight=100_000)
    Job.objects.filter(pk__in=first[:2]).update(state="done")
    following = next_jobs()
    assert lonely in following
    assert len(following) == 2


def test_the_box_s_own_jobs_take_their_turn_as_an_organisation_does(acme: Any, probe: Probe) -> None:
    for number in range(WINDOW * 2):
        job_create(kind="probe", organisation=acme.id, weight=number)
    own = job_create(kind="probe", weight=100_000)
    assert own in next_jobs()


def test_kinds_have_room_of_their_own(acme: Any, probes: Any) -> None:
    for _ in range(WINDOW * 2):
        job_create(kind="probe", organisation=acme.id)
        job_create(kind="long", organisation=acme.id)
    kinds = [message.kind for message in next_messages()]
    assert kinds.count("probe") == WINDOW
    assert kinds.count("long") == 1
    mail = job_create(kind="quick", organisation=acme.id)
    [message] = next_messages()
    assert (message.job, message.kind, message.lane) == (mail, "quick", "interactive")


def test_an_organisation_has_its_share_of_a_kind_that_limits_it(acme: Any, other: Any, long: Long) -> None:
    jobs = [job_create(kind="long", organisation=acme.id) for _ in range(3)]
    assert next_jobs() == [jobs[0]]
    assert next_jobs() == []
    foreign = job_create(kind="long", organisation=other.id)
    assert next_jobs() == [foreign]


def test_each_worker_has_room(acme: Any, probe: Probe) -> None:
    for number in range(WINDOW * 4):
        job_create(kind="probe", organisation=acme.id, weight=number)
    assert len(next_jobs(workers=3)) == WINDOW * 3


def test_urgent_jobs_go_first_then_light_ones_then_old_ones(acme: Any, probe: Probe) -> None:
    heavy = job_create(kind="probe", organisation=acme.id, weight=5000)
    light = job_create(kind="probe", organisation=acme.id, weight=1)
    later = job_create(kind="probe", organisation=acme.id, weight=1)
    urgent = job_create(kind="probe", organisation=acme.id, weight=9000, priority=-1)
    assert next_jobs() == [urgent, light, later, heavy]


def test_a_message_that_nobody_took_is_sent_again(acme: Any, probe: Probe) -> None:
    job = job_create(kind="probe", organisation=acme.id)
    assert next_jobs() == [job]
    assert next_jobs() == []
    Job.objects.update(sent=Now() - timedelta(minutes=1))
    assert next_jobs() == [job]


def test_a_dead_worker_s_job_is_sent_again(acme: Any, probe: Probe) -> None:
    job = job_create(kind="probe", organisation=acme.id)
    next_jobs()
    take(job)
    Job.objects.update(sent=Now() - timedelta(minutes=1))
    assert next_jobs() == []
    Job.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert next_jobs() == [job]


def test_a_job_that_waits_is_not_sent_before_its_time(acme: Any, probe: Probe) -> None:
    job = job_create(kind="probe", organisation=acme.id, delay=timedelta(minutes=1))
    assert next_jobs() == []
    Job.objects.update(not_before=Now() - timedelta(seconds=1))
    assert next_jobs() == [job]


def test_a_job_of_a_kind_that_this_version_does_not_know_is_not_sent(acme: Any, probe: Probe) -> None:
    strange = job_create(kind="probe", organisation=acme.id)
    Job.objects.filter(pk=strange).update(kind="of_tomorrow")
    job = job_create(kind="probe", organisation=acme.id)
    assert next_jobs() == [job]
    assert job_get(strange).sent is None


def test_a_round_reads_few_rows_however_many_jobs_are_queued(acme: Any, other: Any, probe: Probe) -> None:
    with connection.cursor() as cursor:
        for organisation in (acme, other):
            cursor.execute(
                "INSERT INTO jobs_job (id, kind, lane, organisation_id, subject, payload, state, step, percent,"
                " attempt, deaths, fence, priority, weight, error_code, error_message, created, updated)"
                " SELECT gen_random_uuid(), 'probe', 'cpu', %s, '', '{}', 'queued', '', 0, 0, 0, 0, 0, n, '', '',"
                " now(), now() FROM generate_series(1, 5000) n",
                [organisation.id],
            )
    as_superuser("ANALYZE jobs_job")
    with connection.cursor() as cursor:
        # The same settings as the dispatcher's own connection.
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("SET enable_bitmapscan = off")
    jobs = next_jobs()
    assert sorted(job_get(job).weight for job in jobs) == sorted([*range(1, WINDOW // 2 + 1)] * 2)
    Job.objects.filter(pk__in=jobs).update(state="done", sent=None)
    with transaction.atomic():
        assert len(next_jobs()) == WINDOW
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'jobs_job'"
            )
            rows = cursor.fetchone()[0]
    # A few hundred; when row security prevented use of the index, each of the 10,000 was read ten times.
    assert 0 < rows < 1000
    connection.close()


def test_a_job_made_while_the_dispatcher_asks_for_others_does_not_wait_for_the_poll(acme: Any, probe: Probe) -> None:
    dispatcher = Dispatcher(send=lambda message: None, on_stop=lambda job: None)
    with psycopg.connect(**connection_parameters()) as connected:
        connected.execute(f"LISTEN {CHANNEL}")
        job_create(kind="probe", organisation=acme.id)
        # The notification comes with the answer of this query.
        connected.execute("SELECT 1")
        begun = time.monotonic()
        dispatcher._wait(connected, 5.0)
        assert time.monotonic() - begun < 2
