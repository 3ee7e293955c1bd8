"""Versions that arrive under a known identity, one after another, and which one answers meanwhile."""

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client

from app.accounts.models import Organisation
from app.jobs.execution import job_run
from app.jobs.leases import lease_take
from app.jobs.models import Job
from app.jobs.tests.running import jobs_run
from app.lib.storage import storage
from app.library.choices import VersionState
from app.library.connectors.protocol import Content, Item
from app.library.models import Chunk, Document, DocumentVersion, EmbeddingCache, Source
from app.library.reconcile.reconciler import reconcile
from app.library.services.documents import document_cancel, document_delete, document_retry
from app.library.services.intake import PutOutcome, PutResult, document_put
from app.library.services.sources import source_create
from app.library.tests.stores import long_text, points_of, stores_agree, stores_empty, upload
from app.plans.models import UsageEntry
from app.retrieval.search import passages_search
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str) -> None:
    stores_empty()


@pytest.fixture
def source(acme: Organisation, uploads: Callable[[Organisation], Source]) -> Source:
    return uploads(acme)


def put(source: Source, data: bytes, name: str = "note.md", **described: Any) -> PutResult:
    item = Item(described.pop("external_id", name), name, **described)
    return document_put(
        organisation=source.organisation_id, source=source, item=item, content=Content(io.BytesIO(data))
    )


def versions(document: Document) -> list[tuple[int, str]]:
    rows = DocumentVersion.objects.filter(document=document).order_by("number")
    return list(rows.values_list("number", "state"))


def payload(person: Person, document: Document) -> Any:
    return person.client.get(f"/api/v1/documents/{document.pk}").json()


def test_other_bytes_are_the_next_version_and_the_old_one_answers_until_it_is_read(
    alice: Person, source: Source
) -> None:
    document = put(source, b"The lighthouse opens at nine.").document
    jobs_run()
    old = points_of(source.organisation_id)
    result = put(source, b"The lighthouse opens at ten.")
    assert (result.document.pk, result.outcome) == (document.pk, PutOutcome.REPLACED)
    shown = payload(alice, document)
    assert (shown["state"], shown["version"], shown["active_version"], shown["bytes"]) == ("queued", 2, 1, 28)
    assert points_of(source.organisation_id) == old != set()
    assert Chunk.objects.get(version__document__active_version__isnull=False).text.endswith("at nine.")
    jobs_run()
    shown = payload(alice, document)
    assert (shown["state"], shown["version"], shown["active_version"]) == ("ready", 2, 2)
    assert versions(document) == [(1, VersionState.RETIRED), (2, VersionState.ACTIVE)]
    assert points_of(source.organisation_id).isdisjoint(old)
    stores_agree()


def test_only_changed_passages_are_embedded(source: Source) -> None:
    text = long_text(12).decode()
    document = put(source, text.encode()).document
    jobs_run()
    before = EmbeddingCache.objects.count()
    put(source, text.replace("Section 7", "Section seven").encode())
    jobs_run()
    changed = Chunk.objects.filter(document=document, version__number=2, text__contains="seven").count()
    assert 0 < changed < 4
    assert EmbeddingCache.objects.count() - before == changed
    assert Chunk.objects.filter(document=document, version__number=2).count() > 10


def test_two_uploads_of_a_name_at_once_are_versions_one_and_two(alice: Person) -> None:
    begin = threading.Barrier(2)

    def one(number: int) -> Any:
        client = Client(headers=alice.headers)
        try:
            begin.wait()
            file = SimpleUploadedFile("same.txt", b"Text number %d." % number)
            return client.post("/api/v1/documents", {"file": file}).json()["items"][0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        items = list(threads.map(one, range(2)))
    assert {item["outcome"] for item in items} == {"created", "replaced"}
    assert len({item["id"] for item in items}) == 1
    assert {item["version"] for item in items} == {1, 2}
    document = Document.objects.get()
    assert [number for number, _ in versions(document)] == [1, 2]
    assert all(storage().exists(row.storage_key) for row in DocumentVersion.objects.all())
    jobs_run()
    assert payload(alice, document)["active_version"] == 2
    stores_agree()


def test_a_version_that_waits_gives_way_to_the_next_one(source: Source) -> None:
    document = put(source, b"First.").document
    put(source, b"Second.")
    numbers = {str(row.id): row.number for row in DocumentVersion.objects.all()}
    jobs = Job.objects.order_by("created").values_list("payload__version", "state")
    assert [(numbers[version], state) for version, state in jobs] == [(1, "cancelled"), (2, "queued")]
    assert versions(document) == [(1, VersionState.RETIRED), (2, VersionState.BUILDING)]


def test_a_version_that_is_read_is_finished_and_the_newest_follows(alice: Person, source: Source) -> None:
    """Finish the running version first, or a document that changes faster than it is read would never be active."""
    document = put(source, b"First.").document
    job = Job.objects.get()
    lease = lease_take(job=job.pk)
    assert lease is not None
    put(source, b"Second.")
    put(source, b"Third.")
    assert Job.objects.get().state == "running"
    shown = payload(alice, document)
    # A document is shown as running from the first step that its worker reports.
    assert (shown["state"], shown["version"], shown["active_version"]) == ("queued", 3, None)
    Job.objects.update(state="queued")  # as a worker that stops gives it back
    job_run(job=job.pk)
    shown = payload(alice, document)
    assert (shown["state"], shown["version"], shown["active_version"]) == ("queued", 3, 1)
    assert versions(document) == [(1, "active"), (2, "retired"), (3, "building")]
    jobs_run()
    assert (payload(alice, document)["state"], payload(alice, document)["active_version"]) == ("ready", 3)
    stores_agree()


def test_the_newest_follows_one_that_failed_too(alice: Person, source: Source) -> None:
    document = put(source, b"   ").document
    job = Job.objects.get()
    assert lease_take(job=job.pk)
    put(source, b"Readable.")
    Job.objects.update(state="queued")
    jobs_run()
    assert payload(alice, document)["active_version"] == 2
    assert versions(document) == [(1, "retired"), (2, "active")]


def test_a_crash_between_a_version_and_the_one_that_follows_loses_neither(alice: Person, source: Source) -> None:
    document = put(source, b"First.").document
    jobs_run()
    DocumentVersion.objects.create(
        organisation=source.organisation,
        document=document,
        number=2,
        **DocumentVersion.objects.values("storage_key", "sha256", "bytes").get(),
    )
    Document.objects.update(version=2, state="queued")
    report = reconcile(repair=True)
    assert report is not None
    assert report.stuck_documents.count == 1
    jobs_run()
    assert payload(alice, document)["active_version"] == 2


def test_cancelling_a_new_version_leaves_the_document_as_it_was(alice: Person, source: Source) -> None:
    document = put(source, b"The old text.").document
    jobs_run()
    before = payload(alice, document)
    put(source, b"The new text, which is longer.")
    document_cancel(organisation=source.organisation_id, document=document.pk)
    after = payload(alice, document)
    assert {**after, "updated": before["updated"]} == before
    assert put(source, b"The old text.").outcome == PutOutcome.UNCHANGED
    assert put(source, b"The new text, which is longer.").document.version == 3
    jobs_run()
    assert payload(alice, document)["active_version"] == 3
    stores_agree()


def test_a_file_that_cannot_be_read_leaves_the_old_version_answering(alice: Person, source: Source) -> None:
    document = put(source, b"The old text.").document
    jobs_run()
    put(source, b"MZ\x90\x00\x03\x00\x00\x00" + bytes(range(256)) * 8)
    jobs_run()
    shown = payload(alice, document)
    assert (shown["state"], shown["error"]["code"]) == ("failed", "unsupported_type")
    assert (shown["version"], shown["active_version"]) == (2, 1)
    assert put(source, b"The old text.").outcome == PutOutcome.REPLACED
    jobs_run()
    shown = payload(alice, document)
    assert (shown["state"], shown["version"], shown["active_version"]) == ("ready", 3, 3)
    stores_agree()


def test_a_retry_reads_the_newest_bytes_again(alice: Person, source: Source) -> None:
    document = put(source, b"First.").document
    put(source, b"Second.")
    jobs_run()
    document_retry(organisation=source.organisation_id, document=document.pk)
    jobs_run()
    assert versions(document) == [(1, "retired"), (2, "retired"), (3, "active")]
    assert Chunk.objects.get(version__number=3).text == "Second."
    numbers = DocumentVersion.objects.filter(number__gt=1).values_list("sha256", "fetched")
    assert len(set(numbers)) == 1


async def test_the_same_file_in_two_sources_is_two_documents_that_their_bots_find(
    alice: Person, acme: Organisation
) -> None:
    def both() -> list[Document]:
        sources = [source_create(organisation=acme, name=name) for name in ("One", "Two")]
        rows = [upload(acme, "same.md", b"The lighthouse opens at nine.", source) for source in sources]
        jobs_run()
        return rows

    one, two = await sync_to_async(both)()
    for row in (one, two):
        result = await passages_search(
            organisation=acme.pk, query="When does the lighthouse open?", sources=[row.source_id]
        )
        assert [hit.document for hit in result.hits] == [row.pk]


def test_an_object_goes_with_the_last_version_that_names_it(acme: Organisation) -> None:
    sources = [source_create(organisation=acme, name=name) for name in ("One", "Two")]
    one, two = (upload(acme, "same.md", b"The lighthouse opens at nine.", source) for source in sources)
    jobs_run()
    [key] = set(DocumentVersion.objects.values_list("storage_key", flat=True))
    document_delete(organisation=acme.pk, document=one.pk)
    jobs_run()
    assert storage().exists(key)
    stores_agree()
    document_delete(organisation=acme.pk, document=two.pk)
    jobs_run()
    assert not storage().exists(key)
    stores_agree()


def test_validators_of_a_server_are_kept_with_the_bytes(source: Source) -> None:
    def arrive(data: bytes, etag: str) -> PutOutcome:
        content = Content(io.BytesIO(data), "text/markdown; charset=utf-8", etag, "Tue, 01 Dec 2026 10:00:00 GMT")
        item = Item("https://example.org/a", "A page", "https://example.org/a", {"tag": "x"})
        return document_put(organisation=source.organisation_id, source=source, item=item, content=content).outcome

    assert arrive(b"# Title\n\nText.", '"1"') == PutOutcome.CREATED
    jobs_run()
    version = DocumentVersion.objects.get()
    # The name has no suffix: only the server knew that the file is Markdown.
    assert (version.etag, version.media_type) == ('"1"', "text/markdown")
    assert arrive(b"# Title\n\nText.", '"2"') == PutOutcome.UNCHANGED
    assert DocumentVersion.objects.get().etag == '"2"'
    document = Document.objects.get()
    assert (document.url, document.metadata) == ("https://example.org/a", {"tag": "x"})


def test_a_moved_document_is_found_in_its_new_source_and_charged_once(alice: Person, source: Source) -> None:
    document = put(source, b"The ferry leaves at nine.").document
    jobs_run()
    other = source_create(organisation=alice.organisation, name="Timetables")
    points = points_of(source.organisation_id)
    charged = UsageEntry.objects.filter(kind="ingest").count()
    shown = alice.client.patch(
        f"/api/v1/documents/{document.pk}", {"source": "Timetables"}, content_type="application/json"
    ).json()
    assert (shown["source"]["name"], shown["state"]) == ("Timetables", "queued")
    jobs_run()
    assert payload(alice, document)["state"] == "ready"
    assert points_of(source.organisation_id) == points
    assert UsageEntry.objects.filter(kind="ingest").count() == charged
    question = {"query": "When does the ferry leave?"}
    for sources, found in (([str(other.pk)], 1), ([str(source.pk)], 0)):
        hits = alice.client.post("/api/v1/search", question | {"sources": sources}, content_type="application/json")
        assert len(hits.json()["hits"]) == found
    stores_agree()


def test_what_cannot_be_moved_says_why(alice: Person, source: Source) -> None:
    document = put(source, b"First.").document
    other = source_create(organisation=alice.organisation, name="Other")

    def move() -> Any:
        body = {"source": str(other.pk)}
        return alice.client.patch(f"/api/v1/documents/{document.pk}", body, content_type="application/json")

    assert "being read" in move().json()["error"]["message"]
    jobs_run()
    put(other, b"Namesake.")
    answer = move()
    assert (answer.status_code, "of this name already" in answer.json()["error"]["message"]) == (409, True)
    Document.objects.get(source=other).delete()
    put(source, b"MZ\x90\x00\x03\x00\x00\x00" + bytes(range(256)) * 8)
    jobs_run()
    assert "newest version" in move().json()["error"]["message"]
    assert Document.objects.get(pk=document.pk).source_id == source.pk
