"""Change the embedding model without an outage: measure, start, pause, resume, switch, drop or abandon.

A second index is filled in the background (app/library/jobs/embedding_fill.py), while each new and deleted version is
written to both. The switch is one transaction. Whoever calls these is an operator.
"""

import math
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from app.audit.trail import audit_record
from app.errors import Conflict, Invalid, NotFound
from app.jobs.services import jobs_cancel
from app.lib.advisory_lock import INDEXES, lock_for_transaction
from app.lib.tenancy import everything_visible
from app.library.choices import VersionState
from app.library.models import Chunk
from app.library.pipeline.vectors import long_texts_embed, texts_above
from app.library.services.jobs import DROP, FILL, drop_job_create, fill_job_create
from app.llm.choices import BEFORE_SWITCH, TWO_INDEXES, ChangeState
from app.llm.embedding_choice import DROP_AFTER_S, embedding_choice_forget
from app.llm.embeddings import PROBES, EmbeddingsClient, embeddings_endpoint, vector_numbers
from app.llm.endpoint import Endpoint
from app.llm.models import EmbeddingChange
from app.llm.models_kept import CREDENTIAL, models_kept
from app.secrets.services import secret_set

SAMPLE, SAMPLE_PART, SAMPLE_S = 32, 4, 10.0
# The old index stays so long after a switch, unless an operator drops it.
OLD_INDEX_KEPT = timedelta(days=1)
SAME_VECTOR = 0.99


def passages_in_use() -> QuerySet[Chunk]:
    """Return the passages of active versions, of all organisations."""
    return Chunk.objects.filter(version__state=VersionState.ACTIVE)


@everything_visible()
def change_measure(*, url: str = "", model: str = "", api_key: str = "") -> EmbeddingChange:
    """Measure another model with a sample of the passages, and store what a change to it costs.

    Args:
        url: an OpenAI-compatible server, ending in /v1; empty: the one of REFDESK_EMBEDDINGS_URL.
        model: empty: the server's first.

    Raises:
        Invalid: the address cannot be used, or it is the model in use.
        Upstream: embeddings_unavailable.
        RefdeskError: secrets_key_missing.
    """
    url = url.strip().rstrip("/")
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        raise Invalid(message="The address must begin with http:// or https://.")
    endpoint = Endpoint(url, model.strip(), api_key) if url else embeddings_endpoint()
    client = EmbeddingsClient(endpoint)
    space = client.space()
    _same_name_check(client)
    counts = passages_in_use().aggregate(tokens=Coalesce(Sum("tokens"), 0))
    row = EmbeddingChange(
        url=url,
        model=space.model,
        dimensions=space.dimensions,
        max_tokens=space.max_tokens,
        unrelated=space.unrelated,
        passages=passages_in_use().count(),
        tokens=counts["tokens"],
    )
    row.sample, row.sample_split, row.passage_s = _sample_embed(client)
    with transaction.atomic():
        if url and api_key:
            row.credential = secret_set(organisation=None, purpose=CREDENTIAL, label=str(row), value=api_key)
        row.save()
        _audit(row, "embedding.measure")
    return row


def _same_name_check(client: EmbeddingsClient) -> None:
    """Refuse a model that has the name and the size of the one in use, and makes other vectors. Raises Invalid."""
    space, in_use = client.space(), models_kept().in_use
    if (space.model, space.dimensions) != (in_use.space.model, in_use.space.dimensions):
        return
    ours, theirs = in_use.client.embed_documents(PROBES[:1])[0], client.embed_documents(PROBES[:1])[0]
    first, second = vector_numbers(ours), vector_numbers(theirs)
    cosine = sum(a * b for a, b in zip(first, second, strict=True)) / (math.hypot(*first) * math.hypot(*second) or 1.0)
    if cosine < SAME_VECTOR:
        raise Invalid(
            message="This server gives the name of the model in use to another model. Serve it under another name."
        )


def _sample_embed(client: EmbeddingsClient) -> tuple[int, int, float]:
    """Embed some passages; return their number, how many are above the model's limit, and the seconds for one."""
    # Ids of passages are spread evenly, so that a random one begins a random sample.
    texts = list(passages_in_use().filter(pk__gte=uuid4()).order_by("pk").values_list("embed_text", flat=True)[:SAMPLE])
    if len(texts) < SAMPLE:
        texts = list(passages_in_use().order_by("pk").values_list("embed_text", flat=True)[:SAMPLE])
    done, begun = 0, time.perf_counter()
    while done < len(texts) and time.perf_counter() - begun < SAMPLE_S:
        done += len(long_texts_embed(client, texts[done : done + SAMPLE_PART]))
    passed = time.perf_counter() - begun
    return done, texts_above(client.space(), texts[:done]), passed / done if done else 0.0


@everything_visible()
@transaction.atomic
def change_start(*, change: UUID) -> EmbeddingChange:
    """Begin to fill the second index; from now on each version is written to both.

    Raises:
        NotFound, Conflict: another change has two indexes still, or this one has begun.
        Upstream: embeddings_unavailable.
    """
    in_use = models_kept().in_use.space
    lock_for_transaction(INDEXES)
    row = _locked(change, ChangeState.MEASURED)
    if EmbeddingChange.objects.filter(state__in=TWO_INDEXES).exists():
        raise Conflict(message="Another change is not at its end: switch and drop its old index, or abandon it.")
    EmbeddingChange.objects.filter(state=ChangeState.MEASURED).exclude(pk=change).update(
        state=ChangeState.ABANDONED, ended=Now()
    )
    _set(
        row,
        state=ChangeState.FILLING,
        started=Now(),
        old_model=in_use.model,
        old_dimensions=in_use.dimensions,
        passages=passages_in_use().count(),
    )
    fill_job_create(change=change)
    _audit(row, "embedding.start")
    return row


@everything_visible()
@transaction.atomic
def change_pause(*, change: UUID) -> EmbeddingChange:
    """Stop filling; new versions are still written to both. Raises NotFound, Conflict."""
    row = _locked(change, ChangeState.FILLING)
    _set(row, state=ChangeState.PAUSED)
    jobs_cancel(organisation=None, kind=FILL, key=FILL)
    _audit(row, "embedding.pause")
    return row


@everything_visible()
@transaction.atomic
def change_resume(*, change: UUID) -> EmbeddingChange:
    """Go on filling where it was paused. Raises NotFound, Conflict."""
    row = _locked(change, ChangeState.PAUSED)
    _set(row, state=ChangeState.FILLING, error_code="", error_message="")
    fill_job_create(change=change)
    _audit(row, "embedding.resume")
    return row


@everything_visible()
def change_switch(*, change: UUID) -> EmbeddingChange:
    """Search with the new model from now on; every process follows within FOLLOW_S.

    Raises:
        NotFound, Conflict: the new index is not complete.
        Upstream: embeddings_unavailable: the new model does not answer.
    """
    kept = models_kept()
    if kept.change == change and kept.aside is not None:
        kept.aside.client.embed_documents(PROBES[:1])
    with transaction.atomic():
        lock_for_transaction(INDEXES)
        row = _locked(change, ChangeState.READY)
        if row.behind:
            raise Conflict(message="The new index is not complete yet.")
        _set(row, state=ChangeState.SWITCHED, switched=Now())
        drop_job_create(change=change, delay=OLD_INDEX_KEPT)
        _audit(row, "embedding.switch")
    embedding_choice_forget()
    return row


@everything_visible()
@transaction.atomic
def change_drop(*, change: UUID) -> EmbeddingChange:
    """Drop the old index now: as soon as no process can search it any more. Raises NotFound, Conflict."""
    row = _locked(change, ChangeState.SWITCHED)
    jobs_cancel(organisation=None, kind=DROP, key=str(change))
    drop_job_create(change=change, delay=drop_delay(row))
    _audit(row, "embedding.drop")
    return row


def drop_delay(row: EmbeddingChange) -> timedelta:
    """Return the time until every process has followed the switch."""
    if row.switched is None:
        return timedelta(0)
    return max(timedelta(0), row.switched + timedelta(seconds=DROP_AFTER_S) - timezone.now())


@everything_visible()
@transaction.atomic
def change_abandon(*, change: UUID) -> EmbeddingChange:
    """Give a change up before its switch, and delete its index. Raises NotFound, Conflict."""
    lock_for_transaction(INDEXES)
    row = _locked(change, ChangeState.MEASURED, *BEFORE_SWITCH)
    began = row.state != ChangeState.MEASURED
    _set(row, state=ChangeState.ABANDONED, ended=Now())
    if began:
        jobs_cancel(organisation=None, kind=FILL, key=FILL)
        drop_job_create(change=change, delay=timedelta(0))
    _audit(row, "embedding.abandon")
    return row


@everything_visible()
@transaction.atomic
def change_key_set(*, change: UUID, api_key: str) -> EmbeddingChange:
    """Replace the API key of a change's server. Raises NotFound, Invalid."""
    row = _locked(change, *ChangeState)
    if not row.url:
        raise Invalid(message="The key of this server is in REFDESK_EMBEDDINGS_API_KEY.")
    credential = secret_set(
        organisation=None, purpose=CREDENTIAL, label=str(row), value=api_key, secret=row.credential_id
    )
    _set(row, credential=credential, updated=Now())
    return row


def _locked(change: UUID, *states: ChangeState) -> EmbeddingChange:
    row = EmbeddingChange.objects.select_for_update().filter(pk=change).first()
    if row is None:
        raise NotFound(message="There is no such change.")
    if row.state not in states:
        raise Conflict(message=f"This change is {ChangeState(row.state).label.lower()}.")
    return row


def _set(row: EmbeddingChange, **values: Any) -> None:
    EmbeddingChange.objects.filter(pk=row.pk).update(**values)
    row.refresh_from_db()


def _audit(row: EmbeddingChange, action: str) -> None:
    facts = {"model": row.model, "dimensions": row.dimensions, "passages": row.passages}
    audit_record(
        organisation=None, action=action, target_kind="embedding", target=str(row.pk), target_name=str(row), after=facts
    )
