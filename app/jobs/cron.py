"""Cron expressions: minute, hour, day of the month, month, day of the week, in a time zone.

The syntax is crontab(5)'s: `*`, numbers, names, lists, ranges and steps; when both days are given, either matches. A
time that the change to summer time skips is moved to after the gap; a time that occurs twice counts once. A package
for parsing would be another dependency at run time.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.errors import Invalid

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Name, lowest and highest value, names from the lowest value on.
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, WEEKDAYS),
)
# 29 February occurs in eight years at most.
_DAYS = 8 * 366


@dataclass(frozen=True, slots=True)
class Cron:
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # Sunday is 0
    either_day: bool

    def is_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (in_month or in_week) if self.either_day else (in_month and in_week)


def cron_parse(text: str) -> Cron:
    """Parse a cron expression. Raises Invalid, with the field that cannot be used."""
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        raise Invalid(message="A cron expression has five fields: minute, hour, day, month, day of the week.")
    minutes, hours, days, months, weekdays = (
        _numbers(field, *about) for field, about in zip(fields, _FIELDS, strict=True)
    )
    return Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(number % 7 for number in weekdays),
        either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
    )


def _numbers(field: str, name: str, low: int, high: int, words: tuple[str, ...]) -> set[int]:
    numbers: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        try:
            begin, end = (
                (low, high) if span == "*" else (_number(first, low, words), _number(last or first, low, words))
            )
            # `5/10` is every ten from five on.
            end = high if step and not dash else end
            every = int(step) if step else 1
        except ValueError:
            raise Invalid(message=f"{part!r} is no {name} of a cron expression.") from None
        if not low <= begin <= end <= high or every < 1:
            raise Invalid(message=f"{part!r} is no {name} of a cron expression: {low} to {high}.")
        numbers.update(range(begin, end + 1, every))
    return numbers


def _number(text: str, low: int, words: tuple[str, ...]) -> int:
    return low + words.index(text) if text in words else int(text)


def cron_next(*, cron: str, time_zone: str, after: datetime) -> datetime:
    """Return the first time of an expression after a moment.

    Raises:
        Invalid: not an expression, one that never matches, or no such time zone.
    """
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(message=f"There is no time zone {time_zone!r}. Write one like Europe/Berlin.") from error
    rule, begin = cron_parse(cron), after.astimezone(zone).date()
    for number in range(_DAYS):
        day = begin + timedelta(days=number)
        for hour in rule.hours if rule.is_on(day) else ():
            for minute in rule.minutes:
                # Converted to UTC, so that a time in a gap of the clock is the one after it.
                moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
                if moment > after:
                    return moment.astimezone(zone)
    raise Invalid(message="This cron expression never comes.")
