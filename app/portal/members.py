"""The members page: who belongs to the organisation, and invitations for more."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from app.accounts.auth import Caller
from app.accounts.choices import Role
from app.accounts.invitation_mail import invitation_link, invitation_mail
from app.accounts.models import Invitation, Organisation
from app.accounts.selectors import invitation_list, invitation_state, membership_list
from app.accounts.services import invitation_create, invitation_withdraw
from app.errors import RefdeskError
from app.portal.pages import caller_user, id_posted, page
from app.portal.shell import shell_context

ROLE_MEANINGS = {
    Role.OWNER: "everything",
    Role.ADMIN: "members, bots, settings",
    Role.EDITOR: "documents",
    Role.VIEWER: "ask and read",
}


@never_cache
@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def show_members(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Show members and invitations; the forms come back to the page and name their action in `do`."""
    context: dict[str, Any] = {"shell": shell_context(caller, section="members"), "chosen": Role.VIEWER.value}
    status = 200
    if request.method == "POST":
        action = _ACTIONS.get(request.POST.get("do", ""))
        if action is None:
            raise RefdeskError("invalid_request")
        try:
            action(request, caller, context)
        except RefdeskError as error:
            context["problem"], status = f"{error.message} {error.hint}", error.status
    organisation = caller.organisation_id
    invitations = invitation_list(organisation=organisation)
    context |= {
        "members": membership_list(organisation=organisation),
        "invitations": [{"row": row, "state": invitation_state(row)} for row in invitations],
        "roles": [(role.value, role.label, ROLE_MEANINGS[role]) for role in Role if caller.role.covers(role)],
    }
    return render(request, "portal/members.html", context, status=status)


def _invite(request: HttpRequest, caller: Caller, context: dict[str, Any]) -> None:
    """Create an invitation and add its link to the page's context."""
    _same_organisation(request, caller)
    context.update(email=request.POST.get("email", ""), chosen=request.POST.get("role", ""))
    invitation, token = _invitation(caller, context["email"], context["chosen"])
    mailed = invitation_mail(invitation=invitation)
    context.update(invited=invitation, link=invitation_link(token=token), mailed=mailed, email="")


def _invitation(caller: Caller, email: str, role: str) -> tuple[Invitation, str]:
    if role not in Role.values:
        raise RefdeskError("invalid_request", "Choose a role.")
    return invitation_create(
        organisation=Organisation.objects.get(pk=caller.organisation_id),
        email=email,
        role=Role(role),
        invited_by=caller_user(caller),
        inviter_role=caller.role,
    )


def _withdraw(request: HttpRequest, caller: Caller, context: dict[str, Any]) -> None:
    _same_organisation(request, caller)
    invitation_withdraw(organisation=caller.organisation_id, invitation=id_posted(request, "invitation"))


def _same_organisation(request: HttpRequest, caller: Caller) -> None:
    """Refuse a form that was opened before the person switched, in another tab, to another organisation."""
    if request.POST.get("organisation", caller.organisation_slug) != caller.organisation_slug:
        raise RefdeskError("conflict", "You switched to another organisation meanwhile.")


_ACTIONS = {"invite": _invite, "withdraw": _withdraw}
