"""Usage: sums over the ledger, by day or another column, and the notice for a month whose cap may be reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db.models import Sum

from app.plans.caps import Standing, standings_read
from app.plans.choices import UsageBy
from app.plans.models import UsageEntry

SUMS = {name: Sum(name) for name in ("requests", "tokens_in", "tokens_out", "tokens_embedded")}


@dataclass(frozen=True, slots=True)
class Used:
    """The sums of one group. `key`: a date, the id of a bot, key or person, or a model's name; "" for entries without.

    requests: questions and searches. tokens_in, tokens_out: of language models. tokens_embedded: of documents read.
    """

    key: str
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_embedded: int = 0

    @property
    def tokens(self) -> int:
        """Return the tokens that count towards a month's cap."""
        return self.tokens_in + self.tokens_out


def usage_by(*, organisation: UUID, first: date, last: date, by: UsageBy) -> list[Used]:
    """Return usage from `first` to `last` (UTC days, both included), the most requests first; days in their order.

    Running work counts with its reservation.
    """
    entries = UsageEntry.objects.filter(organisation=organisation, day__range=(first, last))
    rows = [Used(str(row.pop(by.value) or ""), **row) for row in entries.order_by().values(by.value).annotate(**SUMS)]
    if by is UsageBy.DAY:
        return sorted(rows, key=lambda used: used.key)
    return sorted(rows, key=lambda used: (-used.requests, used.key))


def usage_days(*, organisations: Sequence[UUID], first: date, last: date) -> list[Used]:
    """Return every day from `first` to `last`, also those without use, summed over the organisations, for a plot."""
    entries = UsageEntry.objects.filter(organisation__in=list(organisations), day__range=(first, last))
    rows = entries.order_by().values_list("day").annotate(**SUMS)
    by_day = {day: Used(str(day), *sums) for day, *sums in rows}
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [by_day.get(day, Used(str(day))) for day in days]


def usage_of_month(*, organisation: UUID) -> Standing:
    """Return the organisation's use of this month, and its plan's allowance."""
    return standings_read(organisation=organisation)[0]


def usage_notice(*, organisation: UUID) -> str:
    """Return a line for admins when the month's cap may be reached, else an empty text."""
    standing = usage_of_month(organisation=organisation)
    if not standing.is_low:
        return ""
    state = "all of its month's" if standing.is_full else f"{standing.percent}% of its month's"
    renews = f"{standing.renews.day} {standing.renews:%B}"
    return (
        f"Your organisation has used {state} quota (plan {standing.title}). It begins anew on {renews} (UTC); the "
        "operator of this Refdesk can give you a larger plan."
    )


def today() -> date:
    """Return the ledger's present day."""
    return datetime.now(UTC).date()
