"""Exports: made by a worker in one go, straight into the store, and there only when whole."""

import contextlib
import logging
import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from app.accounts.models import User
from app.errors import RefdeskError, Upstream
from app.lib.storage import ObjectMissing, exports_storage, storage
from app.library.models import Document
from app.library.pipeline.jobs import DEATHS, LeaseLost
from app.privacy.archive.contents import documents_with_files, organisation_pieces, person_pieces
from app.privacy.archive.writing import ArchiveWriter, PulledStream, file_part
from app.privacy.choices import ExportKind, WorkState
from app.privacy.duties import ActiveJob, fenced, holding, work_fail, work_take, work_wait
from app.privacy.models import Export

log = logging.getLogger(__name__)

Counts = dict[str, int]

WAIT_S = 30.0
# An hour of a store that does not answer.
STORE_ATTEMPTS = 120
# A file in the store that no row names may be one that is just being made; beyond an hour it is left over.
LEFT_OVER_S = 3600.0


@contextmanager
def snapshot() -> Iterator[None]:
    """Everything inside is read as it was at one moment, and nothing is written."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def organisation_archive(
    organisation: UUID, *, conversations: bool, held: ActiveJob | None = None, counts: Counts | None = None
) -> Iterator[bytes]:
    """The bytes of an organisation's archive: rows first, then files. counts: is given the rows of each table."""
    writer = ArchiveWriter(kind="organisation", version=settings.VERSION, counts=counts)
    pieces = organisation_pieces(writer, organisation, conversations=conversations)
    yield from _counted(pieces, held, first=0, last=30)
    total = Document.objects.filter(organisation=organisation).count()
    missing = []
    for number, (sha256, name, key) in enumerate(documents_with_files(organisation)):
        if held is not None:
            held.check()
            held.percent = 30 + 69 * number // max(1, total)
        try:
            with storage().open(key) as file:
                yield from writer.file(file_part(sha256, name), file)
        except ObjectMissing:
            missing.append(file_part(sha256, name))
    yield from writer.end(conversations=conversations, missing_files=missing)


def person_archive(
    user: User,
    organisation: UUID | None,
    *,
    conversations: bool,
    held: ActiveJob | None = None,
    counts: Counts | None = None,
) -> Iterator[bytes]:
    """The bytes of a person's archive: what one organisation holds of them, or the whole box."""
    writer = ArchiveWriter(kind="person", version=settings.VERSION, counts=counts)
    pieces = person_pieces(writer, user, organisation, conversations=conversations)
    yield from _counted(pieces, held, first=0, last=95)
    yield from writer.end(conversations=conversations)


def archive_of(export: Export, held: ActiveJob, counts: Counts) -> Iterator[bytes]:
    shared: dict[str, Any] = {"conversations": export.conversations, "held": held, "counts": counts}
    if export.kind == ExportKind.ORGANISATION:
        return organisation_archive(export.organisation_id, **shared)
    assert export.person is not None
    within = export.organisation_id if export.kind == ExportKind.PERSON else None
    return person_archive(export.person, within, **shared)


def _counted(pieces: Iterator[bytes], held: ActiveJob | None, *, first: int, last: int) -> Iterator[bytes]:
    """How many pieces there will be is not known: each tenth of what is left of the way takes as long as the last."""
    done = 0.0
    for piece in pieces:
        if held is not None:
            held.check()
            done += (1 - done) * min(1.0, len(piece) / 10_000_000)
            held.percent = first + int((last - first) * done)
        yield piece


def export_run_next() -> bool:
    """Make the next export; False when none waits."""
    row = work_take(Export)
    if row is None:
        return False
    if row.deaths >= DEATHS:
        with contextlib.suppress(LeaseLost):
            work_fail(row, "worker_died")
        return True
    with holding(row) as held:
        try:
            _make(row, held)
        except LeaseLost:
            log.info("export %s is not ours any more", row.pk)
        except Exception as error:  # the boundary of a piece of work: whatever it is, the row says so
            with contextlib.suppress(LeaseLost):
                _ended(row, error)
    return True


def _ended(row: Export, error: Exception) -> None:
    if isinstance(error, RefdeskError) and error.code == "disk_full":
        work_fail(row, error.code)
    elif isinstance(error, Upstream) and row.attempt < STORE_ATTEMPTS:
        work_wait(row, error.code, WAIT_S)
    elif isinstance(error, Upstream):
        work_fail(row, error.code)
    elif row.attempt < DEATHS:
        # The text of an unexpected error may hold a document's words: only its kind goes to the log.
        log.warning("export %s: %s", row.pk, type(error).__name__)
        work_wait(row, "internal", WAIT_S)
    else:
        work_fail(row, "internal")


def _make(row: Export, held: ActiveJob) -> None:
    row = Export.objects.select_related("person").get(pk=row.pk)
    counts: Counts = {}
    with closing(in_snapshot(archive_of(row, held, counts))) as pieces:
        stream = cast(BinaryIO, PulledStream(pieces))
        with exports_storage().receive(stream, organisation=row.organisation_id) as received:
            held.check()
            whole: dict[str, Any] = {"storage_key": received.key, "bytes": received.bytes, "sha256": received.sha256}
            whole["counts"] = counts
            # The file is there before the row says so. Killed in between, it goes with the next tidying.
            with fenced(row, state=WorkState.DONE, percent=100, error_code="", lease_until=None, **whole):
                received.keep()


def in_snapshot(pieces: Iterator[bytes]) -> Generator[bytes, None, None]:
    with snapshot():
        yield from pieces


def exports_expire(*, organisation: UUID) -> int:
    """Remove an organisation's exports that have expired, with their files; how many."""
    expired = list(
        Export.objects.filter(organisation=organisation, expires__lte=Now()).values_list("pk", "storage_key")
    )
    for pk, key in expired:
        Export.objects.filter(pk=pk).delete()
        if key:
            export_file_forget(key)
    return len(expired)


def export_file_forget(key: str) -> None:
    """Remove the file of an export whose row is gone. While the store is away it stays, for the next tidying."""
    try:
        exports_storage().delete(key)
    except Upstream as error:
        log.warning("the file of an export stays for now: %s", error)


def exports_tidy(*, older_than_s: float = LEFT_OVER_S) -> dict[str, int]:
    """Remove files that no export names, and let exports whose file is gone say so; how many."""
    left = exports_left_over(older_than_s=older_than_s)
    for key in left:
        exports_storage().delete(key)
    missing = exports_missing()
    ready = Export.objects.filter(pk__in=missing, state=WorkState.DONE)
    ready.update(state=WorkState.FAILED, error_code="file_missing", updated=Now())
    exports_storage().incoming_clear(older_than_s=older_than_s)
    return {"exports_left_over": len(left), "exports_missing": len(missing)}


def exports_left_over(*, older_than_s: float = LEFT_OVER_S) -> list[str]:
    """Keys of files that no export names and that are older than so many seconds."""
    old = [one.key for one in exports_storage().objects() if time.time() - one.modified > older_than_s]
    named = set(Export.objects.filter(storage_key__in=old).values_list("storage_key", flat=True))
    return [key for key in old if key not in named]


def exports_missing() -> list[UUID]:
    """Ids of exports that are said to be there and whose file is not."""
    rows = Export.objects.filter(state=WorkState.DONE, expires__gt=Now()).values_list("pk", "storage_key")
    return [pk for pk, key in rows if not exports_storage().exists(key)]


def archive_write(pieces: Iterator[bytes], path: Path) -> int:
    """Write an archive to a file, which is there only when it is whole; its bytes."""
    size, draft = 0, path.with_name(path.name + ".part")
    try:
        # Only who may read the database may read this.
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
