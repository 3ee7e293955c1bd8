"""Scans as documents: recognised in a lane of their own, cited on the page's picture, continued after a kill."""

import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.jobs.models import Job
from app.jobs.tests.running import jobs_run
from app.library.models import Chunk, Document, DocumentVersion, VersionText
from app.library.ocr import reading_process
from app.library.parsers.blocks import Parsed, blocks_to_json
from app.library.services.documents import document_cancel
from app.library.tests.pdfs import made, write
from app.library.tests.scans import LETTER, data, draw_scan, page
from app.library.tests.stores import stores_agree, stores_empty, upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str) -> None:
    stores_empty()


def job_of(document: Document) -> tuple[str, str, str]:
    job = Job.objects.filter(subject=str(document.pk)).latest("created")
    return job.kind, job.lane, job.state


def test_a_scan_moves_to_the_slow_lane_and_its_lines_are_marked_on_its_picture(alice: Any) -> None:
    document = upload(alice.organisation, "letter.tif", data(page(), "TIFF", save_all=True, append_images=[page()]))
    jobs_run("ingest")
    document.refresh_from_db()
    assert (document.state, job_of(document)) == ("queued", ("ingest_scan", "slow", "queued"))
    jobs_run("ingest_scan")
    document.refresh_from_db()
    assert (document.state, document.media_type, document.pages) == ("ready", "image/tiff", 2)
    passage = Chunk.objects.filter(document=document).order_by("position")[0]
    assert "Order part E-2172 in Bremen." in passage.text
    assert (passage.place["kind"], passage.place["page"]) == ("page", 1)
    left, top, right, bottom = passage.place["boxes"][0]
    assert 0.03 < left < 0.1
    assert 60 / 500 - 0.02 < top < 60 / 500 + 0.02
    assert top + 0.05 < bottom < 0.24
    assert 0.5 < right < 0.95
    picture = alice.client.get(f"/api/v1/documents/{document.pk}/pages/2")
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/png")
    assert alice.client.get(f"/api/v1/documents/{document.pk}/pages/3").status_code == 404
    stores_agree()


def test_only_the_pages_that_need_it_are_recognised_and_they_keep_their_place(alice: Any, tmp_path: Path) -> None:
    first = "The order of the first page is written as text, in letters that a computer reads."
    file = made(tmp_path / "a.pdf", lambda canvas: write(canvas, 72, 100, [first]), draw_scan)
    document = upload(alice.organisation, "mixed.pdf", file.read_bytes())
    jobs_run()
    version = DocumentVersion.objects.get(document=document)
    assert version.warnings == ["pages_recognised:2"]
    text = alice.client.get(f"/api/v1/documents/{document.pk}/text").json()
    assert [block["page"] for block in text["blocks"]][:2] == [1, 2]
    assert text["blocks"][0]["text"] == first
    assert LETTER[0] in " ".join(block["text"] for block in text["blocks"][1:])


def test_a_worker_that_takes_over_recognises_only_the_other_pages(alice: Any) -> None:
    document = upload(alice.organisation, "letter.tif", data(page(), "TIFF", save_all=True, append_images=[page()]))
    jobs_run("ingest")
    known = {"page": 1, "count": 2, "width": 900, "height": 500, "turn": 0}
    known["pieces"] = [("Known from an earlier worker.", 0.9, 60, 60, 500, 60, 500, 96, 60, 96)]
    stored = {**orjson.loads(blocks_to_json(Parsed((), "image/tiff"))), "recognised": [known]}
    VersionText.objects.create(
        version=DocumentVersion.objects.get(document=document),
        organisation=alice.organisation,
        blocks=zlib.compress(orjson.dumps(stored)),
    )
    assert alice.client.get(f"/api/v1/documents/{document.pk}/text").json()["blocks"] == []
    jobs_run("ingest_scan")
    text = " ".join(Chunk.objects.filter(document=document).order_by("position").values_list("text", flat=True))
    assert text.startswith("Known from an earlier worker.")
    assert text.count("The pump of hall seven") == 1


def test_without_the_packages_a_scan_says_what_installs_them(alice: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(reading_process, "_PACKAGES", ("a-package-that-is-not-here",))
    picture = upload(alice.organisation, "letter.png", data(page()))
    text = ["A page of text, which stays readable without any packages for scans at all."]
    mixed = made(tmp_path / "a.pdf", lambda canvas: write(canvas, 72, 100, text), draw_scan)
    document = upload(alice.organisation, "mixed.pdf", mixed.read_bytes())
    jobs_run()
    shown = alice.client.get(f"/api/v1/documents/{picture.pk}").json()
    assert (shown["state"], shown["error"]["code"]) == ("failed", "ocr_not_installed")
    assert "scripts/start --with-ocr" in shown["error"]["hint"]
    document.refresh_from_db()
    assert document.state == "ready"
    assert DocumentVersion.objects.get(document=document).warnings == ["pages_without_text:2"]


def test_a_scan_that_waits_can_be_cancelled(alice: Any) -> None:
    document = upload(alice.organisation, "letter.png", data(page()))
    jobs_run("ingest")
    document_cancel(organisation=alice.organisation.id, document=document.pk)
    document.refresh_from_db()
    assert (document.state, job_of(document)[2]) == ("cancelled", "cancelled")
    assert jobs_run("ingest_scan") == 0
