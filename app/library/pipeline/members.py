"""Make documents of the files inside a file: attachments of a mail, messages of a mailbox, files of an archive.

Each is put under the same source with the id of its holder before its path, in a transaction that the lease of the
holder's ingest guards. Doing it again changes nothing, since the bytes are the same; so a worker that takes over begins
again. A file that cannot be read is a warning of the holder, and hides no other.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO, cast

from django.db import transaction
from django.db.models import Sum

from app.errors import RefdeskError, Upstream
from app.jobs.leases import LeaseLost, Stopped
from app.library.connectors.protocol import Content, Item
from app.library.models import Document, DocumentVersion
from app.library.parsers.blocks import ParseError
from app.library.parsers.limits import DEFAULT
from app.library.pipeline.context import IngestContext
from app.library.pipeline.member_reader import MemberFile, members_read
from app.library.services.documents import document_delete
from app.library.services.intake import document_put
from app.library.services.limits import limits_lock

# Limits for all files inside one outermost document, at every depth: nested small archives can hold any number.
FAMILY_MEMBERS = 10_000
FAMILY_BYTES = 4 * DEFAULT.expanded_bytes
# Warnings of single files are stored with the version.
WARNINGS_SHOWN = 50


def members_put(context: IngestContext) -> None:
    """Put the files inside a version, and remove the documents of files that are no longer in it.

    Raises:
        LeaseLost, Stopped: another worker goes on with the job, or nobody does.
        RefdeskError: the disk is full, or a server is unavailable.
    """
    parsed = context.parsed
    assert parsed is not None
    known = Document.objects.filter(organisation=context.organisation, parent=context.document.pk)
    if not parsed.members and not known.exists():
        return
    warnings: list[str] = []
    if parsed.members and len(_holders(context.document)) >= DEFAULT.member_depth:
        warnings.append("members_too_deep")
    elif (seen := _Putting(context, warnings).run(parsed.media_type)) is not None:
        for document in known.exclude(external_id__in=seen).values_list("pk", flat=True):
            context.check()
            with context.job.keep():
                document_delete(organisation=context.organisation, document=document)
    if len(warnings) > WARNINGS_SHOWN:
        warnings[WARNINGS_SHOWN:] = [f"members_not_read:{len(warnings) - WARNINGS_SHOWN}"]
    context.parsed = replace(parsed, warnings=(*parsed.warnings, *warnings))


def _holders(document: Document) -> list[Document]:
    """Return the documents that a document is inside of, the nearest first."""
    found: list[Document] = []
    while document.parent is not None and len(found) <= DEFAULT.member_depth:
        document = document.parent
        found.append(document)
    return found


class _Putting:
    """The putting of all files inside one version. warnings: those that could not be put are added there."""

    def __init__(self, context: IngestContext, warnings: list[str]) -> None:
        self.context, self.warnings = context, warnings
        self.seen: list[str] = []
        self.count, self.bytes = self._family()

    def run(self, media_type: str) -> list[str] | None:
        """Return the external ids of all files; None when not all were seen."""
        assert self.context.path is not None
        assert self.context.parsed is not None
        if not self.context.parsed.members:
            return []
        stop = self.context.job.stop.is_set
        try:
            for member in self._counted(members_read(self.context.path, media_type, should_stop=stop)):
                self.context.check()
                self._put(member)
        except ParseError as error:
            self.context.check()
            self.warnings.append(f"members_broke_off:{error.code}")
            return None
        return self.seen

    def _counted(self, files: Generator[MemberFile, None, int]) -> Iterator[MemberFile]:
        left_out = yield from files
        if left_out:
            self.warnings.append(f"members_left_out:{left_out}")

    def _put(self, member: MemberFile) -> None:
        holder = self.context.document
        external_id = f"{holder.external_id}/{member.path}"
        self.seen.append(external_id)
        if self.count >= FAMILY_MEMBERS or self.bytes >= FAMILY_BYTES:
            self._warn(member, "file_too_complex")
            return
        try:
            document_put(
                organisation=self.context.organisation,
                source=holder.source,
                item=Item(external_id=external_id, name=member.path),
                content=Content(cast(BinaryIO, member.stream), media_type=member.media_type),
                uploaded_by=holder.uploaded_by_id,
                audited=False,
                parent=holder.pk,
                within=self._guarded,
            )
        except (LeaseLost, Stopped, Upstream):
            raise
        except RefdeskError as error:
            # A full disk is not the file's fault: the job waits. Nor does a child that ended have more files.
            if error.code in ("disk_full", "cancelled") or (isinstance(error, ParseError) and not member.stream.ended):
                raise
            self._warn(member, error.code)
            return
        self.count += 1
        self.bytes += member.stream.size

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Open the transaction of a file. The organisation's limits are locked before the job, as everywhere."""
        with transaction.atomic():
            limits_lock(organisation=self.context.organisation)
            with self.context.job.keep():
                yield

    def _warn(self, member: MemberFile, code: str) -> None:
        self.warnings.append(f"member_not_read:{code}:{member.path}"[:400])

    def _family(self) -> tuple[int, int]:
        """Return how many documents came out of the outermost one, and their bytes, without those made anew here."""
        document = self.context.document
        holders = _holders(document)
        top = holders[-1] if holders else document
        level, count, size = [top.pk], 0, 0
        while level:
            below = Document.objects.filter(organisation=self.context.organisation, parent__in=level)
            level = list(below.exclude(parent=document.pk).values_list("pk", flat=True))
            stored = DocumentVersion.objects.filter(document__in=level).aggregate(all=Sum("bytes"))["all"]
            count, size = count + len(level), size + (stored or 0)
        return count, size
