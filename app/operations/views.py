from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from app.lib.error_responses import error_response
from app.lib.metrics_text import CONTENT_TYPE, metrics_text
from app.operations.health import engines_check, queue_depths
from app.portal.pages import public_page


@public_page("asked by machines; says nothing of any organisation")
@never_cache
@require_safe
def show_health(request: HttpRequest) -> HttpResponse:
    """Respond that this process serves, and no more: a box whose database pauses must not lose its web process too."""
    return JsonResponse({"status": "ok", "version": settings.VERSION, "queues": queue_depths()})


@public_page("asked by machines; says nothing of any organisation")
@never_cache
@require_safe
def show_ready(request: HttpRequest) -> HttpResponse:
    engines = engines_check()
    ready = all(engine["ok"] for engine in engines.values())
    return JsonResponse({"ready": ready, "engines": engines}, status=200 if ready else 503)


@public_page("asked by Prometheus with the box's own token; says nothing of any organisation")
@never_cache
@require_safe
def show_metrics(request: HttpRequest) -> HttpResponse:
    """Show the metrics. Without REFDESK_METRICS_TOKEN the page does not exist: a box's load is private."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
        return error_response(request, "bad_access_token")
    return HttpResponse(metrics_text(), content_type=CONTENT_TYPE)
