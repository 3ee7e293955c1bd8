from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from app.ingest.models import Chunk
from app.ingest.tests.workers import wait_until, worker
from app.llm.embeddings import embeddings_client
from app.retrieval.index import index_writer
from app.sources.models import Document

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("qdrant", "embedder")]


def test_an_uploaded_text_becomes_ready_and_its_points_are_its_chunks(alice: Any, tmp_path: Path) -> None:
    file = SimpleUploadedFile("holiday.txt", b"Holiday\n\nEvery person has 25 days of holiday a year.")
    answer = alice.client.post("/api/v1/documents", {"file": file})
    assert answer.status_code == 202
    [item] = answer.json()["items"]
    assert item["state"] == "queued"
    with worker(tmp_path / "worker.log"):
        wait_until(lambda: Document.objects.get(pk=item["id"]).state == "ready", limit_s=30)
    shown = alice.client.get(f"/api/v1/documents/{item['id']}").json()
    assert (shown["percent"], shown["chunks"], shown["media_type"]) == (100, 1, "text/plain")
    writer = index_writer(embeddings_client().space())
    points = set(writer.point_ids(organisation=str(alice.organisation.id)))
    assert points == {str(chunk) for chunk in Chunk.objects.values_list("id", flat=True)} != set()
