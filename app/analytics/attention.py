"""Notices that need attention today, the most serious first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count
from django.utils import timezone

from app.accounts.models import ApiKey, Organisation
from app.bots.models import Bot
from app.chat.choices import MessageRole, MessageState
from app.chat.models import Message
from app.errors import CODES
from app.library.choices import DocumentState
from app.library.models import Document
from app.library.selectors.limits import libraries_low, library_notice
from app.plans.caps import standings_low

KEY_NOTICE = timedelta(days=14)
RECENT = timedelta(days=1)
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice.

    Attributes:
        kind: the target of the link: document, documents, key, organisation, bot, messages, usage.
        target: id of the row, or None for a list; `query` then narrows it.
        heavy: something does not work; otherwise it soon will not, or is switched off.
    """

    kind: str
    target: UUID | None
    title: str
    words: str
    heavy: bool
    query: str = ""


def notice_list(*, organisations: Sequence[UUID]) -> list[Notice]:
    ids = list(organisations)
    notices = [
        *_suspended(ids),
        *_quotas(ids),
        *_libraries(ids),
        *_answers(ids),
        *_documents(ids),
        *_keys(ids),
        *_bots(ids),
    ]
    return sorted(notices, key=lambda notice: not notice.heavy)


def _suspended(organisations: list[UUID]) -> Iterator[Notice]:
    for row in Organisation.objects.filter(pk__in=organisations).exclude(suspended=None)[:SHOWN]:
        yield Notice("organisation", row.pk, f"{row.name} is suspended", "Its people and keys are refused.", heavy=True)


def _quotas(organisations: list[UUID]) -> Iterator[Notice]:
    for row in standings_low(organisations=organisations):
        standing = row.standing
        title = f"{row.name} has used {standing.percent}% of its month"
        words = f"The plan is {standing.title}. It begins anew with the month; an operator can give a larger one."
        yield Notice("usage", row.id, title, words, heavy=standing.is_full)


def _libraries(organisations: list[UUID]) -> Iterator[Notice]:
    for row in libraries_low(organisations=organisations):
        title = f"{row.name} has used {row.percent}% of its library"
        yield Notice("usage", row.id, title, library_notice(row), heavy=row.is_full)


def _answers(organisations: list[UUID]) -> Iterator[Notice]:
    rows = Message.objects.filter(
        organisation__in=organisations,
        role=MessageRole.ASSISTANT,
        created__gte=timezone.now() - RECENT,
        state=MessageState.FAILED,
    ).order_by()
    for code, count in rows.values_list("error_code").annotate(count=Count("id")).order_by("-count")[:SHOWN]:
        entry = CODES.get(code, CODES["internal"])
        responses = "An answer" if count == 1 else f"{count} answers"
        title = f"{responses} failed within a day: {entry.message}"
        query = urlencode({"state__exact": MessageState.FAILED.value, "error_code__exact": code})
        yield Notice("messages", None, title, entry.hint, heavy=True, query=query)


def _documents(organisations: list[UUID]) -> Iterator[Notice]:
    failed = Document.objects.filter(organisation__in=organisations, state=DocumentState.FAILED)
    groups = failed.order_by().values("error_code").annotate(count=Count("id")).order_by("-count")
    for group in groups[:SHOWN]:
        entry = CODES.get(group["error_code"], CODES["internal"])
        documents = "A document" if group["count"] == 1 else f"{group['count']} documents"
        title = f"{documents} could not be read: {entry.message}"
        query = urlencode({"state__exact": DocumentState.FAILED.value, "error_code__exact": group["error_code"]})
        yield Notice("documents", None, title, entry.hint, heavy=True, query=query)


def _keys(organisations: list[UUID]) -> Iterator[Notice]:
    now = timezone.now()
    soon = ApiKey.objects.filter(
        organisation__in=organisations, revoked=None, replaced_by=None, expires__gt=now, expires__lt=now + KEY_NOTICE
    )
    for key in soon.order_by("expires")[:SHOWN]:
        assert key.expires is not None
        words = "Make a new one before then, and give it to the programs that use this one."
        yield Notice("key", key.pk, f"The key {key.name} expires on {key.expires:%-d %B}", words, heavy=False)


def _bots(organisations: list[UUID]) -> Iterator[Notice]:
    for bot in Bot.objects.filter(organisation__in=organisations).exclude(paused=None)[:SHOWN]:
        yield Notice("bot", bot.pk, f"{bot.name} is paused", "It answers nobody until it is resumed.", heavy=False)
