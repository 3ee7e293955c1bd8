import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from app.accounts.models import Organisation
from app.jobs.models import Job
from app.lib.advisory_lock import RECONCILER, lock_try
from app.lib.storage import storage
from app.library.models import Chunk, Document, DocumentVersion, EmbeddingCache
from app.library.reconcile.reconciler import reconcile
from app.library.services.documents import document_delete
from app.library.tests.stores import (
    long_text,
    points_of,
    stores_agree,
    stores_empty,
    upload,
    wait_jobs,
    wait_ready,
    writer,
)
from app.library.tests.workers import worker
from app.llm.embeddings import vector_numbers
from app.retrieval.index import Point
from app.retrieval.sparse import document_encode

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ready(acme: Organisation, tmp_path: Path, qdrant: str, embedder: str) -> Iterator[Document]:
    """Yield a ready document of a few passages, with a worker running."""
    stores_empty()
    document = upload(acme, "parcels.md", long_text(3))
    with worker(tmp_path / "worker.log"):
        wait_ready(document)
        wait_jobs()
        yield Document.objects.get(pk=document.pk)


def point(organisation: Organisation, version: Any = None) -> Point:
    vector = vector_numbers(bytes(EmbeddingCache.objects.first().vector))  # type: ignore[union-attr]
    owner, words = str(organisation.id), document_encode("a stray parcel")
    return Point(str(uuid4()), owner, str(uuid4()), str(uuid4()), str(version or uuid4()), vector, words)


def found(name: str) -> int:
    report = reconcile(repair=False, object_age_s=-1)
    assert report is not None
    counts = {key: value.count for key, value in report.findings().items() if value.count}
    assert set(counts) <= {name}, report
    return counts.get(name, 0)


def test_stores_that_agree_are_said_to_agree(ready: Document, capsys: Any) -> None:
    stores_agree()
    call_command("check_store")
    assert "They agree." in capsys.readouterr().out


def test_lost_vectors_come_back_without_embedding_anything_again(ready: Document, acme: Organisation) -> None:
    before = points_of(acme.id)
    cached = set(EmbeddingCache.objects.values_list("id", flat=True))
    writer().points_delete(list(writer().point_ids(organisation=str(acme.id))))
    assert found("missing_points") == len(before) > 1
    reconcile(repair=True)
    wait_jobs()
    assert points_of(acme.id) == before
    assert set(EmbeddingCache.objects.values_list("id", flat=True)) == cached
    assert Document.objects.get().state == "ready"
    stores_agree()


def test_a_whole_collection_that_is_gone_comes_back(ready: Document, acme: Organisation) -> None:
    before = points_of(acme.id)
    assert writer().client.call(lambda qdrant: qdrant.delete_collection(writer().collection))
    assert points_of(acme.id) == set()
    reconcile(repair=True)
    wait_jobs()
    assert points_of(acme.id) == before


def test_vectors_that_belong_to_nothing_are_removed(ready: Document, acme: Organisation, other: Organisation) -> None:
    writer().points_upsert([point(acme), point(other), point(acme, DocumentVersion.objects.get().id)])
    assert found("orphan_points") == 3
    reconcile(repair=True)
    assert points_of(other.id) == set()
    stores_agree()


def test_a_vector_with_another_organisation_s_name_on_it_is_no_vector_of_ours(
    ready: Document, acme: Organisation, other: Organisation
) -> None:
    chunk = Chunk.objects.order_by("position").first()
    assert chunk is not None
    stray = point(other, chunk.version_id)
    wrong = Point(str(chunk.id), str(other.id), stray.source, stray.document, stray.version, stray.dense, stray.words)
    writer().points_upsert([wrong])
    report = reconcile(repair=True)
    assert report is not None
    assert (report.orphan_points.count, report.missing_points.count) == (1, 1)
    wait_jobs()
    stores_agree()


def test_a_file_that_is_gone_is_reported(ready: Document) -> None:
    storage().delete(DocumentVersion.objects.get().storage_key)
    report = reconcile(repair=True)
    assert report is not None
    assert report.missing_objects.first == [str(ready.id)]
    with pytest.raises(SystemExit) as ended:
        call_command("check_store")
    assert ended.value.code == 1


def test_a_file_that_no_document_names_is_removed_when_it_is_old(ready: Document, acme: Organisation) -> None:
    with storage().stage(io.BytesIO(b"upload that broke off"), organisation=acme.id) as received:
        received.commit()
    key = received.key
    report = reconcile(repair=True)
    assert report is not None
    assert report.orphan_objects.count == 0
    assert storage().exists(key)
    reconcile(repair=True, object_age_s=-1)
    assert not storage().exists(key)
    stores_agree()


def test_a_document_that_waits_without_a_job_gets_one(ready: Document) -> None:
    Document.objects.update(state="queued", active_version=None)
    DocumentVersion.objects.update(state="building")
    Job.objects.all().delete()
    report = reconcile(repair=True)
    assert report is not None
    assert report.stuck_documents.count == 1
    wait_ready(ready)
    wait_jobs()
    stores_agree()


def test_a_deleted_document_leaves_nothing(ready: Document, acme: Organisation) -> None:
    document_delete(organisation=acme.id, document=ready.id)
    wait_jobs()
    report = stores_agree()
    assert (report.points, points_of(acme.id)) == (0, set())
    assert not list(storage().objects())


def test_one_of_two_reconcilers_leaves_the_work_to_the_other(ready: Document) -> None:
    def other_process() -> Any:
        try:
            return reconcile(repair=False)
        finally:
            connection.close()

    with lock_try(RECONCILER) as alone, ThreadPoolExecutor(1) as thread:
        assert alone
        assert thread.submit(other_process).result() is None
    assert reconcile(repair=False) is not None


def test_the_index_is_renewed_by_a_command_and_everything_is_still_found(ready: Document) -> None:
    before = set(points_of(ready.organisation_id))
    out = io.StringIO()
    call_command("index_renew", stdout=out)
    assert out.getvalue() == f"{len(before)} vectors are in a new collection, which is searched from now on.\n"
    assert writer().collection_in_use() != writer().collection
    assert set(points_of(ready.organisation_id)) == before
    stores_agree()
