"""Recordings as documents: read in a lane of their own, cited by the second, continued after a kill."""

import zlib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings

from app.jobs.models import Job
from app.jobs.tests.running import jobs_run
from app.library.models import Chunk, Document, DocumentVersion, VersionText
from app.library.services.documents import document_cancel, document_retry
from app.library.speech.transcript import Segment, Transcript, Word, transcript_to_blocks
from app.library.tests.sounds import JFK, NO_SOUND, RATE, noise, wav
from app.library.tests.stores import stores_agree, stores_empty, upload
from app.llm.speech_models import TINY_ENGLISH

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str, settings: Any) -> None:
    settings.SPEECH_URL, settings.SPEECH_MODEL = "", TINY_ENGLISH.name
    stores_empty()


def speech_upload(person: Any, path: Path = JFK) -> Document:
    return upload(person.organisation, path.name, path.read_bytes())


def job_of(document: Document) -> tuple[str, str, str]:
    job = Job.objects.filter(subject=str(document.pk)).latest("created")
    return job.kind, job.lane, job.state


def test_a_recording_moves_to_the_slow_lane_and_becomes_passages_with_seconds(alice: Any) -> None:
    file = SimpleUploadedFile("speech.mp3", JFK.read_bytes())
    [item] = alice.client.post("/api/v1/documents", {"file": file}).json()["items"]
    document = Document.objects.get(pk=item["id"])
    jobs_run("ingest")
    document.refresh_from_db()
    assert (document.state, job_of(document)) == ("queued", ("ingest_slow", "slow", "queued"))
    jobs_run("ingest_slow")
    document.refresh_from_db()
    assert (document.state, document.media_type) == ("ready", "audio/mpeg")
    [passage] = alice.client.get(f"/api/v1/documents/{document.pk}/chunks").json()["items"]
    assert passage["place"]["kind"] == "time"
    assert passage["place"]["start_s"] < 1
    assert 10 < passage["place"]["end_s"] <= 11.1
    text = alice.client.get(f"/api/v1/documents/{document.pk}/text?around={passage['id']}").json()
    [block] = text["blocks"]
    assert (text["media_type"], text["mark"]) == ("audio/mpeg", [0, len(block["text"])])
    assert [block["text"][offset:].split()[0] for offset, _ in block["words"]] == block["text"].split()
    part = alice.client.get(f"/api/v1/documents/{document.pk}/content", headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part["Content-Range"]) == (206, f"bytes 1000-1999/{JFK.stat().st_size}")
    assert (part["Content-Type"], part["Accept-Ranges"]) == ("audio/mpeg", "bytes")
    stores_agree()


def test_a_worker_that_takes_over_goes_on_from_what_was_written_down(alice: Any) -> None:
    document = speech_upload(alice)
    jobs_run("ingest")
    version = DocumentVersion.objects.get(document=document)
    earlier = Segment("", 0.0, 5.0, (Word(" Of", 0.0, 1.0), Word(" an", 1.0, 2.0), Word(" earlier", 2.0, 5.0)))
    stored = Transcript(TINY_ENGLISH.name, 8.0, 11.0, "en", [], [earlier])
    blocks = zlib.compress(transcript_to_blocks(stored, "audio/mpeg"))
    VersionText.objects.create(version=version, organisation=alice.organisation, blocks=blocks)
    # People read what there is already.
    shown = alice.client.get(f"/api/v1/documents/{document.pk}/text").json()
    assert [block["text"] for block in shown["blocks"]] == ["Of an earlier"]
    jobs_run("ingest_slow")
    [chunk] = Chunk.objects.filter(version=version)
    assert chunk.text.startswith("Of an earlier")
    assert "fellow" not in chunk.text
    assert "your country" in chunk.text


def test_what_another_model_has_written_down_is_not_continued(alice: Any) -> None:
    document = speech_upload(alice)
    jobs_run("ingest")
    stored = Transcript("another-model", 8.0, 11.0, "en", [], [])
    VersionText.objects.create(
        version=DocumentVersion.objects.get(document=document),
        organisation=alice.organisation,
        blocks=zlib.compress(transcript_to_blocks(stored, "audio/mpeg")),
    )
    jobs_run("ingest_slow")
    assert "fellow" in Chunk.objects.get(document=document).text


def test_what_cannot_be_written_down_fails_with_a_reason(alice: Any, tmp_path: Path) -> None:
    quiet = tmp_path / "rain.wav"
    quiet.write_bytes(wav(noise(3)))
    for path, code in ((NO_SOUND, "no_sound"), (quiet, "no_speech")):
        document = speech_upload(alice, path)
        jobs_run()
        document.refresh_from_db()
        assert (document.state, document.error_code) == ("failed", code)


def test_without_the_set_a_recording_says_what_installs_it(alice: Any) -> None:
    document = speech_upload(alice)
    with override_settings(SPEECH_MODEL="a-model-that-is-not-here"):
        jobs_run()
    shown = alice.client.get(f"/api/v1/documents/{document.pk}").json()
    assert (shown["state"], shown["error"]["code"]) == ("failed", "speech_not_installed")
    assert "scripts/start --with-speech" in shown["error"]["hint"]
    document_retry(organisation=alice.organisation.id, document=document.pk)
    jobs_run()
    document.refresh_from_db()
    assert document.state == "ready"


def test_a_recording_that_waits_can_be_cancelled_and_read_again(alice: Any) -> None:
    document = speech_upload(alice)
    jobs_run("ingest")
    document_cancel(organisation=alice.organisation.id, document=document.pk)
    document.refresh_from_db()
    assert (document.state, job_of(document)[2]) == ("cancelled", "cancelled")
    document_retry(organisation=alice.organisation.id, document=document.pk)
    assert job_of(document) == ("ingest", "cpu", "queued")


def test_a_new_file_replaces_a_recording_that_still_waits(alice: Any) -> None:
    document = speech_upload(alice)
    jobs_run("ingest")
    upload(alice.organisation, JFK.name, wav(noise(1)[: RATE // 2]))
    jobs_run()
    document.refresh_from_db()
    assert (document.state, document.error_code) == ("failed", "no_speech")
    assert Job.objects.filter(subject=str(document.pk), state__in=("queued", "running")).count() == 0
