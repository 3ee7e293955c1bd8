"""The organisation that the admin pages show, for people in several: one of theirs, or all of them.

A convenience, not an access check: app/admin_site/tenant_admin.py decides what a person may see. The choice is stored
in the session, so that it applies to every page, and is checked against the person's roles at each use.
"""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from app.accounts.models import Organisation
from app.admin_site.roles import admin_roles, is_operator

SESSION_KEY = "admin_organisation"
PARAMETER = "organisation"
# A longer drop-down is no quicker than the list of organisations.
OFFERED = 20


def organisations_offered(request: HttpRequest) -> list[Organisation]:
    """Return the organisations whose admin pages the person may use, by name, OFFERED + 1 at most.

    Cached for a request.
    """
    offered: list[Organisation] | None = request.__dict__.get("_admin_offered")
    if offered is None:
        rows = Organisation.objects.order_by("name", "slug")
        if not is_operator(request):
            rows = rows.filter(pk__in=list(admin_roles(request)))
        offered = request.__dict__["_admin_offered"] = list(rows[: OFFERED + 1])
    return offered


def organisation_chosen(request: HttpRequest) -> Organisation | None:
    """Return the chosen organisation, or a person's only one. None: all of the person's organisations."""
    chosen: Organisation | None
    if "_admin_chosen" not in request.__dict__:
        request.__dict__["_admin_chosen"] = _chosen(request)
    chosen = request.__dict__["_admin_chosen"]
    return chosen


def _chosen(request: HttpRequest) -> Organisation | None:
    offered = organisations_offered(request)
    if len(offered) == 1:
        return offered[0]
    stored = request.session.get(SESSION_KEY) if hasattr(request, "session") else None
    if stored is None:
        return None
    chosen = next((row for row in offered if str(row.pk) == stored), None)
    if chosen is None and is_operator(request):
        chosen = Organisation.objects.filter(pk=stored).first()
    return chosen


def organisations_shown(request: HttpRequest) -> list[UUID]:
    """Return the ids of the organisations that a page about several is to show."""
    chosen = organisation_chosen(request)
    if chosen is not None:
        return [chosen.pk]
    if is_operator(request):
        return list(Organisation.objects.values_list("pk", flat=True))
    return list(admin_roles(request))


def organisation_title(request: HttpRequest) -> str:
    """Return the title below Refdesk's name: the organisation that the pages show."""
    chosen = organisation_chosen(request)
    return chosen.name if chosen is not None else "All organisations"


def choice_take(request: HttpRequest) -> HttpResponse | None:
    """Store the choice in the address and redirect to the address without it.

    A foreign organisation clears the choice.
    """
    if PARAMETER not in request.GET:
        return None
    slug = request.GET[PARAMETER]
    rows = (
        Organisation.objects.all() if is_operator(request) else Organisation.objects.filter(pk__in=admin_roles(request))
    )
    organisation = rows.filter(slug=slug).first() if slug and "\0" not in slug else None
    if organisation is None:
        request.session.pop(SESSION_KEY, None)
    else:
        request.session[SESSION_KEY] = str(organisation.pk)
    return HttpResponseRedirect(request.path)


def organisation_links(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the links of Unfold's drop-down above the side bar; empty for a person without a choice."""
    offered = organisations_offered(request)
    if len(offered) < 2:
        return []
    index = reverse("admin:index")
    links = [{"title": "All organisations", "icon": "select_all", "link": f"{index}?{PARAMETER}="}]
    for row in offered[:OFFERED]:
        links.append({"title": row.name, "icon": "apartment", "link": f"{index}?{PARAMETER}={row.slug}"})
    if len(offered) > OFFERED:
        more = reverse("admin:accounts_organisation_changelist")
        links.append({"title": "More organisations", "icon": "more_horiz", "link": more})
    return links
