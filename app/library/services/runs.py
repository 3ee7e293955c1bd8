from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from app.audit.trail import audit_record
from app.errors import Conflict, RefdeskError
from app.jobs.services import job_create, jobs_cancel
from app.library.choices import OPEN_RUNS, RunState
from app.library.connectors.registry import connector_class
from app.library.models import Run, Source

SOURCE_RUN = "source_run"


@transaction.atomic
def run_start(*, organisation: UUID, source: Source) -> Run:
    """Queue a run of a source, and return it; if the source has an open run, return that one.

    Raises:
        RefdeskError: nothing_to_read, when documents are sent to the source.
    """
    if not connector_class(source.kind).discovers:
        raise RefdeskError("nothing_to_read", details={"kind": source.kind})
    # Locked until the end of the transaction: the second of two calls finds the run of the first.
    Source.objects.select_for_update(no_key=True).get(organisation=organisation, pk=source.pk)
    run = Run.objects.filter(organisation=organisation, source=source, state__in=OPEN_RUNS).first()
    if run is not None:
        return run
    run = Run.objects.create(organisation_id=organisation, source=source)
    run.job = job_create(kind=SOURCE_RUN, organisation=organisation, subject=source.pk, key=str(run.pk))
    run.save(update_fields=["job"])
    _audit(run, "source.run_start")
    return run


@transaction.atomic
def run_cancel(*, run: Run) -> None:
    """Stop a run; the documents that it has read stay.

    Raises:
        Conflict: the run has ended.
    """
    if run.job is not None:
        jobs_cancel(organisation=run.organisation_id, job=run.job)
    changed = Run.objects.filter(pk=run.pk, state__in=OPEN_RUNS).update(
        state=RunState.CANCELLED, error_code="cancelled", ended=Now()
    )
    if not changed:
        raise Conflict(message="This run has ended.")
    _audit(run, "source.run_cancel")


def _audit(run: Run, action: str) -> None:
    audit_record(
        organisation=run.organisation_id,
        action=action,
        target_kind="source",
        target=str(run.source_id),
        target_name=run.source.name,
    )
