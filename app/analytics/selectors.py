"""Figures of organisations over some days for the dashboard, each set from one statement.

`organisations` replaces the `organisation` of other selectors: an operator looks at several at once. An empty list
gives empty figures. Days are UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count
from django.utils import timezone

from app.library.choices import DocumentState
from app.library.models import Document

SHARES = (0.5, 0.95)


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of one day, or of all days. Each question has exactly one answer, so `questions` counts both.

    The four times are seconds, None where nothing was measured. The ledger has the tokens (app/plans).
    """

    day: date | None
    questions: int = 0
    by_model: int = 0
    extractive: int = 0
    refused: int = 0
    failed: int = 0
    thumbs_up: int = 0
    thumbs_down: int = 0
    first_median: float | None = None
    first_slow: float | None = None
    total_median: float | None = None
    total_slow: float | None = None


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """Answers by day, including days without a question, oldest first; and their total."""

    days: list[Answers]
    total: Answers


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question without an answer, in its latest spelling. times: number of times it was asked in the same words."""

    question: str
    times: int
    last: datetime
    bot: str
    organisation: str
    conversation: UUID
    error_code: str


@dataclass(frozen=True, slots=True)
class DocumentFigures:
    states: dict[str, int] = field(default_factory=dict)

    @property
    def all(self) -> int:
        return sum(self.states.values())


# A failed answer has a mode too, the intended one; it counts as failed only.
_ANSWERS = """
SELECT (created AT TIME ZONE 'UTC')::date, count(*),
  count(*) FILTER (WHERE state <> 'failed' AND mode = 'model'),
  count(*) FILTER (WHERE state <> 'failed' AND mode = 'extractive'),
  count(*) FILTER (WHERE state <> 'failed' AND mode = 'refused'),
  count(*) FILTER (WHERE state = 'failed'),
  count(*) FILTER (WHERE rating = 1), count(*) FILTER (WHERE rating = -1),
  percentile_cont(%(shares)s) WITHIN GROUP (ORDER BY (timings->>'first_token_s')::float8),
  percentile_cont(%(shares)s) WITHIN GROUP (ORDER BY (timings->>'total_s')::float8)
FROM chat_message
WHERE role = 'assistant' AND organisation_id = ANY(%(organisations)s) AND created >= %(since)s
  AND created < %(until)s
GROUP BY GROUPING SETS ((1), ())
"""


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def period_start(days: int) -> datetime:
    """Return the first moment of a period of whole days that ends with today."""
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days - 1)


def answer_figures(*, organisations: Sequence[UUID], days: int, before: int = 0) -> AnswerFigures:
    """Return the figures of a period of whole days. before: how many days ago it ended; 0: with today."""
    since = period_start(days + before)
    until = since + timedelta(days=days)
    by_day: dict[date | None, Answers] = {}
    values = {"organisations": list(organisations), "since": since, "until": until, "shares": list(SHARES)}
    for *counts, first, total in _rows(_ANSWERS, values):
        by_day[counts[0]] = Answers(*counts, *(first or (None, None)), *(total or (None, None)))
    period = [since.date() + timedelta(days=number) for number in range(days)]
    return AnswerFigures([by_day.get(day, Answers(day)) for day in period], by_day.get(None, Answers(None)))


def document_figures(*, organisations: Sequence[UUID]) -> DocumentFigures:
    rows = Document.objects.filter(organisation__in=list(organisations)).order_by()
    counts = dict(rows.values_list("state").annotate(Count("id")))
    return DocumentFigures({state: counts.get(state, 0) for state in DocumentState.values})


_UNANSWERED = """
SELECT (array_agg(q.content ORDER BY a.created DESC))[1], count(*), max(a.created),
  (array_agg(b.name ORDER BY a.created DESC))[1], (array_agg(o.name ORDER BY a.created DESC))[1],
  (array_agg(a.conversation_id ORDER BY a.created DESC))[1], (array_agg(a.error_code ORDER BY a.created DESC))[1]
FROM chat_message a
JOIN chat_message q ON q.id = a.reply_to_id
JOIN chat_conversation c ON c.id = a.conversation_id
JOIN bots_bot b ON b.id = c.bot_id
JOIN accounts_organisation o ON o.id = a.organisation_id
WHERE a.role = 'assistant' AND a.organisation_id = ANY(%(organisations)s) AND a.created >= %(since)s
  AND (a.mode = 'refused' OR a.state = 'failed')
GROUP BY a.organisation_id, lower(btrim(q.content))
ORDER BY 2 DESC, 3 DESC
LIMIT %(limit)s
"""


def unanswered_list(*, organisations: Sequence[UUID], days: int, limit: int = 10) -> list[Unanswered]:
    """Return questions that the documents did not answer or whose answer failed, the most asked first.

    They are texts of conversations: show them only to people who may read conversations.
    """
    values = {"organisations": list(organisations), "since": period_start(days), "limit": limit}
    return [Unanswered(*row) for row in _rows(_UNANSWERED, values)]
