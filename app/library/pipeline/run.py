"""One job from its lease to its end, whatever happens on the way."""

import errno
import logging
import time
from collections.abc import Callable
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction

from app.accounts.models import Organisation
from app.errors import RefdeskError, Upstream
from app.lib.storage import storage
from app.lib.tenancy import everything_visible, organisations_visible
from app.library.choices import Step, VersionState
from app.library.events import document_publish, documents_publish
from app.library.models import Document, DocumentVersion, Job
from app.library.page_previews import pictures_forget
from app.library.pipeline.context import Stopped, work_load
from app.library.pipeline.job_choices import JobKind
from app.library.pipeline.jobs import (
    DEATHS,
    OPEN,
    Lease,
    LeaseLost,
    delete_job_create,
    job_done,
    job_fail,
    job_release,
    job_wait,
    lease_take,
)
from app.library.pipeline.lease_renewal import ActiveJob, leases
from app.library.pipeline.steps import STEPS
from app.library.uploads import object_lock
from app.llm.embeddings import embeddings_client
from app.retrieval.index_loader import index_writer

log = logging.getLogger(__name__)

# How long a worker keeps trying to say how a job ended while the database is away; then the lease runs out.
SAY_S = 60.0
_KEPT = (Step.EMBED, Step.INDEX)


def job_run(*, job: UUID) -> bool:
    """Do a job if it is free; False when it is not, so that a message that comes twice does no harm."""
    with everything_visible():
        lease = lease_take(job=job)
    if lease is None:
        return False
    with organisations_visible(lease.organisation):
        _lease_use(lease)
    return True


def _lease_use(lease: Lease) -> None:
    ready: Document | None = None
    if lease.deaths >= DEATHS:
        _say(lambda: _fail(lease, "worker_died"))
    else:
        with leases.hold(lease) as held:
            ready = _run(held)
    if ready is not None:
        document_publish(ready)
    elif lease.document is not None:
        documents_publish(documents=[lease.document])


def _run(held: ActiveJob) -> Document | None:
    """The document when it is ready."""
    lease = held.lease
    try:
        if lease.kind == JobKind.INGEST:
            return _ingest(held)
        _delete(lease)
    except LeaseLost:
        _clean_after(lease)
    except Stopped:
        _stopped(held)
    except Exception as error:  # the boundary of a job: whatever it is, the document says so
        _ended(held, error)
    return None


def _ended(held: ActiveJob, error: Exception) -> None:
    """A server that is away, or a full disk, is waited for; anything else is the file's end."""
    lease = held.lease
    waits = _waits_for(error)
    if waits:
        log.warning("job %s waits: %s", lease.job, waits)
        _say(lambda: job_wait(lease, code=waits))
    elif isinstance(error, RefdeskError):
        code, message = error.code, error.message
        if code == "cancelled":
            _stopped(held)
        else:
            _say(lambda: _fail(lease, code, message))
    else:
        log.error("job %s failed", lease.job, exc_info=error)
        _say(lambda: _fail(lease, "internal"))


def _waits_for(error: Exception) -> str:
    """The code of what is waited for; nothing when waiting cannot help."""
    if isinstance(error, Upstream) or (isinstance(error, RefdeskError) and error.code == "disk_full"):
        return error.code
    if isinstance(error, OperationalError | InterfaceError):
        return "database_unavailable"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    return ""


def _ingest(held: ActiveJob) -> Document:
    space = embeddings_client().space()
    work = work_load(held, space, index_writer(space))
    resumed = held.lease.step in _KEPT and work.row.chunks > 0 and work.row.embedding_model == space.model
    with work.files:
        for step, do in STEPS:
            if resumed and step not in _KEPT:
                continue
            work.check()
            held.progress(step)
            do(work)
    return work.document


def _delete(lease: Lease) -> None:
    """Remove the vectors of versions, then objects that no row names."""
    writer = index_writer(embeddings_client().space())
    for version in lease.targets.get("versions", ()):
        writer.points_delete_version(organisation=str(lease.organisation), version=version)
    for key in lease.targets.get("objects", ()):
        object_delete_unnamed(key=key)
    job_done(lease)


def object_delete_unnamed(*, key: str) -> bool:
    """Delete an object unless a row names it; True when it was deleted."""
    # The same bytes of another organisation are another object, but what a row names must stay whoever asks.
    with everything_visible(), transaction.atomic():
        object_lock(key)
        if DocumentVersion.objects.filter(storage_key=key).exists():
            return False
        storage().delete(key)
        pictures_forget({key.rpartition("/")[2]})
        return True


def _stopped(held: ActiveJob) -> None:
    """Given back when this worker stops; when a person cancelled it, the row says so already."""
    if held.released:
        _say(lambda: job_release(held.lease))
    else:
        _clean_after(held.lease)


def _fail(lease: Lease, code: str, message: str = "") -> None:
    with transaction.atomic():
        job_fail(lease, code=code, message=message)
        # It may have points already, and only what answers has points (I2).
        if lease.kind == JobKind.INGEST and lease.version is not None:
            _points_delete_later(lease)


def _points_delete_later(lease: Lease) -> None:
    version = DocumentVersion.objects.filter(jobs=lease.job).first()
    if version is not None and version.state != VersionState.ACTIVE and version.chunks:
        delete_job_create(organisation=lease.organisation, versions=[version.id], objects=[])


def _clean_after(lease: Lease) -> None:
    """We may have written points after the version was cancelled or deleted: they go, unless somebody works on it."""
    # Of an organisation that is gone nothing is left to do: its erasure looks for points once more at its end.
    if lease.version is None or not Organisation.objects.filter(pk=lease.organisation).exists():
        return
    version = DocumentVersion.objects.filter(pk=lease.version).first()
    busy = Job.objects.filter(version=lease.version, state__in=OPEN).exists()
    if busy or (version is not None and version.state == VersionState.ACTIVE):
        return
    delete_job_create(organisation=lease.organisation, versions=[lease.version], objects=[])


def _say(write: Callable[[], object]) -> None:
    """Write how a job ended, trying again while the database is away."""
    deadline = time.monotonic() + SAY_S
    while True:
        try:
            write()
            return
        except LeaseLost:
            return
        except (OperationalError, InterfaceError):
            connection.close()
            if leases.stopping or time.monotonic() > deadline:
                raise
            time.sleep(1)
