"""The page Usage: the ledger's sums of a period, and the month's use against the plan's caps."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from app.admin_site.organisation_switcher import (
    choice_take,
    organisation_chosen,
    organisations_offered,
    organisations_shown,
)
from app.admin_site.tenant_admin import ReadOnlyAdmin, is_operator
from app.analytics.usage_tables import usage_charts, usage_names, usage_tables
from app.lib.csv_table import csv_table
from app.library.selectors.limits import TITLES, amount_of_text, library_standings
from app.plans.caps import OrganisationStanding, standings_list
from app.plans.choices import UsageBy
from app.plans.models import UsageEntry
from app.plans.periods import period_read, periods_offered
from app.plans.report import Report, usage_report
from app.plans.selectors import Used, today

SUMS = ("requests", "tokens_in", "tokens_out", "tokens_embedded")
# Rows in the table of organisations; the file has all of them.
ORGANISATIONS = 100


@admin.register(UsageEntry)
class UsageAdmin(ReadOnlyAdmin):
    list_display = ("day", "organisation", "kind", "step", "model", "requests", "tokens_in", "tokens_out")

    def get_urls(self) -> list[Any]:
        file = self.admin_site.admin_view(self.file_view)
        return [path("file/", file, name="usage_usageentry_file"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._check(request)
        redirect = choice_take(request)
        if redirect is not None:
            return redirect
        organisations, period = organisations_shown(request), period_read(request.GET, today=today())
        report = usage_report(organisations=organisations, first=period.first, last=period.last)
        standings = standings_list(organisations=organisations)
        organisation = organisation_chosen(request)
        charts = usage_charts(report, words=f"from {period.words}")
        context = {
            **self.admin_site.each_context(request),
            "title": "Usage",
            "chosen": organisation,
            "is_wide": organisation is None and len(organisations_offered(request)) > 1,
            "is_operator": is_operator(request),
            "period": period,
            "periods": periods_offered(period, today=today()),
            "report": report,
            "tiles": _tiles(report.total),
            "charts": charts,
            "drawings": {chart.id: chart.drawing for chart in charts if not chart.is_empty},
            "tables": usage_tables(report, organisations=organisations),
            "standing": standings[0] if organisation is not None and standings else None,
            "caps": _caps(standings[0]) if organisation is not None and standings else [],
            "library": _library(organisation),
            "has_cap": standings[0].standing.is_capped if organisation is not None and standings else False,
            "organisations": _organisations(report, standings) if organisation is None else [],
            "organisations_left": max(0, len(standings) - ORGANISATIONS),
            "today": today(),
        }
        return TemplateResponse(request, "analytics/usage.html", context)

    def file_view(self, request: HttpRequest) -> HttpResponse:
        """Return a table of the page as a file with all its rows, in the columns of the API."""
        self._check(request)
        organisations, period = organisations_shown(request), period_read(request.GET, today=today())
        text = request.GET.get("by", "day")
        by = next((item for item in UsageBy if item.name.lower() == text), UsageBy.DAY)
        report = usage_report(organisations=organisations, first=period.first, last=period.last)
        used = report.days if by is UsageBy.DAY else report.groups[by]
        names = usage_names(organisations=organisations, by=by, used=used)
        rows = ([row.key, names.get(row.key, ""), *(getattr(row, name) for name in SUMS)] for row in used)
        response = HttpResponse(csv_table(("key", "name", *SUMS), rows), content_type="text/csv; charset=utf-8")
        name = f"usage-{by.name.lower()}-{period.first}-{period.last}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def _check(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


def _tiles(total: Used) -> list[tuple[str, str, str]]:
    return [
        ("Questions and searches", f"{total.requests:,}", ""),
        ("Tokens read", f"{total.tokens_in:,}", "by language models"),
        ("Tokens written", f"{total.tokens_out:,}", "by language models"),
        ("Tokens embedded", f"{total.tokens_embedded:,}", "of documents, under no cap"),
    ]


def _caps(row: OrganisationStanding) -> list[tuple[str, int, int | None, int, str]]:
    """Return name, used, most, percent and tone of each bar."""
    standing = row.standing
    pairs = (
        ("Questions and searches", standing.requests, standing.requests_most),
        ("Model tokens", standing.tokens, standing.tokens_most),
    )
    bars = []
    for name, used, most in pairs:
        percent = 0 if most is None else 100 * used // most if most else 100
        tone = "full" if most is not None and percent >= 100 else "low" if percent >= standing.soft_percent else "well"
        bars.append((name, used, most, percent, tone if most is not None else ""))
    return bars


def _library(organisation: Any) -> dict[str, Any] | None:
    """Return what the library of the chosen organisation holds, if its plan limits that."""
    if organisation is None:
        return None
    standing = library_standings(organisations=[organisation.pk])[0]
    if not standing.is_limited:
        return None
    bars = []
    for limit in standing.limits:
        if limit.most is not None:
            tone = "full" if limit.percent >= 100 else "low" if limit.percent >= standing.soft_percent else "well"
            bars.append((TITLES[limit.kind], amount_of_text(limit.kind, limit.used, limit.most), limit, tone))
    return {"bars": bars, "soft_percent": standing.soft_percent}


def _organisations(
    report: Report, standings: list[OrganisationStanding]
) -> list[tuple[OrganisationStanding, Used, bool]]:
    """Return the organisations with their use of the period and whether their plan has a cap, the most tokens first."""
    used = {row.key: row for row in report.groups[UsageBy.ORGANISATION]}
    rows = []
    for row in standings:
        rows.append((row, used.get(str(row.id), Used(str(row.id))), row.standing.is_capped))
    return sorted(rows, key=lambda row: (-row[1].tokens, -row[1].requests))[:ORGANISATIONS]
