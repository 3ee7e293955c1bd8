"""The dashboard, first page of Django admin."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from app.accounts.choices import Role
from app.admin_site.organisation_switcher import organisation_chosen, organisations_offered, organisations_shown
from app.admin_site.roles import is_operator, roles_of
from app.analytics.attention import Notice, notice_list
from app.analytics.charts import ANSWER_CHARTS, documents_chart, tiles_of
from app.analytics.selectors import answer_figures, document_figures, unanswered_list
from app.analytics.usage_tables import tokens_chart
from app.plans.selectors import today, usage_days

PERIODS = (7, 30, 90)
USUAL = 30
PAGES = {
    "documents": "library_document",
    "messages": "chat_message",
    "key": "accounts_apikey",
    "organisation": "accounts_organisation",
    "bot": "bots_bot",
    "usage": "plans_usageentry",
}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What templates/analytics/dashboard.html shows; named by UNFOLD in the settings."""
    days = _days(request)
    shown = organisations_shown(request)
    answers = answer_figures(organisations=shown, days=days)
    documents = document_figures(organisations=shown)
    words = f"in {days} days"
    charts = [make(answers, words=words) for make in ANSWER_CHARTS]
    charts.insert(2, documents_chart(documents))
    used = usage_days(organisations=shown, first=today() - timedelta(days=days - 1), last=today())
    charts.append(tokens_chart(used, words=words))
    # The words of conversations are for owners and operators (docs/administration.md).
    private = shown if is_operator(request) else [each for each in shown if each in roles_of(request, least=Role.OWNER)]
    chosen = organisation_chosen(request)
    notices = [(notice, _link(notice, private=bool(private))) for notice in notice_list(organisations=shown)]
    return {
        **context,
        "chosen": chosen,
        "is_wide": chosen is None and len(organisations_offered(request)) > 1,
        "days": days,
        "periods": [(each, f"?{urlencode({'days': each})}", each == days) for each in PERIODS],
        "tiles": tiles_of(answers.whole, documents),
        "charts": charts,
        "drawings": {chart.id: chart.drawing for chart in charts if not chart.is_empty},
        "notices": notices,
        "unanswered": unanswered_list(organisations=private, days=days) if private else [],
        "unanswered_count": answers.whole.refused + answers.whole.failed,
        "is_new": documents.all == 0,
    }


def _days(request: HttpRequest) -> int:
    wanted = request.GET.get("days", "")
    return next((days for days in PERIODS if str(days) == wanted), USUAL)


def _link(notice: Notice, *, private: bool) -> str:
    if notice.kind == "messages" and not private:
        return ""
    page = f"admin:{PAGES[notice.kind]}"
    if notice.kind == "usage":
        return reverse(f"{page}_changelist")
    if notice.target is not None:
        return reverse(f"{page}_change", args=[notice.target])
    return f"{reverse(f'{page}_changelist')}?{notice.query}"
