"""A month of a busy box, for pictures of the admin: made by `manage.py shell`, from tools/screenshots.py.

The numbers are drawn from a fixed seed, so that two runs make the same pictures of the same day.
"""

import random
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from app.accounts.choices import Role
from app.accounts.keys import api_key_create
from app.accounts.models import ApiKey, Organisation, User
from app.accounts.services import invitation_create, membership_create, organisation_create, user_create
from app.bots.models import Bot
from app.bots.services import bot_create, bot_pause, bot_update
from app.chat.models import Conversation, Message
from app.plans.models import Plan, UsageEntry, UsageTotal
from tests.documents import document_row

PEOPLE = (
    "Ada Byron",
    "Grace Murray",
    "Katherine Coleman",
    "Margaret Heafield",
    "Mary Winston",
    "Zora van der Berg-Ünal",
)
QUESTIONS = (
    "What is the hotel limit for a night in London?",
    "How do I descale the Vale 3?",
    "Who approves leave of more than two weeks?",
    "Which parts does the yearly service replace?",
    "How long is the warranty?",
)
REFUSED = ("Is there a car park at the Leeds office?", "What is the Wi-Fi password?", "When is the summer party?")
PAYLOAD = "<img src=x onerror=alert(1)> & Sons"


@transaction.atomic
def busy_month_make() -> None:
    organisation = Organisation.objects.get(slug="default")
    owner = User.objects.get(memberships__organisation=organisation, memberships__role=Role.OWNER)
    owner.is_operator = True
    owner.save(update_fields=["is_operator"])
    people = [
        user_create(email=f"{name.split()[0].lower()}@example.org", password=name * 2, name=name) for name in PEOPLE
    ]
    for person, role in zip(people, (Role.ADMIN, Role.EDITOR, *[Role.VIEWER] * 4), strict=True):
        membership_create(organisation=organisation, user=person, role=role)
    for email in ("new.colleague@example.org", "auditor@example.com"):
        invitation_create(
            organisation=organisation, email=email, role=Role.VIEWER, invited_by=owner, inviter_role=Role.OWNER
        )
    _keys(organisation, owner)
    _bots(organisation, owner)
    _answers(organisation, [owner, *people])
    _failures(organisation)
    for slug, name in (("harbour", "Harbour Trust"), ("quiet", "A quiet one"), ("sons", PAYLOAD)):
        bot_create(organisation=organisation_create(slug=slug, name=name), slug="default", name="Reference desk")


def _keys(organisation: Organisation, owner: User) -> None:
    for name, role in (("Website", Role.VIEWER), ("Nightly upload", Role.EDITOR), ("Old intranet", Role.ADMIN)):
        api_key_create(organisation=organisation, name=name, role=role, created_by=owner)
    ApiKey.objects.filter(name="Website").update(expires=timezone.now() + timedelta(days=5))
    ApiKey.objects.filter(name="Old intranet").update(revoked=timezone.now())


def _bots(organisation: Organisation, owner: User) -> None:
    bot = Bot.objects.get(organisation=organisation, slug="default")
    for temperature, prompt in ((0.4, "Be brief."), (0.1, "Be brief and name the page.")):
        settings = {"temperature": temperature, "system_prompt": prompt}
        bot_update(organisation=organisation.pk, bot=bot, settings=settings, updated_by=owner)
    other = bot_create(organisation=organisation, slug="hr", name="HR desk", created_by=owner)
    bot_pause(organisation=organisation.pk, bot=other.pk)


def _answers(organisation: Organisation, people: list[User]) -> None:
    chance = random.Random(4)
    bot = Bot.objects.get(organisation=organisation, slug="default")
    now = timezone.now()
    made = []
    for day in range(40):
        at = now - timedelta(days=day)
        busy = 4 if at.weekday() >= 5 else 26
        for _ in range(chance.randint(busy // 2, busy + 8)):
            made += _turn(chance, bot, chance.choice(people), at - timedelta(seconds=chance.randint(0, 30_000)))
    for row, at in made:
        type(row).objects.filter(pk=row.pk).update(created=at)
    website = ApiKey.objects.get(organisation=organisation, name="Website")
    answers = [(row, at) for row, at in made if isinstance(row, Message) and row.reply_to_id is not None]
    UsageEntry.objects.bulk_create(_charged(chance, bot, website, row, at) for row, at in answers)
    _month_total(organisation)


def _charged(chance: random.Random, bot: Bot, website: ApiKey, answer: Message, at: datetime) -> UsageEntry:
    """Return the ledger's entry of an answer: of a person in the portal, or of the website's key."""
    by_key = chance.random() < 0.3
    return UsageEntry(
        organisation=bot.organisation,
        at=at,
        day=at.date(),
        kind="turn",
        step="reserve",
        subject=answer.pk,
        bot=bot.pk,
        api_key=website.pk if by_key else None,
        user=None if by_key else answer.conversation.user_id,
        model="llama3.1:8b" if answer.tokens_in else "",
        requests=1,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
    )


def _month_total(organisation: Organisation) -> None:
    """Give the organisation a plan of which most is used."""
    month = timezone.now().date().replace(day=1)
    sums = UsageEntry.objects.filter(organisation=organisation, day__gte=month).aggregate(
        requests=Sum("requests"), tokens_in=Sum("tokens_in"), tokens_out=Sum("tokens_out")
    )
    UsageTotal.objects.filter(organisation=organisation, month=month).delete()
    UsageTotal.objects.create(organisation=organisation, month=month, **sums)
    plan = Plan.objects.create(
        name="team",
        title="Team",
        requests_per_month=sums["requests"] * 5 // 4,
        tokens_per_month=(sums["tokens_in"] + sums["tokens_out"]) * 3,
    )
    Organisation.objects.filter(pk=organisation.pk).update(plan=plan)


def _turn(chance: random.Random, bot: Bot, person: User, at: datetime) -> list[tuple[Conversation | Message, datetime]]:
    kind = chance.choices(("model", "extractive", "refused", "failed"), (70, 14, 12, 4))[0]
    question = chance.choice(REFUSED if kind == "refused" else QUESTIONS)
    shared = {"organisation": bot.organisation}
    home = Conversation.objects.create(**shared, bot=bot, user=person, title=question)
    asked = Message.objects.create(**shared, conversation=home, role="user", content=question)
    first = chance.lognormvariate(-0.3, 0.5)
    answer = Message.objects.create(
        **shared,
        conversation=home,
        role="assistant",
        reply_to=asked,
        content="The limit is 180 pounds a night, breakfast included.",
        mode="model" if kind == "failed" else kind,
        state="failed" if kind == "failed" else "done",
        error_code="model_timeout" if kind == "failed" else "",
        revision=bot.live_revision,
        tokens_in=chance.randint(800, 2400) if kind == "model" else 0,
        tokens_out=chance.randint(60, 400) if kind == "model" else 0,
        timings={"first_token_s": round(first, 3), "total_s": round(first + chance.uniform(1, 6), 3)},
        rating=chance.choices((None, 1, -1), (80, 17, 3))[0],
    )
    return [(home, at), (asked, at), (answer, at)]


def _failures(organisation: Organisation) -> None:
    source = organisation.sources.first()
    assert source is not None
    reasons = (("scan-1998.pdf", "no_text"), ("payroll.pdf", "encrypted_file"), ("payroll-old.pdf", "encrypted_file"))
    for name, code in (*reasons, (f"{PAYLOAD}.txt", "broken_file")):
        document_row(
            source,
            name,
            size=123_456,
            media_type="application/pdf",
            state="failed",
            error_code=code,
            error_message="It cannot be read.",
        )
