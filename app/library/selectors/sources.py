from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet
from django.utils import timezone

from app.errors import NotFound
from app.jobs.models import Schedule
from app.lib.times import time_text
from app.library.choices import RunState
from app.library.models import Document, Run, RunItem, Source
from app.library.selectors.documents import error_payload

COUNTS = ("seen", "read", "unchanged", "removed", "skipped", "failed")


def source_list(*, organisation: UUID) -> QuerySet[Source]:
    return Source.objects.filter(organisation=organisation)


def source_get(*, organisation: UUID, source: UUID) -> Source:
    """Return a source. Raises NotFound."""
    row = source_list(organisation=organisation).filter(pk=source).first()
    if row is None:
        raise NotFound
    return row


def source_named(*, organisation: UUID, name: str) -> Source | None:
    """Return the source with this id or name."""
    sources = Source.objects.filter(organisation=organisation)
    try:
        return sources.filter(pk=UUID(name)).first() or sources.filter(name=name).first()
    except ValueError:
        return sources.filter(name=name).first()


def run_list(*, organisation: UUID, source: Source) -> QuerySet[Run]:
    """Return the runs of a source, newest first."""
    return Run.objects.filter(organisation=organisation, source=source).order_by("-created", "-id")


def run_get(*, organisation: UUID, run: UUID) -> Run:
    """Return a run with its source. Raises NotFound."""
    row = Run.objects.select_related("source").filter(organisation=organisation, pk=run).first()
    if row is None:
        raise NotFound
    return row


def run_item_list(*, organisation: UUID, run: Run, outcome: str = "") -> QuerySet[RunItem]:
    """Return the items of a run with their outcomes, in their order."""
    items = RunItem.objects.filter(organisation=organisation, run=run).order_by("id")
    return items.filter(outcome=outcome) if outcome else items


def sources_payload(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Return Sources of the API."""
    ids = [source.pk for source in sources]
    runs = Run.objects.filter(source__in=ids).order_by("source_id", "-created", "-id").distinct("source_id")
    last = {run.source_id: run for run in runs}
    counted = Document.objects.filter(source__in=ids).order_by().values_list("source").annotate(count=Count("id"))
    documents = dict(counted)
    names = [source.schedule_name for source in sources]
    following = dict(Schedule.objects.filter(name__in=names).values_list("name", "next_run"))
    return [
        {
            "id": str(source.pk),
            "name": source.name,
            "kind": source.kind,
            "settings": source.settings,
            "schedule": {
                "preset": source.preset,
                "cron": source.cron or None,
                "time_zone": source.time_zone,
                "next_run": _time_or_none(following.get(source.schedule_name)),
            },
            "documents": documents.get(source.pk, 0),
            "last_run": run_payload(last[source.pk]) if source.pk in last else None,
            "created": time_text(source.created),
        }
        for source in sources
    ]


def source_payload(source: Source) -> dict[str, Any]:
    """Return a Source of the API."""
    return sources_payload([source])[0]


def run_payload(run: Run) -> dict[str, Any]:
    """Return a Run of the API."""
    return {
        "id": str(run.pk),
        "source": str(run.source_id),
        "state": run.state,
        "started": _time_or_none(run.started),
        "ended": _time_or_none(run.ended),
        "counts": {name: getattr(run, name) for name in COUNTS},
        "per_second": _per_second(run),
        "error": error_payload(run.error_code, run.error_message) if run.error_code else None,
        "created": time_text(run.created),
    }


def _per_second(run: Run) -> float | None:
    """Return the number of items that a run handles in a second; None before it has begun."""
    if run.started is None:
        return None
    ended = run.ended or (timezone.now() if run.state == RunState.RUNNING else run.started)
    seconds = (ended - run.started).total_seconds()
    return round(run.seen / seconds, 2) if seconds > 0 else None


def run_item_payload(item: RunItem) -> dict[str, Any]:
    """Return an Address of the API: an item of a run with its outcome."""
    return {
        "external_id": item.external_id,
        "url": item.url or None,
        "outcome": item.outcome,
        "status": item.status,
        "document": str(item.document_id) if item.document_id else None,
        "detail": item.detail,
        "at": time_text(item.at),
    }


def _time_or_none(moment: Any) -> str | None:
    return None if moment is None else time_text(moment)
