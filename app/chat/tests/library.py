"""A small indexed library for tests: rows, vectors and points, as ingest creates them."""

import hashlib
from uuid import UUID, uuid4

from app.accounts.models import Organisation
from app.library.choices import DocumentState
from app.library.models import Chunk, Document, DocumentVersion, Source
from app.llm.embeddings import vector_numbers
from app.llm.models_kept import embeddings_client
from app.retrieval.index import Point
from app.retrieval.index_loader import index_writer
from app.retrieval.sparse import document_encode
from tests.documents import document_row

WARRANTY = "The warranty of the Vale 3 is 24 months from delivery. It does not cover damage by limescale."
HOLIDAY = "After five full years with the company you have 28 days of holiday. Holiday must be taken by 31 March."
DESCALING = "Descaling takes 45 minutes. With hard water the machine must be descaled every 60 days."


def document_index(
    organisation: Organisation, name: str, passages: list[str], *, source: Source | None = None, kind: str = "text"
) -> Document:
    """Return a ready document whose chunks are the passages."""
    source = source or Source.objects.get_or_create(organisation=organisation, name="Uploads")[0]
    digest = hashlib.sha256(f"{organisation.pk}{name}{passages}".encode()).hexdigest()
    document = document_row(source, name, answers=True, external_id=f"{name} {digest}", state=DocumentState.READY)
    version = document.versions.get()
    chunks = [_chunk(organisation, document, version, position, text, kind) for position, text in enumerate(passages)]
    client = embeddings_client()
    vectors = client.embed_documents(passages)
    index_writer(client.space()).points_upsert(
        Point(
            id=str(chunk.id),
            organisation=str(organisation.pk),
            source=str(source.pk),
            document=str(document.pk),
            version=str(version.pk),
            dense=vector_numbers(vector),
            words=document_encode(chunk.text),
        )
        for chunk, vector in zip(chunks, vectors, strict=True)
    )
    return document


def _chunk(
    organisation: Organisation, document: Document, version: DocumentVersion, position: int, text: str, kind: str
) -> Chunk:
    identity: UUID = uuid4()
    return Chunk.objects.create(
        id=identity,
        organisation=organisation,
        document=document,
        version=version,
        position=position,
        text=text,
        embed_text=text,
        tokens=len(text) // 4,
        start=0,
        end=len(text),
        place={"kind": kind, "page": position + 1} if kind == "page" else {"kind": kind},
    )
