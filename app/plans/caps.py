"""A month's caps: their use, and the message when nothing is left."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from app.errors import RefdeskError
from app.lib.async_sql import fetch
from app.lib.times import time_text
from app.plans.ledger import WITHIN_CAP

# For this long a refused caller is refused again without a query; a larger plan takes effect afterwards.
REFUSED_S = 2.0
_REFUSED_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A month's allowance under a plan (None: no cap) and its use.

    `api_key`: the key's family (ApiKey.family); None: the whole organisation.
    `renews`: the first moment of the next month, UTC.
    """

    api_key: UUID | None
    plan: str
    title: str
    soft_percent: int
    requests_most: int | None
    tokens_most: int | None
    requests: int
    tokens: int
    now: datetime
    renews: datetime

    @property
    def percent(self) -> int:
        """Return the used per cent of the most used cap; 0 without a cap."""
        shares = [100 * used // most for used, most in self._pairs() if most]
        return max(shares, default=100 if 0 in (self.requests_most, self.tokens_most) else 0)

    @property
    def is_low(self) -> bool:
        """Return whether admins see a notice that the month may not be enough."""
        return self.percent >= self.soft_percent

    @property
    def is_capped(self) -> bool:
        return self.requests_most is not None or self.tokens_most is not None

    @property
    def is_full(self) -> bool:
        """Return whether a cap is used up."""
        return self.percent >= 100

    @property
    def refused(self) -> str:
        """Return the consequence of using up the most used cap."""
        shares = [used / most if most else 0 if most is None else 1 for used, most in self._pairs()]
        return "questions and searches are refused" if shares[0] >= shares[1] else "questions to a model are refused"

    def _pairs(self) -> list[tuple[int, int | None]]:
        return [(self.requests, self.requests_most), (self.tokens, self.tokens_most)]


# The row of the organisation, then that of the key when it has a plan of its own.
STANDING = """
WITH month AS (SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date AS first), plans AS (
  SELECT NULL::uuid AS api_key, p.* FROM accounts_organisation o JOIN plans_plan p ON p.name = o.plan_id
  WHERE o.id = %(organisation)s
  UNION ALL
  SELECT k.family, p.* FROM accounts_apikey k JOIN plans_plan p ON p.name = k.plan_id
  WHERE k.id = %(api_key)s AND k.organisation_id = %(organisation)s
)
SELECT p.api_key, p.name, p.title, p.soft_percent, p.requests_per_month, p.tokens_per_month,
  COALESCE(t.requests, 0), COALESCE(t.tokens_in + t.tokens_out, 0), now(),
  (month.first + interval '1 month') AT TIME ZONE 'UTC'
FROM plans p CROSS JOIN month LEFT JOIN plans_usagetotal t ON t.organisation_id = %(organisation)s
  AND t.month = month.first AND t.api_key IS NOT DISTINCT FROM p.api_key
ORDER BY p.api_key NULLS FIRST
"""


def standings_read(*, organisation: UUID, api_key: UUID | None = None) -> list[Standing]:
    """Return the use of the month by the organisation, and by the key if it has a plan of its own."""
    with connection.cursor() as cursor:
        cursor.execute(STANDING, {"organisation": organisation, "api_key": api_key})
        return [Standing(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class OrganisationStanding:
    """An organisation with its use of the month."""

    id: UUID
    slug: str
    name: str
    standing: Standing


_STANDINGS = """
WITH month AS (SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date AS first)
SELECT o.id, o.slug, o.name, NULL::uuid, p.name, p.title, p.soft_percent, p.requests_per_month, p.tokens_per_month,
  COALESCE(t.requests, 0), COALESCE(t.tokens_in + t.tokens_out, 0), now(),
  (month.first + interval '1 month') AT TIME ZONE 'UTC'
FROM accounts_organisation o JOIN plans_plan p ON p.name = o.plan_id CROSS JOIN month
LEFT JOIN plans_usagetotal t ON t.organisation_id = o.id AND t.month = month.first AND t.api_key IS NULL
WHERE (%(all)s OR o.id = ANY(%(organisations)s))
  AND (NOT %(capped)s OR p.requests_per_month IS NOT NULL OR p.tokens_per_month IS NOT NULL)
ORDER BY o.name, o.slug
"""


def standings_list(*, organisations: Sequence[UUID] | None, capped: bool = False) -> list[OrganisationStanding]:
    """Return the use of the month, by name. organisations: None for all of the box. capped: only those with a cap."""
    values: dict[str, Any] = {
        "all": organisations is None,
        "organisations": list(organisations or []),
        "capped": capped,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS, values)
        return [
            OrganisationStanding(identity, slug, name, Standing(*row))
            for identity, slug, name, *row in cursor.fetchall()
        ]


def standings_low(*, organisations: Sequence[UUID] | None) -> list[OrganisationStanding]:
    """Return organisations whose month may not be enough, the most used first; of all the box if None is given."""
    rows = [row for row in standings_list(organisations=organisations, capped=True) if row.standing.is_low]
    return sorted(rows, key=lambda row: -row.standing.percent)


def standing_text(row: OrganisationStanding) -> str:
    """Return the notice for admins about a month whose cap may be reached."""
    standing = row.standing
    until = f"until {_day(standing.renews.date())} (UTC)"
    if standing.is_full:
        return f"{row.name} has used all of its month (plan {standing.title}): {standing.refused} {until}."
    used = f"{row.name} has used {standing.percent}% of its month (plan {standing.title})."
    return f"{used} When nothing is left, {standing.refused} {until}."


def is_cap(error: BaseException | None) -> bool:
    """Return whether a statement failed because it would have charged above a cap."""
    return isinstance(error, psycopg.errors.CheckViolation) and error.diag.constraint_name == WITHIN_CAP


_refused: dict[tuple[UUID, UUID | None], tuple[float, Sequence[Standing]]] = {}


def cap_check(*, organisation: UUID, api_key: UUID | None) -> None:
    """Refuse a caller who has just been refused, before any search.

    Raises:
        RefdeskError: quota_used_up.
    """
    entry = _refused.get((organisation, api_key))
    if entry is not None:
        if time.monotonic() - entry[0] < REFUSED_S:
            raise cap_error(entry[1])
        del _refused[organisation, api_key]


async def cap_refusal(*, organisation: UUID, api_key: UUID | None) -> RefdeskError:
    """Return the error for a caller whom a cap refused (constraint usage_within_cap)."""
    rows = await fetch(STANDING, {"organisation": organisation, "api_key": api_key})
    standings = [Standing(*row) for row in rows]
    if len(_refused) >= _REFUSED_SIZE:
        _refused.clear()
    _refused[organisation, api_key] = time.monotonic(), standings
    return cap_error(standings)


def cap_error(standings: Sequence[Standing]) -> RefdeskError:
    """Return quota_used_up, with a message that names the cap, its end and the contact."""
    standing = max(standings, key=lambda row: row.percent)
    full = standing.requests_most is not None and standing.requests >= standing.requests_most
    what, most = ("questions and searches", standing.requests_most) if full else ("model tokens", standing.tokens_most)
    owner = "Your organisation" if standing.api_key is None else "This key"
    contact = "the operator of this Refdesk" if standing.api_key is None else "an admin of your organisation"
    # Tokens are refused before they are used up, when the rest is less than a turn may need.
    state = "has used" if full else "has no room left in"
    remaining = standing.renews - standing.now
    details: dict[str, Any] = {
        "hint": f"Until then, ask {contact} for a larger plan.",
        "cap": "requests" if full else "tokens",
        "of": "organisation" if standing.api_key is None else "key",
        "plan": standing.plan,
        "per_month": most,
        "renews": time_text(standing.renews),
    }
    message = f"{owner} {state} the {most or 0:,} {what} a month of the plan {standing.title}. "
    message += f"The next month begins on {_day(standing.renews.date())} (UTC)."
    return RefdeskError(
        "quota_used_up", message, details=details, retry_after_s=max(remaining, timedelta()).total_seconds()
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
