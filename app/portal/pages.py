"""Pages for signed-in people: who calls, what their role allows, and what an error looks like as a page.

Every page declares who may see it: `@page(Role.VIEWER)`, or `@public_page("why")` for one that asks for no sign-in. An
address without a declaration fails tests/system/test_isolation.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers

from app.accounts.auth import CHOSEN_ORGANISATION, Caller, caller_of_user
from app.accounts.authentication import sign_out
from app.accounts.choices import Role
from app.accounts.models import User
from app.errors import RefdeskError, retry_after
from app.lib.request_id import request_id_of
from app.lib.tenancy import everything_visible, organisations_visible
from app.oidc.single_sign_out import sign_out_address
from app.oidc.token_revocation import provider_name
from app.plans.rate_limits import door_count, request_count_in_thread

PageView = Callable[..., HttpResponse]
AnyView = TypeVar("AnyView", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class PagePolicy:
    """Who may see a page: members of at least `role`; or anybody (role None), for the reason in `open_because`."""

    role: Role | None
    open_because: str = ""


def page(role: Role) -> Callable[[PageView], PageView]:
    """A view of the portal, called as `view(request, caller, …)` by members of at least `role`."""

    def decorate(view: PageView) -> PageView:
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not isinstance(request.user, User):
                return redirect_to_login(request.get_full_path())
            try:
                caller = caller_of_user(request.user, None, chosen=request.session.get(CHOSEN_ORGANISATION))
                if not caller.role.covers(role):
                    raise PermissionDenied
                with organisations_visible(caller.organisation_id):
                    request_count_in_thread(request, caller.subject)
                    return view(request, caller, *args, **kwargs)
            except RefdeskError as error:
                return error_page(request, error)

        answer.page_policy = PagePolicy(role)  # type: ignore[attr-defined]
        return answer

    return decorate


def public_page(reason: str) -> Callable[[AnyView], AnyView]:
    """Declares that anybody may call a view, signed in or not, and why. The view checks by itself what it must.

    It sees every organisation: whose the caller is, or their token, is what such a page finds out.
    """
    if not reason:
        raise ValueError("say why the page is open")

    def decorate(view: AnyView) -> AnyView:
        @wraps(view)
        def answer(*args: Any, **kwargs: Any) -> Any:
            with everything_visible():
                return view(*args, **kwargs)

        answer.page_policy = PagePolicy(None, reason)  # type: ignore[attr-defined]
        return cast(AnyView, answer)

    return decorate


def door(view: PageView) -> PageView:
    """A view for people who have not signed in: what they send is limited by their address."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            try:
                door_count(request)
            except RefdeskError as error:
                return error_page(request, error)
        return view(request, *args, **kwargs)

    return answer


def error_page(request: HttpRequest, error: RefdeskError) -> HttpResponse:
    if error.code == "not_found" and error.message == RefdeskError("not_found").message:
        raise Http404
    if error.code == "organisation_suspended":
        return render(request, "portal/suspended.html", status=error.status)
    shown = {"heading": error.message, "words": error.hint, "request_id": request_id_of(request)}
    answer = render(request, "error.html", shown, status=error.status)
    if error.retry_after_s is not None:
        answer["Retry-After"] = retry_after(error)
    return answer


def person_of(caller: Caller) -> User:
    """The person behind a page's caller: pages are never called by a key."""
    assert caller.user_id is not None
    return User.objects.get(pk=caller.user_id)


def id_posted(request: HttpRequest, name: str) -> UUID:
    """An id from a form. Raises RefdeskError not_found for what is none."""
    try:
        return UUID(request.POST.get(name, ""))
    except ValueError as error:
        raise RefdeskError("not_found") from error


@everything_visible()
def session_leave(request: HttpRequest) -> HttpResponse:
    """Ends the visitor's session, here and at the provider that vouched for it; the page that comes then."""
    address = sign_out_address(request=request)
    sign_out(request=request)
    return leaving_page(request, address) if address else redirect("sign_in")


def leaving_page(request: HttpRequest, address: str) -> HttpResponse:
    """Sends the browser to the provider after a form."""
    answer = render(request, "portal/leaving.html", {"address": address, "provider": provider_name()})
    add_never_cache_headers(answer)
    return answer
