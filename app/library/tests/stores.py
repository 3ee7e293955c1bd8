"""Helpers of the ingest tests: documents, the clock of leases, and whether the stores agree."""

import hashlib
import io
from pathlib import Path
from typing import Any
from uuid import UUID

from app.accounts.models import Organisation
from app.jobs.choices import OPEN
from app.jobs.models import Job
from app.jobs.tests.probes import leases_age as leases_age
from app.library.connectors.protocol import Content
from app.library.connectors.uploads import file_item
from app.library.models import Chunk, Document, EmbeddingCache, Source
from app.library.pipeline.sandbox import parse_and_chunk
from app.library.reconcile.reconciler import Report, reconcile
from app.library.services.intake import document_put
from app.library.services.jobs import INGESTS
from app.library.services.sources import source_for_uploads
from app.llm.models_kept import embeddings_client
from app.privacy.exports.run import exports_tidy
from app.retrieval.index_loader import index_writer
from app.retrieval.index_writer import IndexWriter
from tests.waiting import wait_until


def upload(organisation: Organisation, name: str, data: bytes, source: Source | None = None) -> Document:
    source = source or source_for_uploads(organisation=organisation)
    content = Content(io.BytesIO(data))
    return document_put(organisation=organisation.id, source=source, item=file_item(name), content=content).document


def long_text(sections: int, word: str = "parcel") -> bytes:
    """Return a text of about one passage a section."""
    sentence = f"The {word} number {{}} travels to depot {{}} and waits there until somebody signs for it. "
    parts = [f"# Section {n}\n\n" + "".join(sentence.format(n, line) for line in range(9)) for n in range(sections)]
    return "\n\n".join(parts).encode()


def stores_empty() -> None:
    """Empty the stores beside the database, which know nothing of tests."""
    reconcile(repair=True, object_age_s=-1)
    exports_tidy(older_than_s=-1)


def writer() -> IndexWriter:
    return index_writer(embeddings_client().space())


def points_of(organisation: UUID) -> set[str]:
    return set(writer().point_ids(organisation=str(organisation)))


def state_of(document: Document) -> str:
    return Document.objects.values_list("state", flat=True).get(pk=document.pk)


def wait_ready(*documents: Document, limit_s: float = 90) -> None:
    wanted = {document.pk for document in documents}

    def ready() -> bool:
        states = dict(Document.objects.filter(pk__in=wanted).values_list("pk", "state"))
        assert "failed" not in states.values(), list(Document.objects.values_list("name", "error_code"))
        return set(states.values()) == {"ready"}

    wait_until(ready, limit_s=limit_s, what="documents ready")


def wait_jobs(limit_s: float = 90) -> None:
    wait_until(lambda: not Job.objects.filter(state__in=OPEN).exists(), limit_s=limit_s, what="no open job")


def stores_agree() -> Report:
    """Assert I2, I3 and I7."""
    report = reconcile(repair=False, object_age_s=0)
    assert report is not None
    assert report.clean, report
    for organisation in Organisation.objects.all():
        active = Chunk.objects.filter(organisation=organisation, version__state="active").values_list("id", flat=True)
        assert points_of(organisation.id) == {str(chunk) for chunk in active}
    return report


def cache_fill(organisation: Organisation, path: Path) -> int:
    """Store vectors for every passage of a file, so that its embedding takes no time. Return the number of passages."""
    space = embeddings_client().space()
    parsed = parse_and_chunk(path, path.name, max_tokens=(space.max_tokens or 512) - 2, counter=space.model)
    vector = embeddings_client().embed_documents(["a passage"])[0]
    hashes = {hashlib.sha256(draft.embed_text.encode()).digest() for draft in parsed.drafts}
    EmbeddingCache.objects.bulk_create(
        EmbeddingCache(organisation=organisation, model=space.model, content_hash=one, vector=vector) for one in hashes
    )
    return len(parsed.drafts)


def job_of(document: Document) -> Any:
    return Job.objects.filter(kind__in=INGESTS, subject=str(document.pk)).order_by("-created").first()
