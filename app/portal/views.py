from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from app.accounts import authentication
from app.accounts.auth import CHOSEN_ORGANISATION, Caller, caller_for_user
from app.accounts.choices import Role
from app.accounts.first_admin import first_admin_create, first_admin_token_is_open
from app.accounts.models import User
from app.accounts.password_reset import reset_finish, reset_request, reset_user
from app.accounts.selectors import invitation_by_token
from app.accounts.services import invitation_accept, user_update
from app.accounts.user_sessions import browser_name, client_address, user_session_end, user_session_list
from app.errors import RefdeskError
from app.lib.mail import mail_is_set
from app.oidc.token_revocation import oidc_configured, provider_name
from app.portal.pages import anonymous_rate_limited, caller_user, id_posted, page, public_page, session_leave
from app.portal.shell import shell_context


@public_page("the sign-in page")
@never_cache
@require_http_methods(["GET", "POST"])
@anonymous_rate_limited
def sign_in(request: HttpRequest) -> HttpResponse:
    target = _next(request)
    if request.user.is_authenticated:
        return redirect(target)
    context = {"next": target, "email": "", "problem": "", "provider": provider_name() if oidc_configured() else ""}
    status = 200
    if request.method == "POST":
        context["email"] = request.POST.get("email", "").strip()[:254]
        try:
            user = authentication.sign_in(
                request=request, email=context["email"], password=request.POST.get("password", "")
            )
            response = redirect(target)
            authentication.device_remember(response=response, user=user)
            return response
        except RefdeskError as error:
            context["problem"], status = f"{error.message} {error.hint}", error.status
    return render(request, "portal/sign_in.html", context, status=status)


def _next(request: HttpRequest) -> str:
    """Return the address to go to after signing in: only pages of this box."""
    address = request.POST.get("next") or request.GET.get("next") or ""
    is_local = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_local and address.startswith("/") else reverse("portal")


@public_page("ends the caller's own session, if there is one")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    return session_leave(request)


@public_page("the token in the address is the permission; it makes an account only while the box has no operator")
@never_cache
@require_http_methods(["GET", "POST"])
@anonymous_rate_limited
def claim_first_admin(request: HttpRequest, token: str) -> HttpResponse:
    is_open = first_admin_token_is_open(token=token)
    context: dict[str, Any] = {"is_open": is_open, "problem": "", "name": "", "email": ""}
    status = 200 if is_open else 410
    if is_open and request.method == "POST":
        context |= {name: request.POST.get(name, "").strip()[:254] for name in ("name", "email")}
        try:
            user = first_admin_create(
                token=token, email=context["email"], name=context["name"], password=request.POST.get("password", "")
            )
            authentication.session_begin(request=request, user=user)
            return redirect("portal")
        except RefdeskError as error:
            context |= {"problem": error.message, "is_open": error.code != "link_invalid"}
            status = error.status
    return render(request, "portal/first_admin.html", context, status=status)


@public_page("for people who cannot sign in; reveals nothing about any account")
@never_cache
@require_http_methods(["GET", "POST"])
@anonymous_rate_limited
def forgot_password(request: HttpRequest) -> HttpResponse:
    context = {"mails": mail_is_set(), "asked": False, "problem": ""}
    status = 200
    if request.method == "POST" and context["mails"]:
        try:
            reset_request(email=request.POST.get("email", "")[:254], address=client_address(request))
            context["asked"] = True
        except RefdeskError as error:
            context["problem"], status = f"{error.message} Try again in an hour.", error.status
    return render(request, "portal/forgot_password.html", context, status=status)


@public_page("the token in the address is the permission")
@never_cache
@require_http_methods(["GET", "POST"])
@anonymous_rate_limited
def reset_password(request: HttpRequest, token: str) -> HttpResponse:
    person = reset_user(token=token)
    context: dict[str, Any] = {"person": person, "problem": "", "done": False}
    status = 200 if person else 410
    if person and request.method == "POST":
        try:
            user = reset_finish(token=token, password=request.POST.get("password", ""))
            context |= {"done": True, "linked": [provider_name(row.issuer) for row in user.identities.all()]}
        except RefdeskError as error:
            context["problem"], status = error.message, error.status
    return render(request, "portal/reset_password.html", context, status=status)


@require_POST
@page(Role.VIEWER)
def switch_organisation(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Switch to another organisation of the person's, in this browser."""
    slug = request.POST.get("organisation", "")
    request.session[CHOSEN_ORGANISATION] = str(caller_for_user(caller_user(caller), slug).organisation_id)
    return redirect("portal")


@public_page("the token in the address is the permission")
@never_cache
@require_http_methods(["GET", "POST"])
@anonymous_rate_limited
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    invitation = invitation_by_token(token=token)
    context: dict[str, object] = {"invitation": invitation, "problem": "", "name": request.POST.get("name", "")}
    status = 200 if invitation else 410
    if invitation and request.method == "POST":
        signed_in = request.user if isinstance(request.user, User) else None
        try:
            user = invitation_accept(
                token=token,
                name=request.POST.get("name", "").strip()[:200],
                password=request.POST.get("password", ""),
                user=signed_in,
            )
        except RefdeskError as error:
            context["problem"], status = _invitation_problem(error), error.status
        else:
            if signed_in is None:
                authentication.session_begin(request=request, user=user)
            return redirect("portal")
    return render(request, "portal/accept_invitation.html", context, status=status)


def _invitation_problem(error: RefdeskError) -> str:
    if error.code == "conflict":
        return f"{error.message} Sign in with it, then open this link again."
    return error.message


@never_cache
@require_http_methods(["GET", "POST"])
@page(Role.VIEWER)
def show_account(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Show the account page; its forms return to it and name their action in `do`."""
    context: dict[str, Any] = {"shell": shell_context(caller, section="account"), "role": caller.role.label}
    status = 200
    if request.method == "POST":
        action = _ACCOUNT_ACTIONS.get(request.POST.get("do", ""))
        if action is None:
            raise RefdeskError("invalid_request")
        try:
            action(request, caller, context)
        except RefdeskError as error:
            context.update(problem=f"{error.message} {error.hint}", problem_at=request.POST["do"])
            status = error.status
    if not request.user.is_authenticated:
        return redirect("sign_in")
    user = caller_user(caller)
    linked = list(user.identities.order_by("created"))
    context["linked"] = [{"row": row, "provider": provider_name(row.issuer)} for row in linked]
    context["name_from"] = _name_provider(user)
    if oidc_configured():
        context["provider"] = provider_name()
        context["may_link"] = settings.OIDC_ISSUER not in [row.issuer for row in linked]
    session_key = request.session.session_key
    context["sessions"] = [
        {"row": row, "browser": browser_name(row.agent), "is_here": row.session_key == session_key}
        for row in user_session_list(user=user.pk)
    ]
    return render(request, "portal/account.html", context, status=status)


def _name_provider(user: User) -> str:
    """Return the provider whose name of the person is kept; empty for people with a password, who set their own."""
    linked = None if user.has_usable_password() else user.identities.order_by("created").first()
    return provider_name(linked.issuer) if linked is not None else ""


def _change_name(request: HttpRequest, caller: Caller, context: dict[str, Any]) -> None:
    user = caller_user(caller)
    provider = _name_provider(user)
    if provider:
        raise RefdeskError("conflict", f"Your name comes from {provider}. Change it there.")
    name = " ".join(request.POST.get("name", "").replace("\0", "").split())[:200]
    request.user = user_update(user=user.pk, values={"name": name})
    context["name_changed"] = True


def _change_password(request: HttpRequest, caller: Caller, context: dict[str, Any]) -> None:
    authentication.password_change(
        request=request, current=request.POST.get("current", ""), new=request.POST.get("new", "")
    )
    context["password_changed"] = True


def _end_session(request: HttpRequest, caller: Caller, context: dict[str, Any]) -> None:
    session_key = user_session_end(user=caller_user(caller).pk, session=id_posted(request, "session"))
    if session_key == request.session.session_key:
        authentication.sign_out(request=request)
    context["session_ended"] = True


def _end_sessions(request: HttpRequest, caller: Caller, context: dict[str, Any]) -> None:
    authentication.sign_out_everywhere(request=request)


_ACCOUNT_ACTIONS = {
    "name": _change_name,
    "password": _change_password,
    "session": _end_session,
    "sessions": _end_sessions,
}
