from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Router

from app.accounts.auth import ApiRequest, policy
from app.accounts.choices import Role, Scope
from app.accounts.models import Organisation
from app.analytics.schemas import UsageReportOut
from app.analytics.usage_tables import usage_names
from app.errors import Invalid
from app.lib.csv_table import csv_table
from app.lib.openapi_responses import CSV, responses
from app.lib.strict_types import Day
from app.lib.times import time_text
from app.library.selectors.limits import LimitKind, library_standings
from app.plans.choices import UsageBy
from app.plans.periods import LONGEST
from app.plans.selectors import Used, today, usage_by, usage_of_month

router = Router(tags=["organisation"])
FROM: Any = Query(None, alias="from", description="First day, UTC; the first of this month when not given")  # type: ignore[type-arg]
TO: Any = Query(None, alias="to", description="Last day, UTC; today when not given")  # type: ignore[type-arg]
COLUMNS = ("key", "name", "requests", "tokens_in", "tokens_out", "tokens_embedded")


class By(StrEnum):
    """The values of `by`."""

    DAY = "day"
    BOT = "bot"
    KEY = "key"
    USER = "user"
    MODEL = "model"


@router.get(
    "/usage", auth=policy(Role.ADMIN, Scope.ADMIN), response=UsageReportOut, by_alias=True, openapi_extra=responses(CSV)
)
def list_usage(
    request: ApiRequest,
    since: Day | None = FROM,
    until: Day | None = TO,
    by: By = By.DAY,
    format: Literal["json", "csv"] = "json",
) -> Any:
    """Return used requests and tokens, by day, bot, key, person or model, and the rest of the month.

    With `format=csv`, or `Accept: text/csv`, the response is a file. Running work counts with its reservation.
    """
    organisation, last = request.caller.organisation_id, until or today()
    first = since or last.replace(day=1)
    if not timedelta(0) <= last - first <= LONGEST:
        problem = f"must be at most {LONGEST.days} days before `to`, and not after it"
        raise Invalid(details={"fields": [{"field": "from", "message": problem}]})
    used = usage_by(organisation=organisation, first=first, last=last, by=UsageBy[by.name])
    names = usage_names(organisations=[organisation], by=UsageBy[by.name], used=used)
    items = [_item(row, names) for row in used]
    if format == "csv" or request.headers.get("Accept", "").startswith("text/csv"):
        return _file(request, f"usage-{request.caller.organisation_slug}-{first}-{last}.csv", items)
    return {"from": first, "to": last, "by": by, "items": items, "plan": _plan(organisation)}


def _item(row: Used, names: dict[str, str]) -> dict[str, Any]:
    counts = {name: getattr(row, name) for name in COLUMNS[2:]}
    return {"key": row.key or None, "name": names.get(row.key), **counts}


def _file(request: ApiRequest, name: str, items: list[dict[str, Any]]) -> HttpResponse:
    content = csv_table(COLUMNS, ([item[column] for column in COLUMNS] for item in items))
    response = HttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _plan(organisation: UUID) -> dict[str, Any]:
    standing = usage_of_month(organisation=organisation)
    plan = Organisation.objects.select_related("plan").get(pk=organisation).plan
    return {
        "name": standing.plan,
        "title": standing.title,
        "requests_per_minute": plan.requests_per_minute,
        "tokens_per_minute": plan.tokens_per_minute,
        "requests_per_month": standing.requests_most,
        "tokens_per_month": standing.tokens_most,
        "requests_left": _remaining(standing.requests_most, standing.requests),
        "tokens_left": _remaining(standing.tokens_most, standing.tokens),
        "percent": standing.percent,
        "low": standing.is_low,
        "renews": time_text(standing.renews),
        **_library(organisation),
    }


def _library(organisation: UUID) -> dict[str, int | None]:
    limits = {limit.kind: limit for limit in library_standings(organisations=[organisation])[0].limits}
    names = ("documents", "document_bytes", "document_pages", "recording_s")
    counts: dict[str, int | None] = {}
    for name, kind in zip(names, LimitKind, strict=True):
        counts |= {name: limits[kind].most, f"{name}_used": limits[kind].used}
    return counts


def _remaining(most: int | None, used: int) -> int | None:
    return None if most is None else max(0, most - used)
