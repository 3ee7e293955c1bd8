"""The dashboard, first page of Django admin."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from app.accounts.choices import Role
from app.admin_site.organisation_switcher import organisation_chosen, organisations_offered, organisations_shown
from app.admin_site.roles import admin_roles, is_operator
from app.analytics.attention import Notice, notice_list
from app.analytics.charts import ANSWER_CHARTS, dashboard_tiles, documents_chart
from app.analytics.selectors import answer_figures, document_figures, unanswered_list
from app.analytics.usage_tables import tokens_chart
from app.plans.selectors import today, usage_days

PERIODS = (7, 30, 90)
DEFAULT_PERIOD = 30
PAGES = {
    "documents": "library_document",
    "messages": "chat_message",
    "key": "accounts_apikey",
    "organisation": "accounts_organisation",
    "bot": "bots_bot",
    "usage": "plans_usageentry",
}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of templates/analytics/dashboard.html; the UNFOLD setting names this function."""
    days = _days(request)
    organisations = organisations_shown(request)
    responses = answer_figures(organisations=organisations, days=days)
    earlier = answer_figures(organisations=organisations, days=days, before=days).total
    documents = document_figures(organisations=organisations)
    words = f"in {days} days"
    charts = [make(responses, words=words) for make in ANSWER_CHARTS]
    charts.insert(2, documents_chart(documents))
    used = usage_days(organisations=organisations, first=today() - timedelta(days=days - 1), last=today())
    charts.append(tokens_chart(used, words=words))
    # Texts of conversations are shown to owners and operators only (docs/administration.md).
    owned = admin_roles(request, least=Role.OWNER)
    private = organisations if is_operator(request) else [row for row in organisations if row in owned]
    chosen = organisation_chosen(request)
    notices = [(notice, _link(notice, private=bool(private))) for notice in notice_list(organisations=organisations)]
    return {
        **context,
        "chosen": chosen,
        "is_wide": chosen is None and len(organisations_offered(request)) > 1,
        "days": days,
        "periods": [(period, f"?{urlencode({'days': period})}", period == days) for period in PERIODS],
        "tiles": dashboard_tiles(responses.total, earlier, documents, days=days),
        "charts": charts,
        "drawings": {chart.id: chart.drawing for chart in charts if not chart.is_empty},
        "notices": notices,
        "unanswered": unanswered_list(organisations=private, days=days) if private else [],
        "unanswered_count": responses.total.refused + responses.total.failed,
        "is_new": documents.all == 0,
    }


def _days(request: HttpRequest) -> int:
    text = request.GET.get("days", "")
    return next((days for days in PERIODS if str(days) == text), DEFAULT_PERIOD)


def _link(notice: Notice, *, private: bool) -> str:
    if notice.kind == "messages" and not private:
        return ""
    page = f"admin:{PAGES[notice.kind]}"
    if notice.kind == "usage":
        return reverse(f"{page}_changelist")
    if notice.target is not None:
        return reverse(f"{page}_change", args=[notice.target])
    return f"{reverse(f'{page}_changelist')}?{notice.query}"
