"""The page Usage: what the ledger has of a period, and how the month stands against the plan's caps."""

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
from app.plans.caps import OrganisationStanding, standings_list
from app.plans.choices import UsageBy
from app.plans.models import UsageEntry
from app.plans.periods import period_read, periods_offered
from app.plans.report import Report, usage_report
from app.plans.selectors import Used, today

SUMS = ("requests", "tokens_in", "tokens_out", "tokens_embedded")
# The table of all organisations; the file has every one.
ORGANISATIONS = 100


@admin.register(UsageEntry)
class UsageAdmin(ReadOnlyAdmin):
    list_display = ("day", "organisation", "kind", "step", "model", "requests", "tokens_in", "tokens_out")

    def get_urls(self) -> list[Any]:
        file = self.admin_site.admin_view(self.file_view)
        return [path("file/", file, name="usage_usageentry_file"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._check(request)
        chosen = choice_take(request)
        if chosen is not None:
            return chosen
        shown, period = organisations_shown(request), period_read(request.GET, today=today())
        report = usage_report(organisations=shown, first=period.first, last=period.last)
        standings = standings_list(organisations=shown)
        one = organisation_chosen(request)
        charts = usage_charts(report, words=f"from {period.words}")
        context = {
            **self.admin_site.each_context(request),
            "title": "Usage",
            "chosen": one,
            "is_wide": one is None and len(organisations_offered(request)) > 1,
            "is_operator": is_operator(request),
            "period": period,
            "periods": periods_offered(period, today=today()),
            "report": report,
            "tiles": _tiles(report.whole),
            "charts": charts,
            "drawings": {chart.id: chart.drawing for chart in charts if not chart.is_empty},
            "tables": usage_tables(report, organisations=shown),
            "standing": standings[0] if one is not None and standings else None,
            "caps": _caps(standings[0]) if one is not None and standings else [],
            "has_cap": standings[0].standing.is_capped if one is not None and standings else False,
            "organisations": _organisations(report, standings) if one is None else [],
            "organisations_left": max(0, len(standings) - ORGANISATIONS),
            "today": today(),
        }
        return TemplateResponse(request, "analytics/usage.html", context)

    def file_view(self, request: HttpRequest) -> HttpResponse:
        """One table of the page with all its rows, in the columns of the API."""
        self._check(request)
        shown, period = organisations_shown(request), period_read(request.GET, today=today())
        wanted = request.GET.get("by", "day")
        by = next((each for each in UsageBy if each.name.lower() == wanted), UsageBy.DAY)
        report = usage_report(organisations=shown, first=period.first, last=period.last)
        used = report.days if by is UsageBy.DAY else report.groups[by]
        names = usage_names(organisations=shown, by=by, used=used)
        rows = ([row.key, names.get(row.key, ""), *(getattr(row, name) for name in SUMS)] for row in used)
        answer = HttpResponse(csv_table(("key", "name", *SUMS), rows), content_type="text/csv; charset=utf-8")
        name = f"usage-{by.name.lower()}-{period.first}-{period.last}.csv"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    def _check(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


def _tiles(whole: Used) -> list[tuple[str, str, str]]:
    return [
        ("Questions and searches", f"{whole.requests:,}", ""),
        ("Tokens read", f"{whole.tokens_in:,}", "by language models"),
        ("Tokens written", f"{whole.tokens_out:,}", "by language models"),
        ("Tokens embedded", f"{whole.tokens_embedded:,}", "of documents, under no cap"),
    ]


def _caps(row: OrganisationStanding) -> list[tuple[str, int, int | None, int, str]]:
    """Name, used, most, percent, tone of each bar."""
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


def _organisations(
    report: Report, standings: list[OrganisationStanding]
) -> list[tuple[OrganisationStanding, Used, bool]]:
    """Each organisation with its use of the period and whether its plan has a cap, the most tokens first."""
    used = {row.key: row for row in report.groups[UsageBy.ORGANISATION]}
    rows = []
    for row in standings:
        rows.append((row, used.get(str(row.id), Used(str(row.id))), row.standing.is_capped))
    return sorted(rows, key=lambda each: (-each[1].tokens, -each[1].requests))[:ORGANISATIONS]
