"""The library of an archive: files first, then sources, documents, versions and passages, then the jobs."""

import zlib

from django.conf import settings
from django.db import connection

from app.lib.storage import TooLarge, object_key, storage
from app.library.choices import DocumentState, Step, VersionState
from app.library.models import Chunk, Document, DocumentVersion, Source, VersionText
from app.library.parsers.blocks import blocks_from_json
from app.library.pipeline.steps import chunk_id
from app.library.services.jobs import ingest_job_create
from app.library.uploads import name_clean
from app.privacy.archive.reading import refused
from app.privacy.archive.rows import ChunkRow, DocumentRow, VersionRow
from app.privacy.imports.context import Coming, Say, backdate, batched, create

# Of one text in JSON. The longest of a file of 50 MB is a few times that.
TEXT_BYTES = 512 * 1024 * 1024


def library_make(coming: Coming, say: Say) -> None:
    of = {"organisation": coming.organisation}
    sources = {row.id: row for row in coming.rows("sources")}
    create(Source, (Source(id=coming.new(row.id), name=row.name, kind=row.kind, **of) for row in sources.values()))
    backdate(Source, ((coming.new(row.id), row.created, None) for row in sources.values()))
    for number, row in enumerate(coming.rows("documents"), 1):
        _file_store(coming, row)
        coming.documents[row.id] = row
        if number % 100 == 0:
            say(f"{number} files stored")
    files = {name for name in coming.reader.manifest.parts if name.startswith("files/")}
    if files - {row.file for row in coming.documents.values()}:
        raise refused("it holds a file that none of its documents names.")
    for version in coming.rows("versions"):
        known = coming.versions.get(version.document)
        # Of a document that was read anew just then, the one that answered.
        if known is None or (version.active, version.number) > (known.active, known.number):
            coming.versions[version.document] = version
    create(Document, (_document(coming, row) for row in coming.documents.values()))
    backdate(Document, ((coming.new(row.id), row.created, None) for row in coming.documents.values()))
    for row in coming.versions.values():
        if row.document not in coming.documents:
            raise refused("a version belongs to no document of it.")
    create(DocumentVersion, (_version(coming, row) for row in coming.versions.values()))
    backdate(DocumentVersion, ((coming.new(row.id), row.created, None) for row in coming.versions.values()))
    for row in coming.versions.values():
        if row.text is not None and not coming.is_lost(coming.documents[row.document]):
            blocks = _packed(coming, row.text)
            VersionText.objects.create(version_id=coming.new(row.id), blocks=blocks, **of)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE import_chunks (old uuid, new uuid) ON COMMIT DROP")
    for batch in batched(coming.rows("chunks")):
        _chunks(coming, batch)


def _file_store(coming: Coming, row: DocumentRow) -> None:
    """The object is there before its row is."""
    if coming.is_lost(row) or row.file is None:
        return
    organisation = coming.organisation.id
    try:
        with (
            coming.reader.file(row.file) as stream,
            storage().stage(stream, organisation=organisation, limit=settings.UPLOAD_MAX_BYTES) as received,
        ):
            if received.sha256 != row.sha256 or received.bytes != row.bytes:
                raise refused("a file is not the one that its document names.")
            received.commit()
    except TooLarge as error:
        raise refused("a file is larger than what can be uploaded here.") from error


def _document(coming: Coming, row: DocumentRow) -> Document:
    state, error_code, error_message = DocumentState.QUEUED, "", ""
    if coming.is_lost(row):
        state, error_code = DocumentState.FAILED, "file_missing"
    elif not _is_read(coming, row):
        state, error_code, error_message = row.state, row.error_code, row.error_message
    return Document(
        id=coming.new(row.id),
        organisation=coming.organisation,
        source_id=coming.new(row.source),
        name=name_clean(row.name),
        media_type=row.media_type,
        bytes=row.bytes,
        sha256=row.sha256,
        state=state,
        error_code=error_code,
        error_message=error_message,
        pages=row.pages,
        uploaded_by_id=coming.person(row.uploaded_by),
    )


def _version(coming: Coming, row: VersionRow) -> DocumentVersion:
    document = coming.documents[row.document]
    return DocumentVersion(
        id=coming.new(row.id),
        organisation=coming.organisation,
        document_id=coming.new(row.document),
        number=row.number,
        # Nobody looks for the file of a retired one.
        state=VersionState.RETIRED if coming.is_lost(document) else VersionState.BUILDING,
        storage_key=object_key(coming.organisation.id, document.sha256),
        media_type=row.media_type,
        title=row.title,
        language=row.language,
        pages=row.pages,
        chunks=row.chunks,
        embedding_model=row.embedding_model,
        warnings=row.warnings,
    )


def _is_read(coming: Coming, row: DocumentRow) -> bool:
    """Whether it is read here: it could be found there, or was being read."""
    if coming.is_lost(row) or row.id not in coming.versions:
        return False
    return coming.versions[row.id].active or row.state not in (DocumentState.FAILED, DocumentState.CANCELLED)


def _packed(coming: Coming, name: str) -> bytes:
    with coming.reader.file(name) as stream:
        text = stream.read(TEXT_BYTES + 1)
    if len(text) > TEXT_BYTES:
        raise refused(f"{name} is too long.")
    try:
        blocks_from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise refused(f"{name} is not the text of a document.") from error
    return zlib.compress(text, 6)


def _chunks(coming: Coming, batch: list[ChunkRow]) -> None:
    made, old = [], []
    for row in batch:
        version = coming.versions.get(row.document)
        if version is None:
            raise refused("a passage belongs to no document of it.")
        if version.id != row.version or coming.is_lost(coming.documents[row.document]):
            continue
        old.append(coming.new(row.id))
        new = chunk_id(
            organisation=coming.organisation.id,
            version=coming.new(row.version),
            position=row.position,
            model=version.embedding_model,
        )
        made.append(
            Chunk(
                id=new,
                organisation=coming.organisation,
                document_id=coming.new(row.document),
                version_id=coming.new(row.version),
                **row.model_dump(include={"position", "text", "embed_text", "tokens", "start", "end", "place"}),
            )
        )
    Chunk.objects.bulk_create(made)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO import_chunks SELECT * FROM unnest(%s::uuid[], %s::uuid[])",
            [old, [chunk.id for chunk in made]],
        )


def documents_queue(coming: Coming) -> None:
    """A job for each document, from the passages on where they came along."""
    documents = {row.id: row for row in Document.objects.filter(organisation=coming.organisation)}
    versions = {row.document_id: row for row in DocumentVersion.objects.filter(organisation=coming.organisation)}
    for old, row in coming.documents.items():
        if not _is_read(coming, row):
            continue
        document = documents[coming.new(old)]
        version = versions[document.id]
        step = Step.EMBED if version.chunks else None
        ingest_job_create(organisation=coming.organisation.id, document=document, version=version, step=step)
