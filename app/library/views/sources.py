from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from app.accounts.auth import Caller
from app.accounts.choices import Role
from app.accounts.models import Organisation
from app.errors import NotFound, RefdeskError
from app.library.choices import OPEN_RUNS, Outcome, SchedulePreset, SourceKind
from app.library.connectors.registry import connector_class, connectors_all
from app.library.models import Run, Source
from app.library.selectors.sources import (
    run_item_list,
    run_list,
    run_payload,
    source_get,
    source_list,
    source_payload,
    sources_payload,
)
from app.library.services.runs import run_start
from app.library.services.sources import source_create
from app.portal.pages import page
from app.portal.shell import shell_context

RUNS_SHOWN = 20
ITEMS_SHOWN = 100
# The page of a source with an open run reloads itself.
REFRESH_S = 3


@never_cache
@require_safe
@page(Role.VIEWER)
def show_sources(request: HttpRequest, caller: Caller) -> HttpResponse:
    rows = list(source_list(organisation=caller.organisation_id).order_by("name"))
    context = {
        "shell": shell_context(caller, section="sources"),
        "rows": [
            {**payload, "kind_label": row.get_kind_display(), "read": _schedule_label(row)}
            for row, payload in zip(rows, sources_payload(rows), strict=True)
        ],
    }
    return render(request, "library/sources.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
@page(Role.EDITOR)
def make_source(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Show the form for a source, and make one; its page then explains how documents get into it."""
    context: dict[str, Any] = {
        "shell": shell_context(caller, section="sources"),
        "kinds": [
            {"value": kind.value, "label": kind.label, "about": connector.about}
            for kind, connector in connectors_all().items()
        ],
        "name": request.POST.get("name", ""),
        "kind": request.POST.get("kind", SourceKind.PUSH.value),
    }
    status = 200
    if request.method == "POST":
        try:
            source = source_create(
                organisation=Organisation(id=caller.organisation_id), name=context["name"], kind=context["kind"]
            )
            return redirect("source", source.pk)
        except RefdeskError as error:
            context["problem"], status = error.message, error.status
    return render(request, "library/source_new.html", context, status=status)


@never_cache
@require_safe
@page(Role.VIEWER)
def show_source(request: HttpRequest, caller: Caller, source_id: UUID) -> HttpResponse:
    """Show a source with its runs, and the items of one of them: `?run=…&outcome=failed&page=2`."""
    source = source_get(organisation=caller.organisation_id, source=source_id)
    runs = list(run_list(organisation=caller.organisation_id, source=source)[:RUNS_SHOWN])
    run = _run_chosen(caller, source, runs, request.GET.get("run", ""))
    outcome = request.GET.get("outcome", "")
    outcome = outcome if outcome in Outcome.values else ""
    context = {
        "shell": shell_context(caller, section="sources"),
        "source": source,
        "documents": source_payload(source)["documents"],
        "kind": SourceKind(source.kind),
        "discovers": connector_class(source.kind).discovers,
        "read": _schedule_label(source),
        "runs": [{**run_payload(each), "row": each} for each in runs],
        "run": run,
        "problem": run_payload(run)["error"] if run else None,
        "items": _items(caller, run, outcome, request.GET.get("page")) if run else None,
        "outcome": outcome,
        "outcomes": Outcome.choices,
        "push_address": f"{settings.PUBLIC_URL}/api/v1/sources/{source.pk}/documents",
        "upload_address": f"{settings.PUBLIC_URL}/api/v1/documents",
    }
    response = render(request, "library/source.html", context)
    if any(each.state in OPEN_RUNS for each in runs):
        response["Refresh"] = str(REFRESH_S)
    return response


@never_cache
@require_POST
@page(Role.EDITOR)
def start_run(request: HttpRequest, caller: Caller, source_id: UUID) -> HttpResponse:
    """Read a source now."""
    source = source_get(organisation=caller.organisation_id, source=source_id)
    run_start(organisation=caller.organisation_id, source=source)
    return redirect("source", source.pk)


def _run_chosen(caller: Caller, source: Source, runs: list[Run], chosen: str) -> Run | None:
    """Return the run that the address names, else the newest. Raises NotFound."""
    if not chosen:
        return runs[0] if runs else None
    try:
        run = run_list(organisation=caller.organisation_id, source=source).filter(pk=UUID(chosen)).first()
    except ValueError:
        run = None
    if run is None:
        raise NotFound
    return run


def _items(caller: Caller, run: Run, outcome: str, number: str | None) -> Page[Any]:
    items = run_item_list(organisation=caller.organisation_id, run=run, outcome=outcome).select_related("document")
    return Paginator(items, ITEMS_SHOWN).get_page(number)


def _schedule_label(source: Source) -> str:
    if source.preset == SchedulePreset.CRON:
        return f"{source.cron} ({source.time_zone})"
    return SchedulePreset(source.preset).label
