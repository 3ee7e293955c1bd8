"""Limits of an organisation's library: at intake, when a file was read, for many at once, and where people see them."""

import io
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from reportlab.pdfgen.canvas import Canvas

from app.accounts.models import Organisation
from app.errors import RefdeskError
from app.jobs.tests.running import jobs_run
from app.lib.tenancy import organisations_visible
from app.library.models import Document, DocumentVersion
from app.library.parsers.blocks import Block, Parsed, recording_seconds
from app.library.selectors.limits import MB, library_standings
from app.library.services.limits import contents_check, limits_lock
from app.library.tests.stores import upload
from app.plans.models import Plan
from tests.people import Person

TEXT = b"Every person has 25 days of holiday a year."


def limit(organisation: Organisation, **limits: Any) -> None:
    plan = Plan.objects.create(name="small", title="Small", **limits)
    Organisation.objects.filter(pk=organisation.pk).update(plan=plan)


def send(person: Person, **files: bytes) -> list[dict[str, Any]]:
    sent = [SimpleUploadedFile(f"{name}.txt", data) for name, data in files.items()]
    answer = person.client.post("/api/v1/documents", {"file": sent})
    assert answer.status_code == 202
    return list(answer.json()["items"])


def outcomes(items: list[dict[str, Any]]) -> list[str]:
    return [item["error"]["code"] if item["error"] else item["outcome"] for item in items]


def pdf(pages: int) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file)
    for number in range(pages):
        canvas.drawString(72, 700, f"Room {number} has {number + 7} chairs.")
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def test_what_goes_above_the_number_is_refused_alone_and_in_plain_words(alice: Person) -> None:
    limit(alice.organisation, documents=2)
    items = send(alice, one=b"one", two=b"two", three=b"three")
    assert outcomes(items) == ["created", "created", "library_full"]
    error = items[2]["error"]
    assert error["message"] == "Your organisation has 2 of the 2 documents that its plan allows."
    assert "operator of this Refdesk" in error["hint"]
    # Known documents are not new ones: the same bytes and other bytes.
    assert outcomes(send(alice, one=b"one", two=b"two, corrected")) == ["unchanged", "replaced"]
    assert alice.client.delete(f"/api/v1/documents/{items[0]['id']}").status_code == 204
    assert outcomes(send(alice, three=b"three")) == ["created"]


def test_bytes_are_counted_of_the_whole_library_and_a_replaced_file_counts_anew(alice: Person, bob: Person) -> None:
    limit(alice.organisation, document_mb=1)
    items = send(alice, large=b"x " * (MB // 4), more=b"y " * (MB // 4 + 1))
    assert outcomes(items) == ["created", "library_full"]
    assert items[1]["error"]["message"] == (
        "This file has 512.0 KB. 512.0 KB of the 1.0 MB that your plan allows are left."
    )
    assert outcomes(send(alice, large=b"z " * (MB // 2))) == ["replaced"]
    assert Document.objects.count() == 1


def test_a_push_above_a_limit_is_answered_with_413(alice: Person) -> None:
    source = alice.client.post("/api/v1/sources", {"name": "Shop", "kind": "push"}, content_type="application/json")
    limit(alice.organisation, documents=0)
    body = {"external_id": "1", "name": "One", "text": "A text."}
    address = f"/api/v1/sources/{source.json()['id']}/documents"
    answer = alice.client.post(address, body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "library_full")
    details = answer.json()["error"]["details"]
    assert (details["limit"], details["most"], details["used"], details["plan"]) == ("documents", 0, 0, "small")


@pytest.mark.django_db(transaction=True)
def test_many_uploads_at_once_do_not_pass_a_limit_together(alice: Person) -> None:
    limit(alice.organisation, documents=3)
    upload(alice.organisation, "first.txt", TEXT)

    def put(number: int) -> str:
        try:
            with organisations_visible(alice.organisation.pk):
                upload(alice.organisation, f"{number}.txt", b"number %d" % number)
        except RefdeskError as error:
            return error.code
        finally:
            connections.close_all()
        return "stored"

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(put, range(6)))
    assert sorted(results) == ["library_full"] * 4 + ["stored"] * 2
    assert Document.objects.filter(organisation=alice.organisation).count() == 3


def test_pages_above_the_limit_are_refused_before_anything_is_embedded(
    alice: Person, qdrant: str, embedder: str
) -> None:
    limit(alice.organisation, document_pages=5)
    first = upload(alice.organisation, "first.pdf", pdf(3))
    second = upload(alice.organisation, "second.pdf", pdf(4))
    third = upload(alice.organisation, "third.pdf", pdf(2))
    jobs_run()
    states = dict(Document.objects.values_list("pk", "state"))
    assert (states[first.pk], states[second.pk], states[third.pk]) == ("ready", "failed", "ready")
    failed = Document.objects.get(pk=second.pk)
    assert failed.error_code == "library_full"
    assert failed.error_message.startswith("This file has 4 pages. ")
    assert not failed.chunk_rows.exists()
    # The first file may be read again: its own pages do not count twice.
    assert alice.client.post(f"/api/v1/documents/{first.pk}/retry").status_code == 202
    jobs_run()
    assert Document.objects.get(pk=first.pk).state == "ready"


def test_minutes_of_recordings_are_checked_with_what_is_there(alice: Person) -> None:
    limit(alice.organisation, recording_minutes=60)
    there, new = (upload(alice.organisation, name, name.encode()) for name in ("talk.mp3", "next.mp3"))
    DocumentVersion.objects.filter(document=there).update(seconds=50 * 60)
    check = partial(contents_check, organisation=alice.organisation.pk, document=new.pk, pages=None)
    assert limits_lock(organisation=alice.organisation.pk)
    check(seconds=600)
    with pytest.raises(RefdeskError) as refused:
        check(seconds=601)
    assert refused.value.message == (
        "This file has 11 minutes. 10 of the 60 minutes of recordings that your plan allows are left."
    )


def test_the_seconds_of_a_recording_are_those_of_its_last_words() -> None:
    said = tuple(Block("paragraph", "Good morning.", time=(start, start + 2.5)) for start in (0.0, 7.0))
    assert recording_seconds(Parsed(said, "audio/mpeg")) == 10
    assert recording_seconds(Parsed(said, "application/x-subrip")) is None
    assert recording_seconds(Parsed((), "video/mp4")) == 0


def test_an_organisation_without_limits_pays_one_query_and_takes_no_lock(alice: Person) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert not limits_lock(organisation=alice.organisation.pk)
    assert len(queries) == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone() == (0,)


def test_only_the_own_organisation_is_counted(alice: Person, charlie: Person) -> None:
    upload(charlie.organisation, "theirs.txt", TEXT)
    limit(alice.organisation, documents=1)
    assert outcomes(send(alice, mine=b"mine")) == ["created"]


def test_admins_see_how_full_the_library_is(alice: Person, bob: Person) -> None:
    limit(alice.organisation, documents=5, document_mb=10, soft_percent=60)
    send(alice, one=b"one", two=b"two")
    assert "The library of Acme" not in alice.client.get("/documents").content.decode()
    send(alice, three=b"three")
    notice = "The library of Acme holds 3 of 5 documents (plan Small)."
    assert notice in alice.client.get("/documents").content.decode()
    assert notice not in bob.client.get("/documents").content.decode()
    page = alice.client.get("/admin/plans/usageentry/").content.decode()
    assert "<strong>3 of 5 documents</strong>" in page
    assert 'class="low" value="3" max="5"' in page
    assert notice in page
    plan = alice.client.get("/api/v1/usage").json()["plan"]
    assert (plan["documents"], plan["documents_used"], plan["document_bytes"]) == (5, 3, 10 * MB)
    assert (plan["document_pages"], plan["recording_s"], plan["recording_s_used"]) == (None, None, 0)


def test_the_sums_of_a_large_library_are_read_quickly(alice: Person) -> None:
    one = upload(alice.organisation, "one.txt", TEXT)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO library_documentversion (id, organisation_id, document_id, number, state, storage_key, sha256,"
            " bytes, fetched, etag, last_modified, media_type, title, language, chunks, embedding_model, warnings,"
            " attempts, created) SELECT gen_random_uuid(), %s, %s, n + 1, 'active', n::text, '', 100, now(), '', '',"
            " '', '', '', 0, '', '[]', '[]', now() FROM generate_series(1, 10000) n",
            [alice.organisation.pk, one.pk],
        )
    with CaptureQueriesContext(connection) as queries:
        [standing] = library_standings(organisations=[alice.organisation.pk])
    assert standing.limits[1].used == 1_000_000 + len(TEXT)
    assert float(queries[0]["time"]) < 0.1


def test_a_full_disk_refuses_an_upload_and_lets_an_ingest_wait(
    alice: Person, qdrant: str, embedder: str, settings: Any, tmp_path: Path
) -> None:
    known = upload(alice.organisation, "known.txt", TEXT)
    settings.DISK_RESERVE_BYTES = 10**18
    assert outcomes(send(alice, one=TEXT)) == ["disk_full"]
    jobs_run()
    row = Document.objects.get(pk=known.pk)
    assert (row.state, row.error_code) == ("queued", "disk_full")
    assert not row.chunk_rows.exists()
    body = {"file": SimpleUploadedFile("large.txt", b"x" * 200_000)}
    answer = alice.client.post("/api/v1/documents", body)
    assert answer.status_code == 507 or outcomes(answer.json()["items"]) == ["disk_full"]
