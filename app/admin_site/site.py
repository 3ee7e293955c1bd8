"""Django admin's site: the portal's sign-in, and a search without a cache."""

import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from app.accounts.models import User
from app.admin_site.organisation_switcher import choice_take
from app.lib.tenancy import scope_enter, scope_enter_everything
from app.portal.pages import session_leave

RESULTS_A_TABLE = 5
# Tables of what happened.
RECORDS = frozenset({"audit.auditentry", "jobs.job", "chat.conversation", "chat.message", "privacy.export"})


class RefdeskAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    site_title = site_header = "Refdesk"
    index_title = "Dashboard"
    index_template = "analytics/dashboard.html"

    def admin_view(self, view: Callable[..., HttpResponse], cacheable: bool = False) -> Callable[..., HttpResponse]:
        """Wrap a page so that it sees the person's organisations, an operator all of them.

        The scope lasts for the rest of the request: Django renders these pages after the view has returned.
        """
        guarded: Callable[..., HttpResponse] = super().admin_view(view, cacheable)

        @wraps(guarded)
        def scoped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            user = request.user
            if isinstance(user, User) and user.is_active:
                if user.is_operator:
                    scope_enter_everything()
                else:
                    scope_enter(*user.admin_roles)
            try:
                return guarded(request, *args, **kwargs)
            except (ValidationError, DataError) as error:
                # Ids, filters and chosen rows come from the address or the form before any form of ours checks them.
                raise BadRequest("A value cannot be used.") from error

        return scoped

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Redirect to the portal's sign-in page, the only one, because it has the lock-out."""
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sign out as in the portal: with an audit entry, and at the provider too."""
        return session_leave(request) if request.method == "POST" else HttpResponseNotAllowed(["POST"])

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        try:
            return HttpResponseRedirect(reverse("account"))
        except NoReverseMatch:
            return HttpResponseRedirect("/")

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: HttpResponse = choice_take(request) or super().index(request, extra_context)
        return response

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return matching pages and rows.

        Unfold's own search caches results for five minutes, even after a change of role.
        """
        started = time.monotonic()
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
            "execution_time": time.monotonic() - started,
            "command_show_history": False,
        }
        template = "unfold/helpers/command_results.html" if extended else "unfold/helpers/search_results.html"
        return TemplateResponse(request, template, context, headers={"HX-Trigger": "search"})

    def _search_rows(self, request: HttpRequest, term: str) -> Iterator[SearchResult]:
        # Things before what was written about them: a person comes above the entries that name them.
        ranked = sorted(self._registry.items(), key=lambda item: item[0]._meta.label_lower in RECORDS)
        for model, page in ranked:
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
