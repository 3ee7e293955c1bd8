"""Each invariant that is checked after a fault finds its violation."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from app.accounts.models import Organisation
from app.bots.services import bot_create
from app.chat.choices import MessageRole
from app.chat.models import Citation, Conversation, Message
from app.plans.models import UsageTotal
from tests.people import Person
from tests.stack.stack_faults import RULES

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def conversation(acme: Organisation, alice: Person) -> Conversation:
    bot = bot_create(organisation=acme, slug="default", name="Reference desk")
    return Conversation.objects.create(organisation=acme, bot=bot, user=alice.user, title="Leave")


def broken() -> dict[str, int]:
    found = {}
    with connection.cursor() as cursor:
        for name, question in RULES.items():
            cursor.execute(question)
            found[name] = cursor.fetchone()[0]
    return {name: number for name, number in found.items() if number}


def say(conversation: Conversation, role: str, **more: Any) -> Message:
    return Message.objects.create(
        organisation=conversation.organisation, conversation=conversation, role=role, content="words", **more
    )


def test_a_question_without_an_answer_is_found(conversation: Conversation) -> None:
    assert broken() == {}
    say(conversation, MessageRole.USER)
    assert broken() == {"questions without an answer": 1}


def test_an_answer_that_nobody_was_charged_for_is_found(conversation: Conversation) -> None:
    say(conversation, MessageRole.ASSISTANT, reply_to=say(conversation, MessageRole.USER), tokens_out=7)
    assert broken() == {"answers that are charged otherwise than recorded": 1}


def test_a_total_that_is_no_sum_is_found(acme: Organisation) -> None:
    UsageTotal.objects.create(organisation=acme, month=date(2026, 11, 1), requests=1)
    assert broken() == {"totals that are not the ledger's sums": 1}


def test_a_citation_of_another_organisation_is_found(conversation: Conversation, other: Organisation) -> None:
    Citation.objects.create(
        organisation=other, message=say(conversation, MessageRole.ASSISTANT), n=1, start=0, end=5, chunk_id=uuid4(),
        document_name="foreign.pdf", version=1, text="words", place={}, as_of=timezone.now(),
    )  # fmt: skip
    assert broken()["rows of another organisation"] == 1
