from typing import Any, cast
from uuid import UUID

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from app.accounts.auth import Caller
from app.accounts.choices import Role
from app.errors import RefdeskError
from app.portal.pages import caller_user, page
from app.portal.shell import shell_context
from app.privacy.choices import OPEN
from app.privacy.erasure.services import account_erase
from app.privacy.exports.downloads import export_answer
from app.privacy.exports.services import account_export_create
from app.privacy.models import Export
from app.privacy.selectors import export_get

AGAIN_S = 3
EXPORTS_SHOWN = 10


@never_cache
@require_http_methods(["GET", "POST"])
@page(Role.VIEWER)
def show_own_data(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Show a page from which people download their data, or erase it with their account."""
    user = caller_user(caller)
    shown: dict[str, Any] = {"shell": shell_context(caller, section="account")}
    status = 200
    try:
        if request.method == "POST" and request.POST.get("do") == "export":
            account_export_create(organisation=caller.organisation_id, user=user)
            return redirect("own_data")
        if request.method == "POST":
            if request.POST.get("confirm", "").strip().lower() != user.email:
                raise RefdeskError("invalid_request", "Type your e-mail address to confirm.")
            erasure = account_erase(user=user)
            logout(request)
            return render(request, "privacy/account_erased.html", {"erasure": erasure})
    except RefdeskError as error:
        shown.update(problem=f"{error.message} {error.hint}", problem_at=request.POST.get("do", ""))
        status = error.status
    exports = Export.objects.filter(organisation=caller.organisation_id, person=user, requested_by=user)
    shown["exports"] = list(exports.order_by("-created")[:EXPORTS_SHOWN])
    answer = render(request, "privacy/own_data.html", shown, status=status)
    if any(each.state in OPEN for each in shown["exports"]):
        answer["Refresh"] = str(AGAIN_S)
    return answer


@never_cache
@require_safe
@page(Role.VIEWER)
def download_export(request: HttpRequest, caller: Caller, export_id: UUID) -> HttpResponse:
    found = export_get(organisation=caller.organisation_id, export=export_id, role=caller.role, user=caller.user_id)
    return cast(HttpResponse, export_answer(request, found))
