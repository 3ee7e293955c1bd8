"""Decorators and responses of pages: the caller, the required role, and errors as pages.

Every page declares its readers: `@page(Role.VIEWER)`, or `@public_page("why")` for one without a sign-in. An address
without a declaration fails tests/system/test_isolation.py.
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

from app.accounts.auth import CHOSEN_ORGANISATION, Caller, caller_for_user
from app.accounts.authentication import sign_out
from app.accounts.choices import Role
from app.accounts.models import User
from app.errors import RefdeskError, retry_after
from app.lib.request_id import request_id_get
from app.lib.tenancy import everything_visible, organisations_visible
from app.oidc.single_sign_out import sign_out_address
from app.oidc.token_revocation import provider_name
from app.plans.rate_limits import anonymous_request_count, request_count_in_thread

PageView = Callable[..., HttpResponse]
AnyView = TypeVar("AnyView", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class PagePolicy:
    """The policy of a page: members of at least `role`; or anybody (role None), for the reason in `open_because`."""

    role: Role | None
    open_because: str = ""


def page(role: Role) -> Callable[[PageView], PageView]:
    """Decorate a view of the portal, called as `view(request, caller, …)` by members of at least `role`."""

    def decorate(view: PageView) -> PageView:
        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not isinstance(request.user, User):
                return redirect_to_login(request.get_full_path())
            try:
                caller = caller_for_user(request.user, None, chosen=request.session.get(CHOSEN_ORGANISATION))
                request.organisation_id = caller.organisation_id  # type: ignore[attr-defined]
                if not caller.role.covers(role):
                    raise PermissionDenied
                with organisations_visible(caller.organisation_id):
                    request_count_in_thread(request, caller.subject)
                    return view(request, caller, *args, **kwargs)
            except RefdeskError as error:
                return error_page(request, error)

        wrapper.page_policy = PagePolicy(role)  # type: ignore[attr-defined]
        return wrapper

    return decorate


def public_page(reason: str) -> Callable[[AnyView], AnyView]:
    """Declare that anybody may call a view, signed in or not, with the reason. The view makes its own checks.

    The view sees every organisation, because it has to find the organisation of the caller or of a token.
    """
    if not reason:
        raise ValueError("say why the page is open")

    def decorate(view: AnyView) -> AnyView:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with everything_visible():
                return view(*args, **kwargs)

        wrapper.page_policy = PagePolicy(None, reason)  # type: ignore[attr-defined]
        return cast(AnyView, wrapper)

    return decorate


def anonymous_rate_limited(view: PageView) -> PageView:
    """Limit the requests of people who have not signed in by their address."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            try:
                anonymous_request_count(request)
            except RefdeskError as error:
                return error_page(request, error)
        return view(request, *args, **kwargs)

    return wrapper


def error_page(request: HttpRequest, error: RefdeskError) -> HttpResponse:
    if error.code == "not_found" and error.message == RefdeskError("not_found").message:
        raise Http404
    if error.code == "organisation_suspended":
        return render(request, "portal/suspended.html", status=error.status)
    context = {"heading": error.message, "words": error.hint, "request_id": request_id_get(request)}
    response = render(request, "error.html", context, status=error.status)
    if error.retry_after_s is not None:
        response["Retry-After"] = retry_after(error)
    return response


def caller_user(caller: Caller) -> User:
    """Return the person of a page's caller: keys never call pages."""
    assert caller.user_id is not None
    return User.objects.get(pk=caller.user_id)


def id_posted(request: HttpRequest, name: str) -> UUID:
    """Return an id from a form. Raises RefdeskError not_found for anything else."""
    try:
        return UUID(request.POST.get(name, ""))
    except ValueError as error:
        raise RefdeskError("not_found") from error


@everything_visible()
def session_leave(request: HttpRequest) -> HttpResponse:
    """End the visitor's session, here and at the provider that authenticated it, and return the next page."""
    address = sign_out_address(request=request)
    sign_out(request=request)
    return leaving_page(request, address) if address else redirect("sign_in")


def leaving_page(request: HttpRequest, address: str) -> HttpResponse:
    """Return a page that leads to the provider after a form."""
    response = render(request, "portal/leaving.html", {"address": address, "provider": provider_name()})
    add_never_cache_headers(response)
    return response
