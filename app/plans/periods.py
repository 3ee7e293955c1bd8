"""Periods of days that a page can show, read from its address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

LONGEST = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Period:
    """A period of UTC days, both included. problem: the reason when it is not the requested one."""

    first: date
    last: date
    problem: str = ""

    @property
    def words(self) -> str:
        if self.first == self.last:
            return f"{self.last:%-d %B %Y}"
        year = "" if self.first.year == self.last.year else " %Y"
        return f"{self.first:{f'%-d %B{year}'}} to {self.last:%-d %B %Y}"

    @property
    def query(self) -> str:
        return urlencode({"from": self.first, "to": self.last})


def period_read(address: Mapping[str, str], *, today: date) -> Period:
    """Return the period of `from` and `to`; this month if they are invalid."""
    month = Period(today.replace(day=1), today)
    try:
        last = date.fromisoformat(address.get("to") or str(today))
        first = date.fromisoformat(address.get("from") or str(last.replace(day=1)))
    except ValueError:
        return Period(month.first, month.last, "Write days as 2026-01-31. This is the month so far.")
    if not timedelta(0) <= last - first <= LONGEST:
        problem = (
            f"The first day must not be after the last, nor {LONGEST.days} days before it. This is the month so far."
        )
        return Period(month.first, month.last, problem)
    return Period(first, last)


def periods_offered(current: Period, *, today: date) -> list[tuple[str, str, bool]]:
    """Return name and query of the offered periods, and whether each is the current one."""
    month = today.replace(day=1)
    month_before = month - timedelta(days=1)
    offered = (
        ("This month", Period(month, today)),
        ("Last month", Period(month_before.replace(day=1), month_before)),
        ("30 days", Period(today - timedelta(days=29), today)),
        ("90 days", Period(today - timedelta(days=89), today)),
    )
    return [(name, f"?{period.query}", period.query == current.query) for name, period in offered]
