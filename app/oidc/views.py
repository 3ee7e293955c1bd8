"""Views of sign-in by OIDC. Their modules are loaded on first use, and only if OIDC is configured."""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from app.accounts.auth import Caller
from app.accounts.choices import Role
from app.errors import RefdeskError
from app.lib.request_id import request_id_get
from app.oidc.identities import identity_unlink
from app.oidc.token_revocation import oidc_configured, provider_name
from app.portal.pages import caller_user, error_page, id_posted, leaving_page, page, public_page

log = logging.getLogger(__name__)


def _flow_module() -> ModuleType:
    if not oidc_configured():
        raise Http404
    from app.oidc import flow

    return flow


@public_page("redirects to the provider")
@never_cache
@require_GET
def oidc_begin(request: HttpRequest) -> HttpResponse:
    return _or_refusal(request, lambda: _flow_module().login_begin(request))


@public_page("the callback; accepts only what the provider confirms")
@never_cache
@require_GET
def oidc_callback(request: HttpRequest) -> HttpResponse:
    return _or_refusal(request, lambda: _flow_module().login_finish(request))


@public_page("called by the provider; the signed token is the permission")
@csrf_exempt
@never_cache
@require_POST
def oidc_logout(request: HttpRequest) -> HttpResponse:
    return cast(HttpResponse, _flow_module().logout_take(request))


@require_POST
@page(Role.VIEWER)
def oidc_link(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Link an identity, by a page with a link: form-action of the CSP forbids a form's redirect to another host."""
    return _or_refusal(request, lambda: leaving_page(request, _flow_module().login_begin(request, linking=True).url))


@require_POST
@page(Role.VIEWER)
def oidc_unlink(request: HttpRequest, caller: Caller) -> HttpResponse:
    try:
        identity_unlink(user=caller_user(caller), identity=id_posted(request, "identity"))
    except RefdeskError as error:
        return error_page(request, error)
    return redirect(reverse("account"))


def _or_refusal(request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        return view()
    except RefdeskError as error:
        # Without its message, which may name the person.
        log.warning("request %s: %s (%s)", request_id_get(request), error.code, type(error.__cause__).__name__)
        # Never a 5xx, which would raise the box's alarms for an error outside of it.
        status = error.status if error.status < 500 else 424
        context = {
            "error": error,
            "provider": provider_name(),
            "request_id": request_id_get(request),
            "again": error.code != "sign_in_refused",
        }
        return render(request, "portal/sign_in_refused.html", context, status=status)
