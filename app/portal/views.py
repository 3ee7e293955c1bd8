from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from app.accounts import authentication as sessions
from app.accounts.auth import CHOSEN_ORGANISATION, Caller, caller_of_user
from app.accounts.choices import Role
from app.accounts.first_admin import first_admin_create, first_admin_token_is_open
from app.accounts.invitation_mail import invitation_link, invitation_mail
from app.accounts.models import Invitation, Organisation, User
from app.accounts.password_reset import reset_finish, reset_request, reset_user
from app.accounts.selectors import invitation_by_token, invitation_list, invitation_state, membership_list
from app.accounts.services import invitation_accept, invitation_create, invitation_withdraw
from app.accounts.user_sessions import address_of, agent_words, sign_in_end, sign_in_list
from app.errors import RefdeskError
from app.lib.mail import mail_is_set
from app.oidc.token_revocation import oidc_configured, provider_name
from app.portal.pages import door, id_posted, page, person_of, public_page, session_leave
from app.portal.shell import shell_context

ROLE_MEANINGS = {
    Role.OWNER: "everything",
    Role.ADMIN: "members, bots, settings",
    Role.EDITOR: "documents",
    Role.VIEWER: "ask and read",
}


@public_page("the way in")
@never_cache
@require_http_methods(["GET", "POST"])
@door
def sign_in(request: HttpRequest) -> HttpResponse:
    target = _next(request)
    if request.user.is_authenticated:
        return redirect(target)
    shown = {"next": target, "email": "", "problem": "", "provider": provider_name() if oidc_configured() else ""}
    status = 200
    if request.method == "POST":
        shown["email"] = request.POST.get("email", "").strip()[:254]
        try:
            user = sessions.sign_in(request=request, email=shown["email"], password=request.POST.get("password", ""))
            answer = redirect(target)
            sessions.device_remember(response=answer, user=user)
            return answer
        except RefdeskError as error:
            shown["problem"], status = f"{error.message} {error.hint}", error.status
    return render(request, "portal/sign_in.html", shown, status=status)


def _next(request: HttpRequest) -> str:
    """Where to go after signing in: only to our own pages."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    own = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if own and wanted.startswith("/") else reverse("portal")


@public_page("ends the caller's own session, if there is one")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    return session_leave(request)


@public_page("the token in the address is the permission; it makes an account only while the box has no operator")
@never_cache
@require_http_methods(["GET", "POST"])
@door
def claim_first_admin(request: HttpRequest, token: str) -> HttpResponse:
    is_open = first_admin_token_is_open(token=token)
    shown: dict[str, Any] = {"is_open": is_open, "problem": "", "name": "", "email": ""}
    status = 200 if is_open else 410
    if is_open and request.method == "POST":
        shown |= {name: request.POST.get(name, "").strip()[:254] for name in ("name", "email")}
        try:
            user = first_admin_create(
                token=token, email=shown["email"], name=shown["name"], password=request.POST.get("password", "")
            )
            sessions.session_begin(request=request, user=user)
            return redirect("portal")
        except RefdeskError as error:
            shown |= {"problem": error.message, "is_open": error.code != "link_invalid"}
            status = error.status
    return render(request, "portal/first_admin.html", shown, status=status)


@public_page("for people who cannot sign in; says nothing of any account")
@never_cache
@require_http_methods(["GET", "POST"])
@door
def forgot_password(request: HttpRequest) -> HttpResponse:
    shown = {"mails": mail_is_set(), "asked": False, "problem": ""}
    status = 200
    if request.method == "POST" and shown["mails"]:
        try:
            reset_request(email=request.POST.get("email", "")[:254], address=address_of(request))
            shown["asked"] = True
        except RefdeskError as error:
            shown["problem"], status = f"{error.message} Try again in an hour.", error.status
    return render(request, "portal/forgot_password.html", shown, status=status)


@public_page("the token in the address is the permission")
@never_cache
@require_http_methods(["GET", "POST"])
@door
def reset_password(request: HttpRequest, token: str) -> HttpResponse:
    person = reset_user(token=token)
    shown: dict[str, Any] = {"person": person, "problem": "", "done": False}
    status = 200 if person else 410
    if person and request.method == "POST":
        try:
            user = reset_finish(token=token, password=request.POST.get("password", ""))
            shown |= {"done": True, "linked": [provider_name(row.issuer) for row in user.identities.all()]}
        except RefdeskError as error:
            shown["problem"], status = error.message, error.status
    return render(request, "portal/reset_password.html", shown, status=status)


@require_POST
@page(Role.VIEWER)
def switch_organisation(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Work in another organisation of the person's from now on, in this browser."""
    slug = request.POST.get("organisation", "")
    request.session[CHOSEN_ORGANISATION] = str(caller_of_user(person_of(caller), slug).organisation_id)
    return redirect("portal")


@public_page("the token in the address is the permission")
@never_cache
@require_http_methods(["GET", "POST"])
@door
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    invitation = invitation_by_token(token=token)
    shown: dict[str, object] = {"invitation": invitation, "problem": "", "name": request.POST.get("name", "")}
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
            shown["problem"], status = _invitation_problem(error), error.status
        else:
            if signed_in is None:
                sessions.session_begin(request=request, user=user)
            return redirect("portal")
    return render(request, "portal/accept_invitation.html", shown, status=status)


def _invitation_problem(error: RefdeskError) -> str:
    if error.code == "conflict":
        return f"{error.message} Sign in with it, then open this link again."
    return error.message


@never_cache
@require_http_methods(["GET", "POST"])
@page(Role.VIEWER)
def show_account(request: HttpRequest, caller: Caller) -> HttpResponse:
    """The account page; its forms come back to it and say in `do` what they ask for."""
    shown: dict[str, Any] = {"frame": shell_context(caller, section="account"), "role": caller.role.label}
    status = 200
    if request.method == "POST":
        action = _ACCOUNT_ACTIONS.get(request.POST.get("do", ""))
        if action is None:
            raise RefdeskError("invalid_request")
        try:
            action(request, caller, shown)
        except RefdeskError as error:
            shown.update(problem=f"{error.message} {error.hint}", problem_at=request.POST["do"])
            status = error.status
    if not request.user.is_authenticated:
        return redirect("sign_in")
    linked = list(person_of(caller).identities.order_by("created"))
    shown["linked"] = [{"row": row, "provider": provider_name(row.issuer)} for row in linked]
    if oidc_configured():
        shown["provider"] = provider_name()
        shown["may_link"] = settings.OIDC_ISSUER not in [row.issuer for row in linked]
    here = request.session.session_key
    shown["sign_ins"] = [
        {"row": row, "words": agent_words(row.agent), "is_here": row.session_key == here}
        for row in sign_in_list(user=person_of(caller).pk)
    ]
    if caller.role.covers(Role.ADMIN):
        organisation = caller.organisation_id
        shown["members"] = membership_list(organisation=organisation)
        invitations = invitation_list(organisation=organisation)
        shown["invitations"] = [{"row": row, "state": invitation_state(row)} for row in invitations]
        shown["roles"] = [(role.value, role.label, ROLE_MEANINGS[role]) for role in Role if caller.role.covers(role)]
        shown.setdefault("chosen", Role.VIEWER.value)
    return render(request, "portal/account.html", shown, status=status)


def _change_password(request: HttpRequest, caller: Caller, shown: dict[str, Any]) -> None:
    sessions.password_change(request=request, current=request.POST.get("current", ""), new=request.POST.get("new", ""))
    shown["password_changed"] = True


def _withdraw(request: HttpRequest, caller: Caller, shown: dict[str, Any]) -> None:
    _same_organisation(request, caller)
    if not caller.role.covers(Role.ADMIN):
        raise RefdeskError("not_allowed")
    invitation_withdraw(organisation=caller.organisation_id, invitation=id_posted(request, "invitation"))


def _invite(request: HttpRequest, caller: Caller, shown: dict[str, Any]) -> None:
    """Makes an invitation and puts its link into what the page shows."""
    _same_organisation(request, caller)
    shown.update(email=request.POST.get("email", ""), chosen=request.POST.get("role", ""))
    invitation, token = _invitation(caller, shown["email"], shown["chosen"])
    mailed = invitation_mail(invitation=invitation, token=token)
    shown.update(invited=invitation, link=invitation_link(token=token), mailed=mailed, email="")


def _same_organisation(request: HttpRequest, caller: Caller) -> None:
    """A form that was opened before the person switched, in another tab, must not act on the other organisation."""
    if request.POST.get("organisation", caller.organisation_slug) != caller.organisation_slug:
        raise RefdeskError("conflict", "You switched to another organisation meanwhile.")


def _end_session(request: HttpRequest, caller: Caller, shown: dict[str, Any]) -> None:
    ended = sign_in_end(user=person_of(caller).pk, sign_in=id_posted(request, "session"))
    if ended == request.session.session_key:
        sessions.sign_out(request=request)
    shown["session_ended"] = True


def _end_sessions(request: HttpRequest, caller: Caller, shown: dict[str, Any]) -> None:
    sessions.sign_out_everywhere(request=request)


_ACCOUNT_ACTIONS = {
    "password": _change_password,
    "invite": _invite,
    "withdraw": _withdraw,
    "session": _end_session,
    "sessions": _end_sessions,
}


def _invitation(caller: Caller, email: str, role: str) -> tuple[Invitation, str]:
    if role not in Role.values:
        raise RefdeskError("invalid_request", "Choose a role.")
    return invitation_create(
        organisation=Organisation.objects.get(pk=caller.organisation_id),
        email=email,
        role=Role(role),
        invited_by=person_of(caller),
        inviter_role=caller.role,
    )
