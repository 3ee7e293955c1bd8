"""Every kind of job, killed by `kill -9` at the beginning of each of its steps and just before its end: another worker
takes it, and it ends well. A new kind needs a case here; its steps are found by themselves.
"""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.invitation_mail import invitation_mail
from app.accounts.models import Organisation
from app.accounts.password_reset import RESET_MAIL
from app.accounts.services import invitation_create, organisation_create
from app.accounts.tests.mail_server import MailServer, mail_server
from app.bots.models import Bot
from app.bots.services import bot_create
from app.chat.models import Conversation
from app.jobs.execution import job_run
from app.jobs.models import Job
from app.jobs.registry import kind_of, kinds_all
from app.jobs.services import job_create
from app.jobs.tests.probes import job_get, leases_age
from app.jobs.tests.running import jobs_run
from app.lib.storage import exports_storage
from app.library.choices import SourceKind
from app.library.connectors import registry
from app.library.models import Document, EmbeddingCache
from app.library.services.documents import document_delete
from app.library.services.embedding_change import change_drop, change_measure, change_start, change_switch
from app.library.services.runs import run_start
from app.library.services.sources import source_create
from app.library.tests.projection import SPACE, Projection, changes_forget, projection
from app.library.tests.scans import data, page
from app.library.tests.shelf import ShelfConnector
from app.library.tests.sounds import speech, wav
from app.library.tests.stores import points_of, state_of, stores_agree, stores_empty, upload
from app.library.tests.workers import test_database_url
from app.llm.embeddings import EmbeddingSpace
from app.llm.models import EmbeddingChange
from app.llm.speech_models import TINY_ENGLISH
from app.privacy.erasure import run as erasing
from app.privacy.erasure.services import organisation_erase
from app.privacy.exports.services import export_create
from app.privacy.models import Erasure, Export, RetentionRun
from app.retrieval.index_loader import index_exists, index_sweep, index_writer
from tests.engines import ROOT
from tests.people import Person, person_make

pytestmark = pytest.mark.django_db(transaction=True)

Verify = Callable[[], Any]
TEXT = b"# Parcels\n\nA parcel waits in the depot until somebody signs for it."


@dataclass
class Case:
    """Preparation of a kind's job. number: of the kill, so that each has a subject of its own."""

    person: Person
    mails: MailServer
    embeddings: Projection
    number: int

    @property
    def organisation(self) -> Organisation:
        return self.person.organisation

    def document(self) -> Document:
        return upload(self.organisation, f"{self.number}.md", TEXT + str(self.number).encode())

    def ready(self) -> Document:
        document = self.document()
        jobs_run("ingest")
        assert state_of(document) == "ready"
        return document


def ingest(case: Case) -> Verify:
    document = case.document()

    def verify() -> None:
        assert state_of(document) == "ready"
        stores_agree()

    return verify


def ingest_scan(case: Case) -> Verify:
    document = upload(case.organisation, f"{case.number}.png", data(page((f"Letter {case.number} of Bremen.",))))
    jobs_run("ingest")
    assert state_of(document) == "queued"

    def verify() -> None:
        assert state_of(document) == "ready"
        stores_agree()

    return verify


def ingest_slow(case: Case) -> Verify:
    # The number makes other bytes of it.
    document = upload(case.organisation, f"{case.number}.wav", wav(speech(4)) + bytes(case.number))
    jobs_run("ingest")
    assert state_of(document) == "queued"

    def verify() -> None:
        assert state_of(document) == "ready"
        stores_agree()

    return verify


def reading(case: Case) -> Verify:
    texts = {"one": "The lighthouse opens at nine.", "two": f"The harbour is closed on day {case.number}."}
    source = source_create(
        organisation=case.organisation, name=f"Shelf {case.number}", kind=SourceKind.PUSH, settings={"texts": texts}
    )
    upload(case.organisation, "gone.md", TEXT + b"Of the shelf.", source)
    jobs_run("ingest")
    run = run_start(organisation=case.organisation.pk, source=source)

    def verify() -> None:
        jobs_run()
        documents = Document.objects.filter(source=source)
        assert dict(documents.values_list("external_id", "state")) == {"one": "ready", "two": "ready"}
        run.refresh_from_db()
        assert (run.state, run.seen, run.failed) == ("done", 3, 0)
        stores_agree()

    return verify


def deletion(case: Case) -> Verify:
    document = case.ready()
    document_delete(organisation=case.organisation.pk, document=document.pk)

    def verify() -> None:
        assert points_of(case.organisation.pk) == set()
        stores_agree()

    return verify


def reconciling(case: Case) -> Verify:
    case.ready()
    index_sweep().delete(organisation=str(case.organisation.pk))
    job_create(kind="reconcile", key="case")

    def verify() -> None:
        jobs_run("ingest")
        assert points_of(case.organisation.pk)
        stores_agree()

    return verify


def renewing(case: Case) -> Verify:
    case.ready()
    job_create(kind="index_renew")
    return stores_agree


def filling(case: Case) -> Verify:
    changes_forget()
    case.ready()
    change = change_start(change=change_measure(url=case.embeddings.url).pk)

    def verify() -> None:
        change.refresh_from_db()
        assert (change.state, change.filled) == ("ready", change.passages)
        assert {point.id for point in index_writer(SPACE).point_owners()} == points_of(case.organisation.pk)
        stores_agree()

    return verify


def dropping(case: Case) -> Verify:
    filling(case)
    jobs_run("embedding_fill")
    [change] = EmbeddingChange.objects.all()
    change_switch(change=change.pk)
    # Every process has followed.
    EmbeddingChange.objects.update(switched=timezone.now() - timedelta(minutes=2))
    change_drop(change=change.pk)

    def verify() -> None:
        change.refresh_from_db()
        assert change.state == "done"
        assert not index_exists(EmbeddingSpace(change.old_model, change.old_dimensions or 0))
        assert not EmbeddingCache.objects.exclude(model=change.model).exists()
        stores_agree()

    return verify


def exporting(case: Case) -> Verify:
    case.ready()
    export = export_create(organisation=case.organisation.pk, role=Role.OWNER)

    def verify() -> None:
        row = Export.objects.get(pk=export.pk)
        assert (row.state, row.percent) == ("done", 100)
        with exports_storage().local_path(row.storage_key) as path:
            assert zipfile.ZipFile(path).testzip() is None

    return verify


def erasing_all(case: Case) -> Verify:
    gone = organisation_create(slug=f"gone-{case.number}")
    upload(gone, "gone.md", TEXT)
    jobs_run("ingest")
    erasure = organisation_erase(organisation=gone.pk, confirm=gone.slug, role=Role.OWNER)

    def verify() -> None:
        row = Erasure.objects.get(pk=erasure.pk)
        assert row.state == "done"
        assert row.receipt["stores"]["vectors"]["points"] == {"before": 1, "after": 0}
        assert not Organisation.objects.filter(pk=gone.pk).exists()
        assert points_of(gone.pk) == set()

    return verify


def retaining(case: Case) -> Verify:
    RetentionRun.objects.all().delete()
    Organisation.objects.filter(pk=case.organisation.pk).update(retention_days=1)
    bot = Bot.objects.filter(organisation=case.organisation).first() or bot_create(
        organisation=case.organisation, slug="desk", name="Desk"
    )
    old = Conversation.objects.create(organisation=case.organisation, bot=bot, user=case.person.user)
    Conversation.objects.filter(pk=old.pk).update(updated=timezone.now() - timedelta(days=3))
    job_create(kind="retention")

    def verify() -> None:
        assert not Conversation.objects.filter(pk=old.pk).exists()
        assert RetentionRun.objects.filter(organisation=case.organisation).count() == 1

    return verify


def inviting(case: Case) -> Verify:
    invitation, token = invitation_create(
        organisation=case.organisation,
        email=f"guest{case.number}@example.org",
        role=Role.VIEWER,
        invited_by=case.person.user,
        inviter_role=Role.OWNER,
    )
    before = len(case.mails.mails)
    assert invitation_mail(invitation=invitation)

    def verify() -> None:
        # At least once.
        [*_, last] = case.mails.wait(before + 1)
        assert token in last.get_content()

    return verify


def resetting(case: Case) -> Verify:
    before = len(case.mails.mails)
    job_create(kind=RESET_MAIL, payload={"email": case.person.user.email})

    def verify() -> None:
        [*_, last] = case.mails.wait(before + 1)
        link = next(word for word in last.get_content().split() if "/accounts/reset/" in word)
        assert case.person.client.get(link.partition("8000")[2]).status_code == 200

    return verify


def tidying(case: Case) -> Verify:
    old = job_create(kind="jobs_tidy", key="old")
    Job.objects.filter(pk=old).update(state="done", ended=timezone.now() - timedelta(days=8))
    job_create(kind="jobs_tidy")
    return lambda: not Job.objects.filter(pk=old).exists()


CASES: dict[str, Callable[[Case], Verify]] = {
    "ingest": ingest,
    "ingest_scan": ingest_scan,
    "ingest_slow": ingest_slow,
    "source_run": reading,
    "document_delete": deletion,
    "reconcile": reconciling,
    "index_renew": renewing,
    "embedding_fill": filling,
    "embedding_drop": dropping,
    "export": exporting,
    "erasure": erasing_all,
    "retention": retaining,
    "invitation_mail": inviting,
    "password_reset_mail": resetting,
    "jobs_tidy": tidying,
}


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def embeddings() -> Iterator[Projection]:
    with projection() as server:
        yield server
    changes_forget()


@pytest.fixture(scope="module")
def killer(mails: MailServer, django_db_setup: None, qdrant: str, embedder: str) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "app.settings",
        "REFDESK_DATABASE_URL": test_database_url(),
        "REFDESK_SMTP_URL": mails.url,
        "REFDESK_MAIL_FROM": "desk@example.org",
        "REFDESK_SPEECH_MODEL": TINY_ENGLISH.name,
    }
    command = [sys.executable, "-m", "tests.job_killer"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    assert process.stdin is not None
    process.stdin.close()
    process.wait(20)


def kill_at(killer: "subprocess.Popen[str]", job: UUID, step: str) -> str:
    assert killer.stdin is not None
    assert killer.stdout is not None
    killer.stdin.write(f"{job} {step}\n")
    killer.stdin.flush()
    return killer.stdout.readline().strip()


def test_every_kind_has_a_case() -> None:
    assert {kind.kind for kind in kinds_all()} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_job_killed_at_any_step_ends_well(
    name: str,
    acme: Organisation,
    killer: "subprocess.Popen[str]",
    mails: MailServer,
    embeddings: Projection,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stores_empty()
    Job.objects.all().delete()
    settings.SPEECH_MODEL = TINY_ENGLISH.name
    settings.SMTP_URL, settings.MAIL_FROM = mails.url, "desk@example.org"
    monkeypatch.setitem(registry.connectors_all(), SourceKind.PUSH, ShelfConnector)
    monkeypatch.setattr(erasing, "SETTLE_S", 0.05)
    monkeypatch.setattr(erasing, "SETTLE_WORKER_S", 0.05)
    alice = person_make("alice", acme, Role.OWNER)
    steps = [*map(str, kind_of(name).steps), "done"]
    for number, step in enumerate(steps):
        verify = CASES[name](Case(alice, mails, embeddings, number))
        job = Job.objects.get(kind=name, state="queued").pk
        assert kill_at(killer, job, step) == "killed", f"{name} does not say that it is at {step}"
        assert (job_get(job).state, job_get(job).attempt) == ("running", 1)
        leases_age()
        connection.close()
        assert jobs_run_dead(name) == 1
        row = job_get(job)
        assert (row.state, row.attempt, row.error_code) == ("done", 2, ""), step
        assert verify() is not False, step


def jobs_run_dead(name: str) -> int:
    """Do the job whose worker died, as the next worker would."""
    rows = Job.objects.filter(kind=name, state="running").values_list("pk", flat=True)
    return sum(job_run(job=job) for job in rows)
