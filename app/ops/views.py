from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from app.accounts.pages import open_page
from app.ops.health import engines_check, queue_depths
from app.settings import VERSION


@open_page("asked by machines; says nothing of any organisation")
@never_cache
@require_safe
def show_health(request: HttpRequest) -> HttpResponse:
    """Says only that this process serves: a box whose database pauses must not lose its web process too."""
    return JsonResponse({"status": "ok", "version": VERSION, "queues": queue_depths()})


@open_page("asked by machines; says nothing of any organisation")
@never_cache
@require_safe
def show_ready(request: HttpRequest) -> HttpResponse:
    engines = engines_check()
    ready = all(engine["ok"] for engine in engines.values())
    return JsonResponse({"ready": ready, "engines": engines}, status=200 if ready else 503)
