"""Retention runs once a night and removes only what is old enough."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from app.accounts.choices import TokenPurpose
from app.accounts.models import Invitation, OneTimeToken, Organisation
from app.audit.models import AuditEntry
from app.chat.models import Citation, Conversation, Message
from app.jobs.dispatcher import connection_parameters
from app.jobs.registry import kind_of
from app.jobs.services import job_create
from app.jobs.tests.running import jobs_run
from app.lib.advisory_lock import RETENTION
from app.library.models import Chunk, EmbeddingCache, Run, RunItem
from app.privacy.models import Export, RetentionRun
from app.privacy.retention.run import night_of, retention_run
from tests.factories import Tenant, tenant_make
from tests.people import Person
from tests.snapshot import changes, snapshot

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(acme: Organisation, alice: Person) -> Tenant:
    """Make Acme, which keeps conversations for 30 days, with one 31 and one 29 days old."""
    made = tenant_make(alice, word="lighthouse")
    RetentionRun.objects.all().delete()
    Organisation.objects.filter(pk=acme.pk).update(retention_days=30)
    young = Conversation.objects.create(organisation=acme, bot=made.bot, user=alice.user, title="young")
    for conversation, days in ((made.conversation, 31), (young, 29)):
        age(conversation, days)
    return made


def age(conversation: Conversation, days: int) -> None:
    then = timezone.now() - timedelta(days=days)
    Message.objects.filter(conversation=conversation).update(updated=then)
    Conversation.objects.filter(pk=conversation.pk).update(updated=then)


def test_only_conversations_that_are_too_old_go(tenant: Tenant, charlie: Person) -> None:
    foreign = tenant_make(charlie, word="submarine")
    age(foreign.conversation, 1000)
    found = retention_run()
    assert {name: found["acme"][name] for name in ("conversations", "messages", "citations")} == {
        "conversations": 1,
        "messages": 2,
        "citations": 1,
    }
    # The other organisation keeps everything.
    assert sorted(Conversation.objects.values_list("title", flat=True)) == ["submarine conversation", "young"]
    assert Message.objects.count() == 2
    assert Citation.objects.count() == 1


def test_a_conversation_whose_last_turn_is_young_stays(tenant: Tenant) -> None:
    Message.objects.filter(pk=tenant.answer.pk).update(updated=timezone.now())
    assert retention_run()["acme"]["conversations"] == 0
    assert Conversation.objects.filter(pk=tenant.conversation.pk).exists()


def test_a_dry_run_counts_and_removes_nothing(tenant: Tenant) -> None:
    before = snapshot()
    out = io.StringIO()
    call_command("retention_run", "--dry-run", stdout=out)
    assert "acme: 1 conversations, 2 messages, 1 citations" in out.getvalue()
    assert changes(before, snapshot()) == []


def test_a_night_is_done_once_and_is_recorded(tenant: Tenant, acme: Organisation) -> None:
    assert set(retention_run()) == {"acme", ""}
    assert retention_run() == {}
    row = RetentionRun.objects.get(organisation=acme)
    assert row.counts["conversations"] == 1
    entry = AuditEntry.objects.get(organisation=acme, action="retention.run")
    assert entry.actor_kind == "system"


def test_a_night_begins_at_one_o_clock_utc_when_its_job_is_made(tenant: Tenant) -> None:
    assert night_of(datetime(2027, 3, 1, 0, 59, tzinfo=UTC)) == date(2027, 2, 28)
    assert night_of(datetime(2027, 3, 1, 1, 0, tzinfo=UTC)) == date(2027, 3, 1)
    timetable = kind_of("retention").timetable
    assert timetable is not None
    assert timetable.cron == "0 1 * * *"


def test_the_night_s_job_does_it(tenant: Tenant, acme: Organisation) -> None:
    job_create(kind="retention")
    assert jobs_run("retention") == 1
    assert RetentionRun.objects.filter(organisation=acme).exists()


def test_an_organisation_that_a_killed_worker_did_not_reach_is_due(tenant: Tenant, other: Organisation) -> None:
    retention_run()
    RetentionRun.objects.filter(organisation=other).delete()
    assert set(retention_run()) == {"other"}


@contextmanager
def somebody_else() -> Iterator[None]:
    with psycopg.connect(**connection_parameters()) as elsewhere:
        elsewhere.execute("SELECT pg_advisory_lock(%s)", [RETENTION])
        yield


def test_two_workers_do_not_do_it_at_once(tenant: Tenant) -> None:
    with somebody_else():
        assert retention_run() == {}
        with pytest.raises(CommandError, match="at it just now"):
            call_command("retention_run", stdout=io.StringIO())
    assert Conversation.objects.filter(pk=tenant.conversation.pk).exists()


def test_what_has_expired_goes(tenant: Tenant, acme: Organisation, alice: Person) -> None:
    past = timezone.now() - timedelta(minutes=1)
    Invitation.objects.update(expires=past)
    Export.objects.update(expires=past)
    for expires in (past, timezone.now() + timedelta(days=1)):
        OneTimeToken.objects.create(
            purpose=TokenPurpose.PASSWORD_RESET, user=alice.user, token_hash=str(expires), expires=expires
        )
    Session.objects.create(session_key="old", session_data="", expire_date=past)
    found = retention_run()
    assert (found["acme"]["invitations"], found["acme"]["exports"]) == (1, 1)
    assert (found[""]["one_time_tokens"], found[""]["sessions"]) == (1, 1)
    assert not Invitation.objects.exists()
    assert not Export.objects.exists()
    assert OneTimeToken.objects.count() == 1


def test_vectors_of_texts_that_are_gone_are_forgotten(tenant: Tenant, acme: Organisation) -> None:
    text = Chunk.objects.get(organisation=acme).embed_text
    with connection.cursor() as cursor:
        for each in (text, "a deleted document's passage"):
            cursor.execute(
                "INSERT INTO library_embeddingcache (id, organisation_id, model, content_hash, vector)"
                " VALUES (gen_random_uuid(), %s, 'm', sha256(convert_to(%s, 'UTF8')), '')",
                [acme.pk, each],
            )
    assert retention_run()["acme"]["cached_vectors"] == 1
    assert EmbeddingCache.objects.count() == 1


def test_one_organisation_at_a_time(tenant: Tenant, other: Organisation) -> None:
    call_command("retention_run", "--organisation", "acme", stdout=io.StringIO())
    assert set(RetentionRun.objects.values_list("organisation__slug", flat=True)) == {"acme"}


def test_the_admin_shows_what_a_night_removed(tenant: Tenant, alice: Person) -> None:
    retention_run()
    page: Any = alice.client.get("/admin/privacy/retentionrun/")
    text = page.content.decode()
    assert "1 conversations" in text
    assert "2 messages" in text


def test_runs_of_a_source_go_after_90_days_except_its_last(tenant: Tenant, acme: Organisation) -> None:
    ended = timezone.now() - timedelta(days=91)
    runs = [Run.objects.create(organisation=acme, source=tenant.source, state="done", ended=ended) for _ in range(2)]
    Run.objects.filter(pk=tenant.run.pk).update(ended=ended)
    Run.objects.filter(pk=runs[1].pk).update(created=timezone.now())
    assert retention_run(dry_run=True)["acme"]["runs"] == 2
    assert retention_run()["acme"]["runs"] == 2
    assert list(Run.objects.values_list("pk", flat=True)) == [runs[1].pk]
    assert not RunItem.objects.exists()
