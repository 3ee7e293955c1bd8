"""A period's usage in one statement, for pages that show it in several groupings, so that their sums agree.

`organisations` replaces the `organisation` of other selectors: an operator looks at several at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from app.plans.choices import UsageBy
from app.plans.selectors import Used

_BY = tuple(UsageBy)
_COLUMNS = ", ".join(f'"{by.value}"' for by in _BY)
# In each row all columns except the grouping one are null.
_REPORT = f"""
SELECT GROUPING({_COLUMNS}), COALESCE({", ".join(f'"{by.value}"::text' for by in _BY)}),
  COALESCE(sum(requests), 0), COALESCE(sum(tokens_in), 0), COALESCE(sum(tokens_out), 0),
  COALESCE(sum(tokens_embedded), 0)
FROM plans_usageentry
WHERE organisation_id = ANY(%(organisations)s) AND day BETWEEN %(first)s AND %(last)s
GROUP BY GROUPING SETS ({", ".join(f'("{by.value}")' for by in _BY)}, ())
"""  # noqa: S608 (no part comes from outside)
_WHOLE = 2 ** len(_BY) - 1
_SETS = {_WHOLE - 2 ** (len(_BY) - 1 - number): by for number, by in enumerate(_BY)}


@dataclass(frozen=True, slots=True)
class Report:
    """The usage of a period.

    days: every day of the period. groups: by each other column, the most tokens of language models first.
    """

    first: date
    last: date
    days: list[Used]
    groups: dict[UsageBy, list[Used]]
    total: Used

    @property
    def is_empty(self) -> bool:
        return not (self.total.requests or self.total.tokens or self.total.tokens_embedded)


def usage_report(*, organisations: Sequence[UUID], first: date, last: date) -> Report:
    """Return the usage from `first` to `last` (UTC days, both included). Running work counts with its reservation."""
    groups: dict[UsageBy, list[Used]] = {by: [] for by in UsageBy}
    total = Used("")
    values: dict[str, Any] = {"organisations": list(organisations), "first": first, "last": last}
    with connection.cursor() as cursor:
        cursor.execute(_REPORT, values)
        for grouping, key, *sums in cursor.fetchall():
            used = Used(key or "", *(int(value) for value in sums))
            if grouping == _WHOLE:
                total = used
            else:
                groups[_SETS[grouping]].append(used)
    for rows in groups.values():
        rows.sort(key=lambda used: (-used.tokens, -used.requests, used.key))
    by_day = {used.key: used for used in groups.pop(UsageBy.DAY)}
    days = [str(first + timedelta(days=number)) for number in range((last - first).days + 1)]
    return Report(first, last, [by_day.get(day, Used(day)) for day in days], groups, total)
