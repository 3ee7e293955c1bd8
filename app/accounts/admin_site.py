"""Django admin's site: the portal's sign-in, and a search that keeps nothing."""

import time
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from app.accounts.admin_switch import choice_take

RESULTS_A_TABLE = 5


class RefdeskAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    site_title = site_header = "Refdesk"
    index_title = "Dashboard"
    index_template = "analytics/dashboard.html"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The portal's sign-in page carries the lock-out, so it is the only one."""
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        try:
            return HttpResponseRedirect(reverse("account"))
        except NoReverseMatch:
            return HttpResponseRedirect("/")

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        answer: HttpResponse = choice_take(request) or super().index(request, extra_context)
        return answer

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Pages and rows that match. Unfold's own keeps results for five minutes, beyond a change of role."""
        begun = time.monotonic()
        term = request.GET.get("s", "").replace("\0", "").strip().lower()[:100]
        if not term:
            return HttpResponse()
        extended = "extended" in request.GET
        results = self._search_apps(self.get_app_list(request), term)
        if extended:
            results += list(self._search_rows(request, term))
        context = {
            "results": results,
            "page_obj": Paginator(results, len(results) or 1),
            "page_counter": 0,
            "execution_time": time.monotonic() - begun,
            "command_show_history": False,
        }
        template = "unfold/helpers/command_results.html" if extended else "unfold/helpers/search_results.html"
        return TemplateResponse(request, template, context, headers={"HX-Trigger": "search"})

    def _search_rows(self, request: HttpRequest, term: str) -> Iterator[SearchResult]:
        for model, page in self._registry.items():
            if not page.get_search_fields(request) or not page.has_view_permission(request):
                continue
            rows, _ = page.get_search_results(request, page.get_queryset(request), term)
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            for row in rows[:RESULTS_A_TABLE]:
                yield SearchResult(
                    title=str(row),
                    description=str(model._meta.verbose_name),
                    link=reverse(name, args=(row.pk,)),
                    icon="description",
                )


_GROUPS = (
    (
        "Library",
        (
            ("Documents", "sources_document", "description"),
            ("Sources", "sources_source", "folder"),
            ("Jobs", "ingest_job", "manufacturing"),
        ),
    ),
    (
        "Answers",
        (
            ("Bots", "bots_bot", "support_agent"),
            ("Revisions", "bots_botrevision", "history"),
            ("Conversations", "chat_conversation", "forum"),
            ("Messages", "chat_message", "chat"),
        ),
    ),
    (
        "People",
        (
            ("Organisations", "accounts_organisation", "apartment"),
            ("Members", "accounts_membership", "group"),
            ("Invitations", "accounts_invitation", "mail"),
            ("Users", "accounts_user", "person"),
            ("Claim rules", "accounts_claimrule", "rule"),
            ("Identities", "accounts_identity", "badge"),
            ("API keys", "accounts_apikey", "key"),
            ("Plans", "accounts_plan", "speed"),
            ("Audit trail", "accounts_auditentry", "history_edu"),
        ),
    ),
    (
        "Privacy",
        (
            ("Exports", "ops_export", "download"),
            ("Erasures", "ops_erasure", "delete_forever"),
            ("Retention", "ops_retentionrun", "auto_delete"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The side bar: the tables that the person may open."""
    open_to = {
        f"{model._meta.app_label}_{model._meta.model_name}"
        for model, page in admin.site._registry.items()
        if page.has_view_permission(request)
    }
    groups = []
    for title, entries in _GROUPS:
        items = [
            {"title": name, "icon": icon, "link": reverse(f"admin:{model}_changelist")}
            for name, model, icon in entries
            if model in open_to
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups
