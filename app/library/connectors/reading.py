"""Read a source once, and compare the items of its connector with the stored documents.

Each item is recorded when it is done, so a run that was cut short continues after it. Storing an item a second time
changes nothing, since its bytes are the same.
"""

from typing import Any

from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from app.audit.trail import audit_record
from app.errors import RefdeskError, Upstream
from app.jobs.active_job import ActiveJob
from app.library.choices import FAILURES, SKIPPED, Outcome, RunState, VersionState
from app.library.connectors.protocol import (
    Checkpoint,
    Complete,
    Connector,
    Cursor,
    Gone,
    Item,
    ItemError,
    NotModified,
    Skipped,
    Validators,
)
from app.library.connectors.registry import connector_open
from app.library.models import URL_LENGTH, Document, Run, RunItem, Source
from app.library.services.documents import document_delete
from app.library.services.intake import PutOutcome, document_put

READ, REMOVE = "read", "remove"
# The total of items is unknown: after this many the progress bar stands at half.
HALF_WAY = 100


def run_read(*, run: Run, job: ActiveJob) -> None:
    """Read the source of a run to its end, and end its job.

    Raises:
        LeaseLost, Stopped: another worker goes on with the job, or nobody does.
        RefdeskError: the source cannot be read.
    """
    Reading(run, job).read()


class Reading:
    """One run of one source."""

    def __init__(self, run: Run, job: ActiveJob) -> None:
        self.run, self.job = run, job
        self.source: Source = run.source
        self.connector: Connector = connector_open(run.source)
        self.cursor: Cursor = run.cursor if run.cursor is not None else run.source.cursor
        self.seen = run.seen

    def read(self) -> None:
        self.job.progress(READ)
        complete = False
        for discovery in self.connector.discover(self.cursor):
            self.job.check()
            if isinstance(discovery, Complete):
                complete = True
            elif isinstance(discovery, Checkpoint):
                self._checkpoint(discovery.cursor)
            elif not RunItem.objects.filter(run=self.run, external_id=discovery.external_id).exists():
                self._take(discovery)
        if complete:
            self._remove_unnamed()
        self._end()

    def _take(self, discovery: Item | Skipped | Gone) -> None:
        if isinstance(discovery, Skipped):
            self._record(discovery.external_id, discovery.outcome, url=discovery.url, detail=discovery.detail)
        elif isinstance(discovery, Gone):
            for document in self._documents(external_id=discovery.external_id):
                self._remove(document)
        else:
            self._put(discovery)

    def _put(self, item: Item) -> None:
        details: dict[str, Any] = {}
        try:
            with self.connector.fetch(item, self._validators(item)) as content:
                result = document_put(
                    organisation=self.source.organisation_id,
                    source=self.source,
                    item=item,
                    content=content,
                    audited=False,
                )
            outcome = Outcome.UNCHANGED if result.outcome == PutOutcome.UNCHANGED else Outcome.READ
            details["document"] = result.document
        except NotModified:
            outcome = Outcome.UNCHANGED
            details["document"] = self._documents(external_id=item.external_id).first()
        except ItemError as error:
            outcome, details = error.outcome, {"detail": error.detail, "status": error.status}
        except RefdeskError as error:
            # A full disk or an unavailable server is not the item's fault: the job waits.
            if isinstance(error, Upstream) or error.code == "disk_full":
                raise
            outcome = Outcome.TOO_LARGE if error.code == "file_too_large" else Outcome.FAILED
            details["detail"] = error.message
        self._record(item.external_id, outcome, url=item.url, **details)

    def _documents(self, **which: Any) -> Any:
        return Document.objects.filter(organisation=self.source.organisation_id, source=self.source, **which)

    def _validators(self, item: Item) -> Validators:
        """Return the validators of an item; empty, so that it is fetched again, if its newest version is not active."""
        document = self._documents(external_id=item.external_id).select_related("active_version").first()
        version = document.active_version if document is not None else None
        if document is None or version is None or version.number != document.version:
            return Validators()
        assert version.state == VersionState.ACTIVE
        return Validators(version.etag, version.last_modified)

    def _record(
        self,
        external_id: str,
        outcome: Outcome,
        *,
        url: str = "",
        detail: str = "",
        status: int | None = None,
        document: Document | None = None,
    ) -> None:
        """Record the outcome of an item, and keep the job's lease."""
        column = "skipped" if outcome in SKIPPED else "failed" if outcome in FAILURES else str(outcome)
        with self.job.keep():
            RunItem.objects.create(
                organisation_id=self.source.organisation_id,
                run=self.run,
                external_id=external_id,
                url=url[:URL_LENGTH],
                outcome=outcome,
                status=status,
                detail=detail[:500],
                document=document,
            )
            Run.objects.filter(pk=self.run.pk).update(seen=F("seen") + 1, **{column: F(column) + 1})
        self.seen += 1
        self.job.progress(READ, self.seen / (self.seen + HALF_WAY))

    def _checkpoint(self, cursor: Cursor) -> None:
        self.cursor = cursor
        with self.job.keep():
            Run.objects.filter(pk=self.run.pk).update(cursor=cursor)

    def _remove_unnamed(self) -> None:
        """Remove the documents that the source no longer has.

        Items that could not be fetched stay; items that were left out on purpose are removed.
        """
        named = RunItem.objects.filter(run=self.run, external_id=OuterRef("external_id")).exclude(outcome__in=SKIPPED)
        if not self.seen and self._documents().exists():
            raise RefdeskError("source_empty")
        self.job.progress(REMOVE)
        # Files inside a document are not listed by the source.
        for document in self._documents(parent=None).filter(~Exists(named)).order_by("pk").iterator(chunk_size=500):
            self.job.check()
            self._remove(document)

    def _remove(self, document: Document) -> None:
        document_delete(organisation=document.organisation_id, document=document.pk)
        items = RunItem.objects.filter(run=self.run, external_id=document.external_id)
        if not items.exists():
            self._record(document.external_id, Outcome.REMOVED, url=document.url)
            return
        # The listing has it as skipped now, and a document from an earlier run is there.
        with self.job.keep():
            items.update(outcome=Outcome.REMOVED)
            Run.objects.filter(pk=self.run.pk).update(skipped=F("skipped") - 1, removed=F("removed") + 1)

    def _end(self) -> None:
        with self.job.done():
            Run.objects.filter(pk=self.run.pk).update(state=RunState.DONE, ended=Now())
            Source.objects.filter(pk=self.source.pk).update(cursor=self.cursor)
            counts = Run.objects.values("seen", "read", "unchanged", "removed", "skipped", "failed").get(pk=self.run.pk)
            audit_record(
                organisation=self.source.organisation_id,
                action="source.run",
                target_kind="source",
                target=str(self.source.pk),
                target_name=self.source.name,
                after=counts,
            )
