"""Import the library of an archive: files first, then documents, versions and passages, then the jobs."""

import zlib
from uuid import UUID

from django.conf import settings
from django.db import connection

from app.lib.storage import TooLarge, object_key, storage
from app.library.choices import DocumentState, Step, VersionState
from app.library.connectors.registry import settings_check
from app.library.models import Chunk, Document, DocumentVersion, Source, VersionText
from app.library.parsers.blocks import blocks_from_json
from app.library.pipeline.steps import chunk_id
from app.library.services.jobs import ingest_job_create
from app.library.uploads import external_id_check, name_clean
from app.privacy.archive.reading import refused
from app.privacy.archive.rows import ChunkRow, DocumentRow, SourceRow, VersionRow
from app.privacy.imports.context import ImportContext, Say, backdate, batched, create

# Limit of one text in JSON. The longest has 20 million characters, with their places.
TEXT_BYTES = 512 * 1024 * 1024


def library_make(context: ImportContext, say: Say) -> None:
    of = {"organisation": context.organisation}
    sources = {row.id: row for row in context.rows("sources")}
    create(Source, (_source(context, row) for row in sources.values()))
    backdate(Source, ((context.new(row.id), row.created, None) for row in sources.values()))
    context.documents = {row.id: row for row in context.rows("documents")}
    _identify(context)
    _versions_read(context)
    versions = [version for each in context.versions.values() for version in each]
    for number, version in enumerate(versions, 1):
        _file_store(context, version)
        if number % 100 == 0:
            say(f"{number} files stored")
    files = {name for name in context.reader.manifest.parts if name.startswith("files/")}
    if files - context.stored - context.unread:
        raise refused("it holds a file that none of its documents names.")
    create(Document, (_document(context, row) for row in context.documents.values()))
    backdate(Document, ((context.new(row.id), row.created, None) for row in context.documents.values()))
    create(DocumentVersion, (_version(context, row) for row in versions))
    backdate(DocumentVersion, ((context.new(row.id), row.created, None) for row in versions))
    for row in versions:
        if row.text is not None and not context.is_lost(row):
            blocks = _packed(context, row.text)
            VersionText.objects.create(version_id=context.new(row.id), blocks=blocks, **of)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE import_chunks (old uuid, new uuid) ON COMMIT DROP")
    for batch in batched(context.rows("chunks")):
        _chunks(context, batch)


def _source(context: ImportContext, row: SourceRow) -> Source:
    """Return a source with its schedule off: its credential is not in the archive, so it cannot be read yet."""
    return Source(
        id=context.new(row.id),
        organisation=context.organisation,
        name=row.name,
        kind=row.kind,
        settings=settings_check(row.kind, row.settings),
        cron=row.cron,
        time_zone=row.time_zone,
    )


def _versions_read(context: ImportContext) -> None:
    """Read which versions to import: the active one, and a newer one that was being ingested."""
    for row in context.rows("versions"):
        document = context.documents.get(row.document)
        if document is None:
            raise refused("a version belongs to no document of it.")
        if row.sha256 is None:
            row = row.model_copy(update={name: getattr(document, name) for name in ("bytes", "sha256", "file")})
        if row.sha256 is None or row.bytes is None:
            raise refused("a version has no bytes.")
        context.versions.setdefault(row.document, []).append(row)
    for identity, rows in context.versions.items():
        rows.sort(key=lambda row: row.number)
        answers = max((row for row in rows if row.active), key=lambda row: row.number, default=None)
        wanted = context.documents[identity].state != DocumentState.READY
        newer = [row for row in rows if answers is None or (wanted and row.number > answers.number)][-1:]
        kept = [row for row in (answers, *newer) if row is not None]
        context.unread |= {row.file for row in rows if row.file and row not in kept}
        context.versions[identity] = kept


def _file_store(context: ImportContext, row: VersionRow) -> None:
    """Store a file. The object is there before the row that names it."""
    if context.is_lost(row) or row.file is None or row.file in context.stored:
        return
    organisation = context.organisation.id
    try:
        with (
            context.reader.file(row.file) as stream,
            storage().stage(stream, organisation=organisation, limit=settings.UPLOAD_MAX_BYTES) as received,
        ):
            if received.sha256 != row.sha256 or received.bytes != row.bytes:
                raise refused("a file is not the one that its document names.")
            received.commit()
    except TooLarge as error:
        raise refused("a file is larger than what can be uploaded here.") from error
    context.stored.add(row.file)


def _parent(context: ImportContext, row: DocumentRow) -> UUID | None:
    """Return the new id of the document that holds this one. It is of the same source, and older."""
    if row.parent is None:
        return None
    parent = context.documents.get(row.parent)
    if parent is None or parent.source != row.source or parent.id >= row.id:
        raise refused("a document is inside one that cannot hold it.")
    return context.new(row.parent)


def _document(context: ImportContext, row: DocumentRow) -> Document:
    state, error_code, error_message = DocumentState.QUEUED, "", ""
    versions = context.versions.get(row.id, [])
    if all(context.is_lost(version) for version in versions):
        state, error_code = DocumentState.FAILED, "file_missing"
    elif not _is_read(context, row):
        state, error_code, error_message = row.state, row.error_code, row.error_message
    return Document(
        id=context.new(row.id),
        organisation=context.organisation,
        source_id=context.new(row.source),
        external_id=context.external_ids[row.id],
        parent_id=_parent(context, row),
        name=name_clean(row.name),
        url=row.url,
        metadata=row.metadata,
        media_type=row.media_type,
        state=state,
        error_code=error_code,
        error_message=error_message,
        pages=row.pages,
        version=versions[-1].number if versions else 1,
        uploaded_by_id=context.person(row.uploaded_by),
    )


def _identify(context: ImportContext) -> None:
    """Give each document its external id; in archives from before documents had one, by the rule of the migrations.

    The oldest document of a name gets that name, each later one the first free name of "name (2)", "name (3)" …
    """
    taken, later = set(), []
    for row in sorted(context.documents.values(), key=lambda row: (row.created, row.id)):
        wanted = external_id_check(row.external_id or name_clean(row.name))
        if (row.source, wanted) in taken and not row.external_id:
            later.append((row, wanted))
        else:
            taken.add((row.source, wanted))
            context.external_ids[row.id] = wanted
    for row, wanted in later:
        number = 2
        while (row.source, f"{wanted} ({number})") in taken:
            number += 1
        taken.add((row.source, f"{wanted} ({number})"))
        context.external_ids[row.id] = f"{wanted} ({number})"


def _version(context: ImportContext, row: VersionRow) -> DocumentVersion:
    assert row.sha256 is not None
    assert row.bytes is not None
    return DocumentVersion(
        id=context.new(row.id),
        organisation=context.organisation,
        document_id=context.new(row.document),
        number=row.number,
        # Retired: a version that is being built would need the missing file.
        state=VersionState.RETIRED if context.is_lost(row) else VersionState.BUILDING,
        storage_key=object_key(context.organisation.id, row.sha256),
        sha256=row.sha256,
        bytes=row.bytes,
        fetched=row.fetched or row.created,
        etag=row.etag,
        last_modified=row.last_modified,
        media_type=row.media_type,
        title=row.title,
        language=row.language,
        pages=row.pages,
        chunks=row.chunks,
        embedding_model=row.embedding_model,
        warnings=row.warnings,
    )


def _readable(context: ImportContext, row: DocumentRow) -> list[VersionRow]:
    return [version for version in context.versions.get(row.id, []) if not context.is_lost(version)]


def _is_read(context: ImportContext, row: DocumentRow) -> bool:
    """Return whether to ingest a document: it has an active version with a file, or was being ingested."""
    versions = _readable(context, row)
    over = row.state in (DocumentState.FAILED, DocumentState.CANCELLED)
    return any(version.active for version in versions) or (bool(versions) and not over)


def _packed(context: ImportContext, name: str) -> bytes:
    with context.reader.file(name) as stream:
        text = stream.read(TEXT_BYTES + 1)
    if len(text) > TEXT_BYTES:
        raise refused(f"{name} is too long.")
    try:
        blocks_from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise refused(f"{name} is not the text of a document.") from error
    return zlib.compress(text, 6)


def _chunks(context: ImportContext, batch: list[ChunkRow]) -> None:
    made, old = [], []
    for row in batch:
        if row.document not in context.versions:
            raise refused("a passage belongs to no document of it.")
        version = next((each for each in context.versions[row.document] if each.id == row.version), None)
        if version is None or context.is_lost(version):
            continue
        old.append(context.new(row.id))
        new = chunk_id(
            organisation=context.organisation.id,
            version=context.new(row.version),
            position=row.position,
            model=version.embedding_model,
        )
        made.append(
            Chunk(
                id=new,
                organisation=context.organisation,
                document_id=context.new(row.document),
                version_id=context.new(row.version),
                **row.model_dump(include={"position", "text", "embed_text", "tokens", "start", "end", "place"}),
            )
        )
    Chunk.objects.bulk_create(made)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO import_chunks SELECT * FROM unnest(%s::uuid[], %s::uuid[])",
            [old, [chunk.id for chunk in made]],
        )


def documents_queue(context: ImportContext) -> None:
    """Queue the ingest of each document, from embedding on where its passages were imported.

    Where there are two versions, the one that answered is read first and the newer one follows it
    (app/library/services/versions.py).
    """
    documents = {row.id: row for row in Document.objects.filter(organisation=context.organisation)}
    versions = {row.id: row for row in DocumentVersion.objects.filter(organisation=context.organisation)}
    for old, row in context.documents.items():
        if not _is_read(context, row):
            continue
        document = documents[context.new(old)]
        version = versions[context.new(_readable(context, row)[0].id)]
        step = Step.EMBED if version.chunks else None
        ingest_job_create(organisation=context.organisation.id, document=document, version=version, step=step)
