"""The addresses of sign-in by OIDC. What they need is loaded with their first use, and only where it is configured."""

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
from app.lib.request_id import request_id_of
from app.oidc.identities import identity_unlink
from app.oidc.token_revocation import oidc_configured, provider_name
from app.portal.pages import error_page, id_posted, leaving_page, page, person_of, public_page

log = logging.getLogger(__name__)


def _parts() -> ModuleType:
    if not oidc_configured():
        raise Http404
    from app.oidc import flow

    return flow


@public_page("the way to the provider")
@never_cache
@require_GET
def oidc_begin(request: HttpRequest) -> HttpResponse:
    return _or_refusal(request, lambda: _parts().login_begin(request))


@public_page("the way back; believes only what the provider confirms")
@never_cache
@require_GET
def oidc_callback(request: HttpRequest) -> HttpResponse:
    return _or_refusal(request, lambda: _parts().login_finish(request))


@public_page("called by the provider; the signed token is the permission")
@csrf_exempt
@never_cache
@require_POST
def oidc_logout(request: HttpRequest) -> HttpResponse:
    return cast(HttpResponse, _parts().logout_take(request))


@require_POST
@page(Role.VIEWER)
def oidc_link(request: HttpRequest, caller: Caller) -> HttpResponse:
    """A form's answer may not lead to another host (form-action of the content policy), a page's link may."""
    return _or_refusal(request, lambda: leaving_page(request, _parts().login_begin(request, linking=True).url))


@require_POST
@page(Role.VIEWER)
def oidc_unlink(request: HttpRequest, caller: Caller) -> HttpResponse:
    try:
        identity_unlink(user=person_of(caller), identity=id_posted(request, "identity"))
    except RefdeskError as error:
        return error_page(request, error)
    return redirect(reverse("account"))


def _or_refusal(request: HttpRequest, door: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        return door()
    except RefdeskError as error:
        # Without its words, which may name the person.
        log.warning("request %s: %s (%s)", request_id_of(request), error.code, type(error.__cause__).__name__)
        # Never a 5xx: nothing of ours is broken, and who watches for those need not get up.
        status = error.status if error.status < 500 else 424
        shown = {
            "error": error,
            "provider": provider_name(),
            "request_id": request_id_of(request),
            "again": error.code != "sign_in_refused",
        }
        return render(request, "portal/sign_in_refused.html", shown, status=status)
