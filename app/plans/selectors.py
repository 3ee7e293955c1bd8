"""What was used: sums over the ledger, by day or by what used it; and whether a month may not be enough."""

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
    """Sums of one group. `key`: a date, the id of a bot, key or person, or a model's name; "" where there was none.

    requests: questions and searches. tokens_in, tokens_out: of language models. tokens_embedded: of documents read.
    """

    key: str
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_embedded: int = 0

    @property
    def tokens(self) -> int:
        """What a month's cap counts."""
        return self.tokens_in + self.tokens_out


def usage_by(*, organisation: UUID, first: date, last: date, by: UsageBy) -> list[Used]:
    """Used from `first` to `last` (days of UTC, both included), the most requests first; days in their order.

    What runs now counts with what it has reserved.
    """
    entries = UsageEntry.objects.filter(organisation=organisation, day__range=(first, last))
    found = [Used(str(row.pop(by.value) or ""), **row) for row in entries.order_by().values(by.value).annotate(**SUMS)]
    if by is UsageBy.DAY:
        return sorted(found, key=lambda used: used.key)
    return sorted(found, key=lambda used: (-used.requests, used.key))


def usage_days(*, organisations: Sequence[UUID], first: date, last: date) -> list[Used]:
    """Every day from `first` to `last`, those without use too, of all the organisations together: for a plot."""
    entries = UsageEntry.objects.filter(organisation__in=list(organisations), day__range=(first, last))
    rows = entries.order_by().values_list("day").annotate(**SUMS)
    found = {day: Used(str(day), *sums) for day, *sums in rows}
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [found.get(day, Used(str(day))) for day in days]


def usage_of_month(*, organisation: UUID) -> Standing:
    """What the organisation has used of this month, and what its plan allows."""
    return standings_read(organisation=organisation)[0]


def usage_notice(*, organisation: UUID) -> str:
    """A line for admins when the month may not be enough; empty when it is."""
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
    """The ledger's day."""
    return datetime.now(UTC).date()
