"""The stylesheet of an accent colour, separate because the portal's CSP allows no styles in the page itself."""

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from app.lib.colours import accent_css
from app.portal.pages import public_page

DAY_S = 24 * 3600


@public_page("made from the colour in its address alone; it contains no data of anybody")
@require_safe
def show_theme(request: HttpRequest, colour: str) -> HttpResponse:
    if not re.fullmatch("[0-9a-f]{6}", colour):
        raise Http404
    headers = {"Cache-Control": f"public, max-age={DAY_S}"}
    return HttpResponse(accent_css(f"#{colour}"), content_type="text/css; charset=utf-8", headers=headers)
