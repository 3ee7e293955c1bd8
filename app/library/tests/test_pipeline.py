"""Files of every kind and with every fault, through the API and a real worker."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import AsyncClient
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from app.jobs.models import Job
from app.library.models import Chunk, Document, DocumentVersion
from app.library.tests.stores import long_text, points_of, stores_agree, stores_empty, upload, wait_jobs, wait_ready
from app.library.tests.workers import worker
from app.plans.models import UsageEntry
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def pdf(*pages: str, password: str = "") -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file, encrypt=StandardEncryption(password) if password else None)
    for text in pages:
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", '<Types><Override ContentType="spreadsheetml"/></Types>')
    return file.getvalue()


WIDE = ";".join(f"column {n}" for n in range(100)) + "\n" + ";".join(f"value {n}" for n in range(100)) + "\n"
GOOD = {
    "policy.pdf": pdf("Trips above 500 pounds need approval.", "Hotels cost at most 170 pounds."),
    "latin.csv": "Name;Straße\nMüller;Hauptstraße 1\n".encode("latin-1"),
    "wide.csv": WIDE.encode(),
    "page.html": b"<html><body><h1>Help</h1><p>Press the green button.</p></body></html>",
    "notes.md": b"# Notes\n\nThe printer is called Buttermere.",
    "really-a-pdf.txt": pdf("A wrong extension changes nothing."),
    "name of \U0001f600.txt": b"Emoji stay in names.",
}
BAD = {
    "secret.pdf": (pdf("Locked.", password="secret"), "encrypted_file"),
    "broken.pdf": (b"%PDF-1.7\n" + b"nothing of a PDF " * 50, "broken_file"),
    "scan.pdf": (pdf(""), "no_text"),
    "program.txt": (b"MZ\x90\x00\x03\x00\x00\x00" + bytes(range(256)) * 8, "unsupported_type"),
    "book.docx": (workbook(), "unsupported_type"),
    "spaces.txt": (b"   \n\n  ", "empty_file"),
}


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str) -> None:
    stores_empty()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[None]:
    with worker(tmp_path / "worker.log"):
        yield


def test_an_uploaded_text_becomes_ready_and_its_points_are_its_chunks(alice: Any, running: None) -> None:
    file = SimpleUploadedFile("holiday.txt", b"Holiday\n\nEvery person has 25 days of holiday a year.")
    answer = alice.client.post("/api/v1/documents", {"file": file})
    assert answer.status_code == 202
    [item] = answer.json()["items"]
    assert item["state"] == "queued"
    wait_until(lambda: Document.objects.get(pk=item["id"]).state == "ready", limit_s=30)
    shown = alice.client.get(f"/api/v1/documents/{item['id']}").json()
    assert (shown["percent"], shown["chunks"], shown["media_type"]) == (100, 1, "text/plain")
    points = points_of(alice.organisation.id)
    assert points == {str(chunk) for chunk in Chunk.objects.values_list("id", flat=True)} != set()
    # The ledger counts the embedded tokens, which are under no cap.
    [used] = UsageEntry.objects.filter(organisation=alice.organisation)
    assert (used.kind, used.requests, used.tokens_in) == ("ingest", 0, 0)
    assert used.tokens_embedded == Chunk.objects.get().tokens > 0


def test_a_question_that_names_a_file_finds_it(alice: Any, running: None) -> None:
    documents = {
        name: upload(alice.organisation, name, f"Up to {days} days may be carried over.".encode())
        for days, name in enumerate(("harbour-rules_2024.txt", "workshop.txt", "Kranbahn.txt", "night-shift.txt"), 4)
    }
    for document in documents.values():
        wait_ready(document)
    for name, document in documents.items():
        words = name.removesuffix(".txt").replace("-", " ").replace("_", " ")
        question = {"query": f"How many days may be carried over, by the {words}?"}
        hits = alice.client.post("/api/v1/search", question, content_type="application/json").json()["hits"]
        assert hits[0]["document"]["id"] == str(document.id)


def test_every_file_ends_ready_or_failed_with_a_reason(alice: Any, running: None) -> None:
    sent = [SimpleUploadedFile(name, data) for name, data in GOOD.items()]
    sent += [SimpleUploadedFile(name, data) for name, (data, _) in BAD.items()]
    assert alice.client.post("/api/v1/documents", {"file": sent}).status_code == 202
    wait_jobs()
    found = {item["name"]: item for item in alice.client.get("/api/v1/documents").json()["items"]}
    assert len(found) == len(sent)
    assert {name: found[name]["state"] for name in GOOD} == dict.fromkeys(GOOD, "ready")
    errors = {name: (found[name]["state"], (found[name]["error"] or {}).get("code")) for name in BAD}
    assert errors == {name: ("failed", code) for name, (_, code) in BAD.items()}
    assert all(found[name]["error"]["hint"] for name in BAD)
    assert found["policy.pdf"]["pages"] == 2
    assert found["really-a-pdf.txt"]["media_type"] == "application/pdf"
    texts = "\n".join(Chunk.objects.values_list("text", flat=True))
    assert "Müller" in texts
    assert "value 99" in texts
    stores_agree()


def test_passages_text_and_pages_open_where_they_were_read(alice: Any, charlie: Any, running: None) -> None:
    document = upload(alice.organisation, "policy.pdf", GOOD["policy.pdf"])
    wait_ready(document)
    address = f"/api/v1/documents/{document.id}"
    first = alice.client.get(f"{address}/chunks?limit=1").json()
    second = alice.client.get(f"{address}/chunks?limit=1&cursor={first['next']}").json()
    assert second["next"] is None
    [passage] = second["items"]
    assert (passage["n"], passage["place"]["kind"], passage["place"]["page"]) == (2, "page", 2)
    assert passage["document"]["id"] == str(document.id)
    text = alice.client.get(f"{address}/text?around={passage['id']}").json()
    whole = {block["start"]: block["text"] for block in text["blocks"]}
    start, end = text["mark"]
    assert "Hotels cost at most 170 pounds." in whole[start][: end - start]
    lines = [line for block in text["blocks"] for line in block["lines"]]
    assert [line["box"] for line in lines] == passage["place"]["boxes"]
    assert all(start <= line["start"] < line["end"] <= end for line in lines)
    notes = upload(alice.organisation, "parcels.md", long_text(3))
    wait_ready(notes)
    [part, *_] = alice.client.get(f"/api/v1/documents/{notes.id}/chunks").json()["items"]
    around = alice.client.get(f"/api/v1/documents/{notes.id}/text?around={part['id']}").json()
    assert around["mark"] is not None
    assert all(block["lines"] == [] for block in around["blocks"])
    beginning = alice.client.get(f"{address}/text?limit=1").json()
    assert (len(beginning["blocks"]), beginning["mark"], beginning["total"], beginning["next"]) == (1, None, 2, 1)
    assert alice.client.get(f"{address}/text?from=1").json()["blocks"][0]["page"] == 2
    picture = alice.client.get(f"{address}/pages/2")
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/png")
    assert picture.content.startswith(b"\x89PNG")
    assert abs(int.from_bytes(picture.content[16:20], "big") - 1400) <= 1
    assert alice.client.get(f"{address}/pages/2", headers={"If-None-Match": picture["ETag"]}).status_code == 304
    for page in (0, 3, -1, 10**12):
        assert alice.client.get(f"{address}/pages/{page}").status_code == 404
    assert charlie.client.get(f"{address}/text?around={passage['id']}").status_code == 404
    assert charlie.client.get(f"{address}/pages/2").status_code == 404


def test_a_ready_document_is_read_anew_while_its_old_version_answers(alice: Any, running: None) -> None:
    document = upload(alice.organisation, "parcels.md", long_text(3))
    wait_ready(document)
    old = points_of(alice.organisation.id)
    alice.organisation.chunk_tokens = 60
    alice.organisation.save()
    assert alice.client.post(f"/api/v1/documents/{document.id}/retry").status_code == 202
    wait_jobs()
    shown = alice.client.get(f"/api/v1/documents/{document.id}").json()
    assert (shown["state"], shown["version"]) == ("ready", 2)
    new = points_of(alice.organisation.id)
    assert len(new) == shown["chunks"] > len(old)
    assert not new & old
    assert list(DocumentVersion.objects.values_list("number", "state")) == [(2, "active"), (1, "retired")]
    stores_agree()


def test_a_document_waits_while_search_is_away_and_says_so(alice: Any, tmp_path: Path, unused_tcp_port: int) -> None:
    document = upload(alice.organisation, "a.txt", b"A parcel waits.")
    gone = f"http://127.0.0.1:{unused_tcp_port}"
    with worker(tmp_path / "away.log", REFDESK_QDRANT_URL=gone):
        wait_until(lambda: Document.objects.get().error_code == "search_unavailable", limit_s=40)
    shown = alice.client.get(f"/api/v1/documents/{document.id}").json()
    assert (shown["state"], shown["error"]["code"]) == ("queued", "search_unavailable")
    Job.objects.update(not_before=None)
    with worker(tmp_path / "back.log"):
        wait_ready(document)
    assert Job.objects.get(kind="ingest").deaths == 0
    assert Document.objects.get().error_code == ""


def test_ingest_takes_a_folder_skips_with_reasons_and_waits(
    alice: Any, running: None, tmp_path: Path, capsys: Any
) -> None:
    folder = tmp_path / "files"
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_text("Parcel one.")
    (folder / "below" / "b.md").write_text("Parcel two.")
    (folder / "below" / "empty.txt").touch()
    (folder / ".hidden").write_text("Not taken.")
    (folder / "locked.pdf").write_bytes(BAD["secret.pdf"][0])
    with pytest.raises(SystemExit) as ended:
        call_command("ingest", str(folder), "--organisation", "acme", "--source", "Parcels", "--wait")
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "empty.txt: The file is empty." in said.err
    assert "locked.pdf: The file is protected by a password." in said.err
    assert "3 of 4 files taken" in said.out
    ready = Document.objects.filter(state="ready", source__name="Parcels").values_list("name", flat=True)
    assert set(ready) == {"a.txt", "b.md"}


async def changes(answer: Any, seen: list[tuple[str, Any]]) -> None:
    buffered = b""
    async for part in answer.streaming_content:
        buffered += part
        while b"\n\n" in buffered:
            frame, _, buffered = buffered.partition(b"\n\n")
            lines = dict(line.split(b": ", 1) for line in frame.splitlines() if not line.startswith(b":"))
            if b"data" in lines:
                seen.append((lines[b"event"].decode(), orjson.loads(lines[b"data"])))


async def until(true: Callable[[], Any]) -> None:
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError


@pytest.fixture
async def stream(alice: Any, charlie: Any) -> AsyncIterator[Any]:
    """Collect the events that alice and charlie receive."""
    heard: list[list[tuple[str, Any]]] = [[], []]
    tasks = []
    for person, seen in ((alice, heard[0]), (charlie, heard[1])):
        answer = await AsyncClient().get("/api/v1/documents/events", headers=person.headers)
        assert answer["Content-Type"].startswith("text/event-stream")
        tasks.append(asyncio.create_task(changes(answer, seen)))
    await asyncio.sleep(1)
    yield heard
    for task in tasks:
        task.cancel()


async def test_every_change_is_heard_by_the_organisation_alone(alice: Any, running: None, stream: Any) -> None:
    ours, theirs = stream
    document = await sync_to_async(upload)(alice.organisation, "long.md", long_text(20))
    await until(lambda: ours and ours[-1][1].get("state") == "ready")
    assert {name for name, _ in ours} == {"document"}
    assert {shown["id"] for _, shown in ours} == {str(document.id)}
    states = [shown["state"] for _, shown in ours]
    assert states[0] == "queued"
    assert "running" in states
    percents = [shown["percent"] for _, shown in ours]
    assert percents == sorted(percents)
    deleted = await AsyncClient().delete(f"/api/v1/documents/{document.id}", headers=alice.headers)
    assert deleted.status_code == 204
    await until(lambda: ours[-1][0] == "deleted")
    assert ours[-1][1]["id"] == str(document.id)
    assert theirs == []
