"""Which organisation the admin pages are about, for people of several: one of theirs, or all of them.

A convenience and no wall: what a person may see at all is said by app/admin_site/tenant_admin.py. The choice is kept
in the session, so that it holds from page to page, and is checked against their roles each time it is read.
"""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from app.accounts.models import Organisation
from app.admin_site.roles import is_operator, roles_of

KEPT_AS = "admin_organisation"
PARAMETER = "organisation"
# A drop-down with more is no quicker than the list of organisations.
OFFERED = 20


def organisations_offered(request: HttpRequest) -> list[Organisation]:
    """Those whose admin pages the person may use, by name; one more than OFFERED at most. Read once a request."""
    known: list[Organisation] | None = request.__dict__.get("_admin_offered")
    if known is None:
        rows = Organisation.objects.order_by("name", "slug")
        if not is_operator(request):
            rows = rows.filter(pk__in=list(roles_of(request)))
        known = request.__dict__["_admin_offered"] = list(rows[: OFFERED + 1])
    return known


def organisation_chosen(request: HttpRequest) -> Organisation | None:
    """None: all of the person's organisations. Who has only one has chosen it."""
    known: Organisation | None
    if "_admin_chosen" not in request.__dict__:
        request.__dict__["_admin_chosen"] = _chosen(request)
    known = request.__dict__["_admin_chosen"]
    return known


def _chosen(request: HttpRequest) -> Organisation | None:
    offered = organisations_offered(request)
    if len(offered) == 1:
        return offered[0]
    kept = request.session.get(KEPT_AS) if hasattr(request, "session") else None
    if kept is None:
        return None
    known = next((row for row in offered if str(row.pk) == kept), None)
    if known is None and is_operator(request):
        known = Organisation.objects.filter(pk=kept).first()
    return known


def organisations_shown(request: HttpRequest) -> list[UUID]:
    """Ids of the organisations that a page about several is to show."""
    chosen = organisation_chosen(request)
    if chosen is not None:
        return [chosen.pk]
    if is_operator(request):
        return list(Organisation.objects.values_list("pk", flat=True))
    return list(roles_of(request))


def organisation_words(request: HttpRequest) -> str:
    """Which organisation the pages are about, below Refdesk's name."""
    chosen = organisation_chosen(request)
    return chosen.name if chosen is not None else "All organisations"


def choice_take(request: HttpRequest) -> HttpResponse | None:
    """Keep the choice that the address makes, and go on without it. One that is not theirs is no choice."""
    if PARAMETER not in request.GET:
        return None
    wanted = request.GET[PARAMETER]
    rows = Organisation.objects.all() if is_operator(request) else Organisation.objects.filter(pk__in=roles_of(request))
    found = rows.filter(slug=wanted).first() if wanted and "\0" not in wanted else None
    if found is None:
        request.session.pop(KEPT_AS, None)
    else:
        request.session[KEPT_AS] = str(found.pk)
    return HttpResponseRedirect(request.path)


def organisation_links(request: HttpRequest) -> list[dict[str, Any]]:
    """Unfold's drop-down at the top of the side bar; empty for who has nothing to choose."""
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
