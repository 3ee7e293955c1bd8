"""An organisation whose every text is an attack, for a test in a browser that none of them runs.

Each attack calls `ran()`, which the browser's pages define (test_scripts_browser.py), or fetches a style.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.keys import api_key_create
from app.accounts.models import ClaimRule, Identity, Organisation, SignIn, User
from app.accounts.services import (
    invitation_create,
    membership_create,
    organisation_update,
    user_update,
)
from app.bots.models import Bot
from app.bots.services import bot_create, bot_pause, bot_update
from app.chat.models import Citation, Conversation, Message
from app.jobs.choices import JobState
from app.jobs.models import Job, Schedule
from app.lib.ids import new_id
from app.library.models import Document, DocumentMatch, DocumentVersion, Run, RunItem, Source
from app.library.services.sources import source_create
from app.llm.choices import ChangeState
from app.llm.models import EmbeddingChange, ModelEndpoint
from app.plans.models import UsageEntry
from app.plans.services import plan_create
from app.privacy.choices import RequestState
from app.privacy.models import Erasure, Export, RetentionRun
from tests.documents import document_row

ATTACKS = (
    "<script>ran()</script>",
    "</script><script>ran()</script>",
    "</title><script>ran()</script>",
    "</textarea><script>ran()</script>",
    "</style><script>ran()</script>",
    "</noscript><script>ran()</script>",
    "--><script>ran()</script>",
    "]]><script>ran()</script>",
    "<img src=x onerror=ran()>",
    "<IMG SRC=x ONERROR=ran()//",
    "<svg onload=ran()>",
    "<svg/onload=ran()//",
    "<svg><animate onbegin=ran() attributeName=x dur=1s>",
    "<svg><script href=data:,ran() />",
    "<math><mtext><style><img src=x onerror=ran()></style>",
    "<details open ontoggle=ran()>",
    "<iframe srcdoc='<script>parent.ran()</script>'></iframe>",
    "<iframe src=javascript:parent.ran()></iframe>",
    "<object data=javascript:ran()>",
    "<body onload=ran()>",
    "<video><source onerror=ran()></video>",
    "<input autofocus onfocus=ran()>",
    "<form action=javascript:ran()><input type=submit autofocus>",
    "<base href=javascript:ran()//>",
    "<meta http-equiv=refresh content='0;url=javascript:ran()'>",
    "<link rel=stylesheet href=data:text/css,*{color:red}>",
    "<style>@import 'data:text/css,*{color:red}';</style>",
    '" autofocus onfocus="ran()',
    "' autofocus onfocus='ran()",
    '"><img src=x onerror=ran()>',
    "'><img src=x onerror=ran()>",
    "` onfocus=ran() autofocus `",
    "'-ran()-'",
    '"-ran()-"',
    "\\';ran();//",
    "');ran();('",
    "${ran()}",
    "`${ran()}`",
    "{{constructor.constructor('ran()')()}}",
    "{% load static %}{{ request }}{% include 'x' %}",
    '" x-data x-init="ran()',
    "<div x-data x-init=ran()></div>",
    '<div hx-get="/" hx-trigger="load" hx-on::load="ran()"></div>',
    "javascript:ran()",
    "java\tscript:ran()",
    "data:text/html,<script>parent.ran()</script>",
    "[x](javascript:ran())",
    "![x](x \"onerror='ran()'\")",
    "&lt;script&gt;ran()&lt;/script&gt;",
    "&#60;img src=x onerror=ran()&#62;",
    "\\u003cscript\\u003eran()\\u003c/script\\u003e",
    "\u202e<script>ran()</script>",
    "＜script＞ran()＜/script＞",
)
FIRST, QUOTE = ATTACKS[8], ATTACKS[29]


@transaction.atomic
def hostile_make(slug: str = "default") -> None:
    """Fill an organisation with attacks. Its owner becomes the operator, who sees every page."""
    organisation = Organisation.objects.get(slug=slug)
    owner = User.objects.get(memberships__organisation=organisation, memberships__role=Role.OWNER)
    user_update(user=owner.pk, values={"name": QUOTE, "is_operator": True})
    plan = plan_create(name="hostile", values={"title": ATTACKS[0], "requests_per_month": 1})
    _people(organisation, owner)
    sources = [source_create(organisation=organisation, name=attack) for attack in ATTACKS]
    bots = _bots(organisation, owner, sources)
    documents = _documents(organisation, sources, owner)
    for attack, document, bot in zip(ATTACKS, documents, bots, strict=True):
        _turn(attack, document, bot, owner)
        _use(attack, document, bot, owner)
        _run(attack, document)
    _work(organisation, owner)
    organisation_update(
        organisation=organisation.pk, values={"name": FIRST, "welcome": "".join(ATTACKS)[:300], "plan": plan}
    )


def _people(organisation: Organisation, owner: User) -> None:
    now = timezone.now()
    for number, attack in enumerate(ATTACKS):
        # Nobody signs in as them: hashing so many passwords takes a minute.
        person = User.objects.create(email=f"hostile{number}@example.org", password="!", name=attack)
        membership_create(organisation=organisation, user=person, role=Role.VIEWER)
        Identity.objects.create(user=person, issuer=attack, subject=attack, last_used=now)
        SignIn.objects.create(user=person, session_key=f"hostile{number}", agent=attack, address="192.0.2.1")
        ClaimRule.objects.create(organisation=organisation, claim=attack, value=attack)
        api_key_create(organisation=organisation, name=attack, role=Role.VIEWER, created_by=owner)
        address = f"'{attack}'@example.org"[:200].replace("@", "+") + "@example.org"
        row, _ = invitation_create(
            organisation=organisation, email=f"invited{number}@example.org", role=Role.VIEWER, invited_by=owner,
            inviter_role=Role.OWNER,
        )  # fmt: skip
        # The service takes no such address: what a looser one had let in must be as harmless.
        type(row).objects.filter(pk=row.pk).update(email=address[:254])


def _bots(organisation: Organisation, owner: User, sources: list[Source]) -> list[Bot]:
    made = []
    for number, attack in enumerate(ATTACKS):
        bot = bot_create(organisation=organisation, slug=f"hostile{number}", name=attack, created_by=owner)
        bot.sources.set(sources[:3], through_defaults={"organisation": organisation})
        settings = {"system_prompt": attack, "greeting": attack, "starters": [attack], "refusal_text": attack}
        bot_update(organisation=organisation.pk, bot=bot, settings=settings, updated_by=owner)
        made.append(bot)
    bot_pause(organisation=organisation.pk, bot=made[0].pk)
    return made


def _documents(organisation: Organisation, sources: list[Source], owner: User) -> list[Document]:
    documents = [
        document_row(
            source, attack, url=attack, media_type=attack[:100], state="failed", error_code="broken_file",
            error_message=attack, uploaded_by=owner,
        )
        for attack, source in zip(ATTACKS, sources, strict=True)
    ]  # fmt: skip
    for attack, document in zip(ATTACKS, documents, strict=True):
        attempt = {"at": "2026-01-01T00:00:00Z", "steps": [["parse", 1.0]], "code": attack, "message": attack}
        DocumentVersion.objects.filter(document=document).update(
            warnings=[attack, f"member_not_read:{attack}:{attack}"], attempts=[attempt]
        )
    for document in documents[1:]:
        DocumentMatch.objects.create(organisation=organisation, document=document, other=documents[0], percent=90)
    return documents


def _turn(attack: str, document: Document, bot: Bot, owner: User) -> None:
    shared = {"organisation": bot.organisation}
    home = Conversation.objects.create(**shared, bot=bot, user=owner, title=attack)
    asked = Message.objects.create(**shared, conversation=home, role="user", content=attack)
    answer = Message.objects.create(
        **shared, conversation=home, role="assistant", reply_to=asked, content=f"{attack} [1]", mode="model",
        model=attack, revision=bot.live_revision,
    )  # fmt: skip
    Message.objects.create(
        **shared, conversation=home, role="assistant", content=attack, mode="refused", model=attack,
        reply_to=Message.objects.create(**shared, conversation=home, role="user", content=attack),
    )  # fmt: skip
    Citation.objects.create(
        **shared, message=answer, n=1, start=0, end=len(attack), chunk_id=new_id(), document=document, version=1,
        document_name=attack, text=attack, as_of=timezone.now(),
        place={"kind": "text", "page": None, "boxes": [], "heading": [attack], "rows": None},
    )  # fmt: skip


def _use(attack: str, document: Document, bot: Bot, owner: User) -> None:
    shared, now = {"organisation": bot.organisation}, timezone.now()
    Job.objects.create(
        **shared,
        kind="ingest",
        lane="cpu",
        subject=str(document.pk),
        state=JobState.FAILED,
        error_code=attack[:40],
        error_message=attack,
    )
    UsageEntry.objects.create(
        **shared,
        at=now,
        day=now.date(),
        kind="turn",
        step="charge",
        bot=bot.pk,
        user=owner.pk,
        model=attack,
        requests=1,
    )


def _run(attack: str, document: Document) -> None:
    shared = {"organisation": document.organisation}
    failure = {"state": "failed", "error_code": attack[:40], "error_message": attack}
    run = Run.objects.create(**shared, source=document.source, seen=1, failed=1, **failure)
    RunItem.objects.create(
        **shared, run=run, document=document, external_id=attack, url=f"https://example.org/{attack}",
        outcome="http_error", detail=attack,
    )  # fmt: skip


def _work(organisation: Organisation, owner: User) -> None:
    week = timezone.now() + timedelta(days=7)
    for number, attack in enumerate(ATTACKS):
        shared = {"organisation": organisation, "state": RequestState.FAILED, "error_code": attack[:40]}
        Export.objects.create(**shared, counts={attack: 1}, requested_by=owner, expires=week)
        receipt = {
            **dict.fromkeys(("schema", "subject", "organisation", "person_fingerprint", "asked", "finished"), attack),
            "asked_by": {"kind": attack, "id": attack},
            "stores": {"postgresql": {attack: {"before": 1, "after": 0}}},
            "kept": [attack],
            "later": [attack],
            "signature": attack,
        }
        Erasure.objects.create(**shared, kind="person", subject=new_id(), receipt=receipt)
        night = timezone.now().date() - timedelta(days=number)
        RetentionRun.objects.create(organisation=organisation, night=night, counts={attack: 1})
        Schedule.objects.create(
            organisation=organisation, name=f"{number} {attack}"[:120], kind="retention", every_s=3600,
            time_zone=attack[:64], subject=attack[:64], next_run=week,
        )  # fmt: skip
        ModelEndpoint.objects.create(
            organisation=organisation, name=attack[:100], url="https://models.example.org/v1",
            served_models=[{"name": attack}], defaults={"model": attack}, learnt={attack: attack},
        )  # fmt: skip
        EmbeddingChange.objects.create(
            state=ChangeState.ABANDONED, url="https://models.example.org/v1", model=attack, old_model=attack,
            dimensions=8, error_code=attack[:40], error_message=attack,
        )  # fmt: skip
