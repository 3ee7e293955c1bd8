"""Make exports in one pass, straight into the store, where an export appears only when it is complete."""

import logging
import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from app.accounts.models import User
from app.errors import Upstream
from app.jobs.active_job import ActiveJob
from app.jobs.leases import LeaseLost
from app.lib.storage import ObjectMissing, exports_storage, storage
from app.lib.tenancy import everything_visible
from app.library.models import Document
from app.privacy.archive.contents import files_of, organisation_pieces, person_pieces
from app.privacy.archive.writing import ArchiveWriter, PulledStream
from app.privacy.choices import ExportKind, RequestState
from app.privacy.models import Export

log = logging.getLogger(__name__)

Counts = dict[str, int]

# An export being made has a file that no row names yet; after an hour such a file counts as left over.
LEFT_OVER_S = 3600.0


@contextmanager
def snapshot() -> Iterator[None]:
    """Read everything inside as it was at one moment; nothing is written."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def organisation_archive(
    organisation: UUID, *, conversations: bool, job: ActiveJob | None = None, counts: Counts | None = None
) -> Iterator[bytes]:
    """Yield the bytes of an organisation's archive: rows first, then files. counts: is given the rows of each table."""
    writer = ArchiveWriter(kind="organisation", version=settings.VERSION, counts=counts)
    pieces = organisation_pieces(writer, organisation, conversations=conversations)
    yield from _counted(pieces, job)
    total = Document.objects.filter(organisation=organisation).count()
    missing = []
    for number, (part, key) in enumerate(files_of(organisation)):
        if job is not None:
            job.check()
            job.progress("files", number / max(1, total))
        try:
            with storage().open(key) as file:
                yield from writer.file(part, file)
        except ObjectMissing:
            missing.append(part)
    yield from writer.end(conversations=conversations, missing_files=missing)


def person_archive(
    user: User,
    organisation: UUID | None,
    *,
    conversations: bool,
    job: ActiveJob | None = None,
    counts: Counts | None = None,
) -> Iterator[bytes]:
    """Yield the bytes of a person's archive: what one organisation holds of them, or the whole box."""
    writer = ArchiveWriter(kind="person", version=settings.VERSION, counts=counts)
    pieces = person_pieces(writer, user, organisation, conversations=conversations)
    yield from _counted(pieces, job)
    yield from writer.end(conversations=conversations)


def archive_of(export: Export, job: ActiveJob, counts: Counts) -> Iterator[bytes]:
    shared: dict[str, Any] = {"conversations": export.conversations, "job": job, "counts": counts}
    if export.kind == ExportKind.ORGANISATION:
        return organisation_archive(export.organisation_id, **shared)
    assert export.person is not None
    within = export.organisation_id if export.kind == ExportKind.PERSON else None
    return person_archive(export.person, within, **shared)


def _counted(pieces: Iterator[bytes], job: ActiveJob | None) -> Iterator[bytes]:
    """Report progress. The number of pieces is unknown, so each 100 kB covers 1 % of what is left."""
    done = 0.0
    for piece in pieces:
        if job is not None:
            job.check()
            job.progress("rows", done)
            done += (1 - done) * min(1.0, len(piece) / 10_000_000)
        yield piece


def export_make(job: ActiveJob) -> None:
    """Make the export of a job, straight into the store.

    Raises:
        LeaseLost, Stopped: another worker goes on with the job, or nobody does.
        RefdeskError: disk_full, storage_unavailable.
    """
    row = Export.objects.select_related("person").filter(pk=job.subject).first()
    if row is None:
        raise LeaseLost
    counts: Counts = {}
    # The account's data is in several organisations; every other export sees its own organisation alone.
    seen = everything_visible() if row.kind == ExportKind.ACCOUNT else nullcontext()
    with seen, closing(in_snapshot(archive_of(row, job, counts))) as pieces:
        stream = cast(BinaryIO, PulledStream(pieces))
        with exports_storage().stage(stream, organisation=row.organisation_id) as received:
            job.check()
            job.progress("keep")
            whole: dict[str, Any] = {"storage_key": received.key, "bytes": received.bytes, "sha256": received.sha256}
            # The file is there before its row names it. After a kill in between, `exports_tidy` removes the file.
            with job.done():
                Export.objects.filter(pk=row.pk).update(**whole, counts=counts)
                received.commit()


def in_snapshot(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    with snapshot():
        yield from pieces


def exports_expire(*, organisation: UUID) -> int:
    """Remove an organisation's expired exports with their files; return how many."""
    expired = list(
        Export.objects.filter(organisation=organisation, expires__lte=Now()).values_list("pk", "storage_key")
    )
    for pk, key in expired:
        Export.objects.filter(pk=pk).delete()
        if key:
            export_file_forget(key)
    return len(expired)


def export_file_forget(key: str) -> None:
    """Remove the file of a deleted export. When the store is unavailable, `exports_tidy` removes it later."""
    try:
        exports_storage().delete(key)
    except Upstream as error:
        log.warning("the file of an export stays for now: %s", error)


def exports_tidy(*, older_than_s: float = LEFT_OVER_S) -> dict[str, int]:
    """Remove files that no export names, and mark exports without their file as failed; return how many."""
    left = exports_left_over(older_than_s=older_than_s)
    for key in left:
        exports_storage().delete(key)
    missing = exports_missing()
    ready = Export.objects.filter(pk__in=missing, state=RequestState.DONE)
    ready.update(state=RequestState.FAILED, error_code="file_missing", updated=Now())
    exports_storage().purge_staging(older_than_s=older_than_s)
    return {"exports_left_over": len(left), "exports_missing": len(missing)}


def exports_left_over(*, older_than_s: float = LEFT_OVER_S) -> list[str]:
    """Return keys of files that no export names and that are older than so many seconds."""
    old = [one.key for one in exports_storage().objects() if time.time() - one.modified > older_than_s]
    named = set(Export.objects.filter(storage_key__in=old).values_list("storage_key", flat=True))
    return [key for key in old if key not in named]


def exports_missing() -> list[UUID]:
    """Return ids of exports that are said to be there and whose file is not."""
    rows = Export.objects.filter(state=RequestState.DONE, expires__gt=Now()).values_list("pk", "storage_key")
    return [pk for pk, key in rows if not exports_storage().exists(key)]


def archive_write(pieces: Iterator[bytes], path: Path) -> int:
    """Write an archive to a file, which appears only when it is complete; return its size in bytes."""
    size, draft = 0, path.with_name(path.name + ".part")
    try:
        # Readable by its owner only: it holds as much as the database.
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with closing(in_snapshot(pieces)) as found, draft.open("wb") as file:
            for piece in found:
                size += file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return size
