"""The embedding model in use, and what a change of it costs and how far it is."""

from typing import Any
from uuid import UUID

from django.utils import timezone

from app.jobs.choices import OPEN
from app.jobs.models import Job
from app.lib.tenancy import everything_visible
from app.library.services.jobs import DROP, FILL
from app.llm.choices import TWO_INDEXES, ChangeState
from app.llm.embedding_choice import embedding_choice
from app.llm.models import EmbeddingChange
from app.llm.models_kept import embeddings_client


@everything_visible()
def change_newest(*, change: UUID | None = None) -> EmbeddingChange | None:
    """Return a change by its id; without one the newest."""
    rows = EmbeddingChange.objects.all()
    return (rows.filter(pk=change) if change else rows.order_by("-created", "-id")).first()


def change_is_open() -> bool:
    """Return whether the box has two indexes now."""
    return EmbeddingChange.objects.filter(state__in=TWO_INDEXES).exists()


def model_in_use() -> str:
    """Return the name and the size of the model in use. Raises Upstream: embeddings_unavailable."""
    space = embeddings_client().space()
    chosen = "operator's choice" if embedding_choice().in_use else "REFDESK_EMBEDDINGS_*"
    return f"{space.model}, {space.dimensions} dimensions ({chosen})"


def percent_filled(row: EmbeddingChange) -> int:
    if row.state in (ChangeState.READY, ChangeState.SWITCHED, ChangeState.DONE):
        return 100
    return min(99, row.filled * 100 // max(1, row.passages))


def seconds_left(row: EmbeddingChange) -> int:
    """Return the estimated time of the passages that are still to be embedded, one request after the other."""
    return int(max(0, row.passages - row.filled) * row.passage_s) if row.state not in (ChangeState.READY,) else 0


def duration(seconds: float) -> str:
    """Return a time for people: 40 seconds, 12 minutes, 3.5 hours."""
    if seconds < 90:
        return f"{round(seconds)} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def bytes_needed(row: EmbeddingChange) -> int:
    """Return the bytes of the new index's vectors and of their cache: 2 and 4 bytes a number."""
    return row.passages * row.dimensions * 6


def share_above_limit(row: EmbeddingChange) -> float:
    return row.sample_split / row.sample if row.sample else 0.0


def fill_job(row: EmbeddingChange) -> Job | None:
    return Job.objects.filter(kind__in=(FILL, DROP), subject=str(row.pk), state__in=OPEN).order_by("-created").first()


def change_describe(row: EmbeddingChange) -> dict[str, Any]:
    """Return a change for scripts."""
    now = row.switched or row.completed or row.ended or timezone.now()
    return {
        "id": str(row.pk),
        "state": row.state,
        "url": row.url or "REFDESK_EMBEDDINGS_URL",
        "model": row.model,
        "dimensions": row.dimensions,
        "max_tokens": row.max_tokens,
        "passages": row.passages,
        "tokens": row.tokens,
        "bytes": bytes_needed(row),
        "sample": row.sample,
        "above_limit": round(share_above_limit(row), 3),
        "seconds_per_passage": round(row.passage_s, 4),
        "seconds_left": seconds_left(row),
        "filled": row.filled,
        "percent": percent_filled(row),
        "seconds_passed": round((now - row.started).total_seconds()) if row.started else 0,
        "error": row.error_code or None,
    }
