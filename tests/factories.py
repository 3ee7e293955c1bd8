"""Factory of an organisation with a row of every kind, for the tests of every route."""

import io
import zlib
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.keys import api_key_create
from app.accounts.models import ApiKey, ClaimRule, Identity, Invitation, Organisation
from app.accounts.services import invitation_create
from app.bots.models import Bot
from app.bots.services import bot_create
from app.chat.choices import AnswerMode, MessageRole
from app.chat.models import Citation, Conversation, Message
from app.jobs.choices import JobState
from app.jobs.models import Job, Schedule
from app.jobs.schedule import schedule_set
from app.lib.ids import new_id
from app.lib.storage import exports_storage, storage
from app.library.choices import DocumentState, Outcome, RunState, VersionState
from app.library.models import Chunk, Document, DocumentVersion, Run, RunItem, Source, VersionText
from app.library.parsers.blocks import Block, Parsed, blocks_to_json
from app.library.services.sources import source_create
from app.llm.models import ModelEndpoint
from app.plans.models import Plan, UsageEntry
from app.plans.services import plan_create
from app.privacy.choices import ErasureKind, RequestState
from app.privacy.models import Erasure, Export, RetentionRun
from app.secrets.models import Secret
from app.secrets.services import secret_set
from tests.people import Person

PLACE = {"kind": "text", "page": None, "boxes": [], "heading": [], "rows": None}


@dataclass
class Tenant:
    """Rows of one organisation. Every text in them holds `word`, so that a leak is seen in any response."""

    word: str
    token: str
    source: Source
    document: Document
    version: DocumentVersion
    chunk: Chunk
    run: Run
    run_item: RunItem
    job: Job
    schedule: Schedule
    bot: Bot
    conversation: Conversation
    question: Message
    answer: Message
    citation: Citation
    invitation: Invitation
    api_key: ApiKey
    claim_rule: ClaimRule
    identity: Identity
    export: Export
    erasure: Erasure
    retention: RetentionRun
    plan: Plan
    usage: UsageEntry
    secret: Secret
    endpoint: ModelEndpoint

    # Rows by model, as tests/admin_routes.py has looked them up.
    found: dict[Any, Any] = field(default_factory=dict, repr=False)

    def rows(self) -> list[Any]:
        return [getattr(self, each.name) for each in fields(self) if each.name not in ("word", "token", "found")]


def tenant_make(person: Person, *, word: str) -> Tenant:
    organisation = person.organisation
    source = source_create(organisation=organisation, name=f"{word} source")
    document, version, chunk = _document(person, source, word)
    run, run_item = _run(source, document)
    job = _job(document, version)
    schedule = schedule_set(
        name=f"source:{source.pk}", kind="ingest", organisation=organisation.pk, cron="0 4 * * *", time_zone="UTC"
    )
    bot = bot_create(organisation=organisation, slug=f"{word}-bot", name=f"{word} bot", created_by=person.user)
    conversation, question, answer, citation = _conversation(person, bot, document, chunk, word)
    invitation, token = invitation_create(
        organisation=organisation,
        email=f"{word}@example.org",
        role=Role.VIEWER,
        invited_by=person.user,
        inviter_role=person.role,
    )
    key, _ = api_key_create(organisation=organisation, name=f"{word} key", role=Role.VIEWER)
    return Tenant(
        word=word,
        token=token,
        source=source,
        document=document,
        version=version,
        chunk=chunk,
        run=run,
        run_item=run_item,
        job=job,
        schedule=schedule,
        bot=bot,
        conversation=conversation,
        question=question,
        answer=answer,
        citation=citation,
        invitation=invitation,
        api_key=key,
        claim_rule=ClaimRule.objects.create(organisation=organisation, value=f"{word} group"),
        identity=Identity.objects.create(
            user=person.user, issuer="https://login.example.org", subject=f"{word} subject"
        ),
        plan=_plan(organisation),
        usage=_usage(person, bot),
        **_endpoint(organisation, word),
        **_work(person),
    )


def _work(person: Person) -> dict[str, Any]:
    """Create an export that can be fetched, a finished erasure and a night of retention."""
    organisation, now = person.organisation, timezone.now()
    with exports_storage().stage(io.BytesIO(new_id().bytes), organisation=organisation.pk) as stored:
        stored.commit()
    export = Export.objects.create(
        organisation=organisation,
        state=RequestState.DONE,
        storage_key=stored.key,
        bytes=stored.bytes,
        requested_by=person.user,
        expires=now + timedelta(days=1),
    )
    erasure = Erasure.objects.create(
        organisation=organisation, kind=ErasureKind.PERSON, subject=new_id(), state=RequestState.DONE, finished=now
    )
    night = RetentionRun.objects.create(organisation=organisation, night=now.date(), counts={"conversations": 1})
    return {"export": export, "erasure": erasure, "retention": night}


def _usage(person: Person, bot: Bot) -> UsageEntry:
    now = timezone.now()
    return UsageEntry.objects.create(
        organisation=person.organisation, at=now, day=now.date(), kind="search", step="charge", bot=bot.pk, requests=1
    )


def _endpoint(organisation: Organisation, word: str) -> dict[str, Any]:
    """Return a model server that nobody asks: the egress policy refuses its address before anything is sent."""
    secret = secret_set(
        organisation=organisation.pk, purpose="model_endpoint.api_key", label=f"{word} key", value=f"{word} key's value"
    )
    endpoint = ModelEndpoint.objects.create(
        organisation=organisation,
        name=f"{word} server",
        url=f"http://{word}.internal/v1",
        credential=secret,
        served_models=[{"name": f"{word} model"}],
        defaults={"model": f"{word} model"},
    )
    return {"secret": secret, "endpoint": endpoint}


def _plan(organisation: Organisation) -> Plan:
    # Without the word: a plan is the box's, and stays when the organisation is erased.
    organisation.plan = plan_create(name=f"plan-{new_id()}", values={"title": "A plan of its own"})
    organisation.save(update_fields=["plan"])
    return organisation.plan


def _job(document: Document, version: DocumentVersion) -> Job:
    return Job.objects.create(
        organisation=document.organisation,
        kind="ingest",
        lane="cpu",
        subject=str(document.pk),
        unique_key=str(document.pk),
        payload={"version": str(version.pk)},
        state=JobState.DONE,
        ended=timezone.now(),
    )


def _run(source: Source, document: Document) -> tuple[Run, RunItem]:
    now = timezone.now()
    run = Run.objects.create(
        organisation=source.organisation, source=source, state=RunState.DONE, seen=1, read=1, started=now, ended=now
    )
    item = RunItem.objects.create(
        organisation=source.organisation,
        run=run,
        external_id=document.external_id,
        outcome=Outcome.READ,
        document=document,
        detail=f"{document.name} detail",
    )
    return run, item


def _document(person: Person, source: Source, word: str) -> tuple[Document, DocumentVersion, Chunk]:
    organisation, text = person.organisation, f"{word} text"
    with storage().stage(io.BytesIO(text.encode()), organisation=organisation.pk) as stored:
        stored.commit()
    document = Document.objects.create(
        organisation=organisation,
        source=source,
        external_id=f"{word}.txt",
        name=f"{word}.txt",
        media_type="text/plain",
        state=DocumentState.READY,
        chunks=1,
        uploaded_by=person.user,
    )
    version = DocumentVersion.objects.create(
        organisation=organisation,
        document=document,
        state=VersionState.ACTIVE,
        storage_key=stored.key,
        sha256=stored.sha256,
        bytes=stored.bytes,
        media_type="text/plain",
        title=f"{word} title",
        chunks=1,
    )
    blocks = zlib.compress(blocks_to_json(Parsed((Block("paragraph", text),), "text/plain")))
    VersionText.objects.create(organisation=organisation, version=version, blocks=blocks)
    chunk = Chunk.objects.create(
        id=new_id(),
        organisation=organisation,
        document=document,
        version=version,
        position=0,
        text=text,
        embed_text=text,
        tokens=2,
        start=0,
        end=len(text),
        place=PLACE,
    )
    document.active_version = version
    document.save(update_fields=["active_version"])
    return document, version, chunk


def _conversation(
    person: Person, bot: Bot, document: Document, chunk: Chunk, word: str
) -> tuple[Conversation, Message, Message, Citation]:
    organisation = person.organisation
    conversation = Conversation.objects.create(
        organisation=organisation, bot=bot, user=person.user, title=f"{word} conversation"
    )
    question = Message.objects.create(
        organisation=organisation, conversation=conversation, role=MessageRole.USER, content=f"{word} question"
    )
    answer = Message.objects.create(
        organisation=organisation,
        conversation=conversation,
        role=MessageRole.ASSISTANT,
        reply_to=question,
        content=f"{word} answer",
        mode=AnswerMode.EXTRACTIVE,
        revision=bot.live_revision,
    )
    citation = Citation.objects.create(
        organisation=organisation,
        message=answer,
        n=1,
        start=0,
        end=len(word),
        chunk_id=chunk.id,
        document=document,
        document_name=document.name,
        version=1,
        text=f"{word} passage",
        place=PLACE,
        as_of=timezone.now(),
    )
    return conversation, question, answer, citation
