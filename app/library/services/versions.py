"""Make versions of documents, retire replaced ones, and remove those that no answer cites."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from app.lib.storage import StagedUpload
from app.library.choices import DocumentState, VersionState
from app.library.connectors.protocol import Content
from app.library.models import Chunk, Document, DocumentVersion
from app.library.services.jobs import delete_job_create, ingest_job_create


def version_newest(*, document: Document) -> DocumentVersion:
    """Return the version whose bytes are the document's: the newest that is not retired, else the newest."""
    versions = DocumentVersion.objects.filter(document=document)
    return versions.exclude(state=VersionState.RETIRED).order_by("-number").first() or versions.latest("number")


def version_create(*, document: Document, received: StagedUpload, content: Content) -> DocumentVersion:
    """Make the next version of a document, which is new or locked, from received bytes."""
    return DocumentVersion.objects.create(
        organisation_id=document.organisation_id,
        document=document,
        number=_next_number(document),
        storage_key=received.key,
        sha256=received.sha256,
        bytes=received.bytes,
        media_type=content.media_type[:100],
        etag=content.etag,
        last_modified=content.last_modified,
    )


def version_repeat(*, version: DocumentVersion) -> DocumentVersion:
    """Make the next version of a document, which is locked, from the bytes of an existing version."""
    same = ("storage_key", "sha256", "bytes", "fetched", "etag", "last_modified", "media_type")
    return DocumentVersion.objects.create(
        organisation_id=version.organisation_id,
        document=version.document,
        number=_next_number(version.document),
        **{name: getattr(version, name) for name in same},
    )


def _next_number(document: Document) -> int:
    last = DocumentVersion.objects.filter(document=document).aggregate(last=Max("number"))["last"]
    return int(last or 0) + 1


def versions_retire(*, document: Document, below: int) -> None:
    """Retire versions that were waiting to be read, because number `below` replaces them.

    Call it in a transaction; the active version is retired later (app/library/pipeline/steps.py).
    """
    rows = DocumentVersion.objects.filter(document=document, state=VersionState.BUILDING, number__lt=below)
    written = [row.id for row in rows if row.chunks]
    rows.update(state=VersionState.RETIRED, retired=Now())
    if written:
        delete_job_create(organisation=document.organisation_id, versions=written, objects=[])


@transaction.atomic
def version_follow(*, organisation: UUID, document: UUID, number: int) -> None:
    """Queue the newest version that arrived while number `number` was read, if there is one."""
    versions = DocumentVersion.objects.select_related("document").filter(organisation=organisation, document=document)
    newer = versions.filter(state=VersionState.BUILDING, number__gt=number).order_by("-number").first()
    if newer is None:
        return
    versions_retire(document=newer.document, below=newer.number)
    ingest_job_create(organisation=organisation, document=newer.document, version=newer)
    Document.objects.filter(pk=document).update(
        state=DocumentState.QUEUED, step=None, percent=0, error_code="", error_message="", updated=Now()
    )


@transaction.atomic
def versions_forget(*, organisation: UUID, versions: Collection[UUID]) -> int:
    """Remove retired versions with their text and passages, and the objects that no other version names."""
    rows = DocumentVersion.objects.filter(organisation=organisation, state=VersionState.RETIRED, pk__in=versions)
    keys = set(rows.values_list("storage_key", flat=True))
    ids = list(rows.values_list("id", flat=True))
    if ids:
        Chunk.objects.filter(organisation=organisation, version__in=ids).delete()
        rows.delete()
        delete_job_create(organisation=organisation, versions=[], objects=keys)
    return len(ids)
