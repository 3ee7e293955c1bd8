from typing import Any

from django import template
from django.template import Context

from app.admin_site.organisation_switcher import organisation_chosen, organisations_shown
from app.admin_site.roles import is_operator
from app.library.selectors.limits import libraries_low, library_notice
from app.plans.caps import standing_text, standings_low

register = template.Library()
# Above this number, a count is clearer than names.
NAMED = 2


@register.inclusion_tag("analytics/usage_banner.html", takes_context=True)
def usage_banner(context: Context) -> dict[str, Any]:
    """Return the notices for the shown organisations whose month's cap may be reached, or whose library may be full."""
    request = context.get("request")
    if request is None or not context.get("has_permission"):
        return {"lines": []}
    is_whole_box = is_operator(request) and organisation_chosen(request) is None
    organisations = None if is_whole_box else organisations_shown(request)
    low = [(standing_text(row), row.standing.is_full) for row in standings_low(organisations=organisations)]
    low += [(library_notice(row), row.is_full) for row in libraries_low(organisations=organisations)]
    lines = low[:NAMED]
    return {"lines": lines, "more": len(low) - len(lines), "operator": is_operator(request)}
