import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.test import Client

from app.jobs.models import Job
from app.lib.storage import storage
from app.library.models import Document, DocumentVersion

pytestmark = pytest.mark.django_db(transaction=True)


def send(person: Any, *files: tuple[str, bytes], **form: str | list[str]) -> Any:
    sent = [SimpleUploadedFile(name, data) for name, data in files]
    return person.client.post("/api/v1/documents", {"file": sent, **form})


def item_of(answer: Any) -> Any:
    assert answer.status_code == 202, answer.content
    [item] = answer.json()["items"]
    return item


def test_an_upload_makes_a_document_a_version_a_job_and_an_object(alice: Any) -> None:
    item = item_of(send(alice, ("note.txt", b"hello")))
    assert item["name"] == "note.txt"
    assert (item["state"], item["bytes"], item["error"]) == ("queued", 5, None)
    assert item["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert item["source"]["name"] == "Uploads"
    job = Job.objects.get()
    assert (job.subject, job.state, job.organisation_id) == (item["id"], "queued", alice.organisation.id)
    version = DocumentVersion.objects.get()
    with storage().open(version.storage_key) as file:
        assert file.read() == b"hello"


def test_the_same_bytes_under_the_same_name_answer_the_document_that_is_there(alice: Any) -> None:
    first = item_of(send(alice, ("one.txt", b"same")))
    again = item_of(send(alice, ("one.txt", b"same")))
    assert (first["outcome"], again["outcome"]) == ("created", "unchanged")
    assert {**again, "outcome": "created"} == first
    assert Job.objects.count() == 1


def test_the_same_bytes_under_two_names_are_two_documents_and_one_object(alice: Any) -> None:
    one, two = (item_of(send(alice, (name, b"same"))) for name in ("one.txt", "two.txt"))
    assert one["id"] != two["id"]
    assert (one["external_id"], two["external_id"]) == ("one.txt", "two.txt")
    assert one["sha256"] == two["sha256"]
    assert len(set(DocumentVersion.objects.values_list("storage_key", flat=True))) == 1


def test_a_file_has_the_id_that_the_caller_gives_it(alice: Any) -> None:
    files = (("a.txt", b"a"), ("b.txt", b"b"))
    items = send(alice, *files, external_id=["first", "second"]).json()["items"]
    assert [(item["external_id"], item["name"]) for item in items] == [("first", "a.txt"), ("second", "b.txt")]
    renamed = item_of(send(alice, ("c.txt", b"a"), external_id="first"))
    assert (renamed["id"], renamed["name"], renamed["outcome"]) == (items[0]["id"], "c.txt", "unchanged")
    assert get(alice, "?q=c.txt")[0]["external_id"] == "first"


def test_ids_are_given_for_each_file_or_for_none(alice: Any) -> None:
    answer = send(alice, ("a.txt", b"a"), ("b.txt", b"b"), external_id=["first"])
    assert answer.status_code == 422
    assert "2 files and 1 external_ids" in answer.json()["error"]["message"]
    for bad in ("a\x00b", "a\nb", "x" * 2001, "\u00e4" * 1001):
        item = item_of(send(alice, ("a.txt", b"a"), external_id=bad))
        assert (item["id"], item["error"]["code"]) == (None, "invalid_request"), bad
    assert item_of(send(alice, ("a.txt", b"a"), external_id="\u00e4" * 1000))["state"] == "queued"
    assert Document.objects.count() == 1


def test_the_same_bytes_in_another_organisation_are_another_document(alice: Any, charlie: Any) -> None:
    ours, theirs = (item_of(send(person, ("x.txt", b"same"))) for person in (alice, charlie))
    assert ours["id"] != theirs["id"]
    assert len(list(storage().objects())) >= 2


def test_a_bad_file_does_not_lose_the_others(alice: Any) -> None:
    answer = send(alice, ("good.txt", b"good"), ("empty.txt", b""), ("also.txt", b"also good"))
    assert answer.status_code == 202
    good, empty, also = answer.json()["items"]
    assert (good["state"], also["state"]) == ("queued", "queued")
    assert (empty["id"], empty["name"], empty["error"]["code"]) == (None, "empty.txt", "empty_file")
    assert empty["error"]["hint"]
    assert Document.objects.count() == 2


def test_the_largest_file_is_taken_and_one_byte_more_is_not(alice: Any, settings: Any, tmp_path: Path) -> None:
    assert settings.UPLOAD_MAX_BYTES == 500 * 1024 * 1024
    settings.UPLOAD_MAX_BYTES = limit = 50 * 1024 * 1024
    path = tmp_path / "large.txt"
    for size, code in ((limit, None), (limit + 1, "file_too_large")):
        with path.open("wb") as file:
            file.truncate(size)
        with path.open("rb") as file:
            item = item_of(alice.client.post("/api/v1/documents", {"file": file}))
        assert (item["error"] and item["error"]["code"]) == code
    version = DocumentVersion.objects.get()
    assert version.bytes == limit
    storage().delete(version.storage_key)


def test_no_file_says_so(alice: Any) -> None:
    for answer in (alice.client.post("/api/v1/documents"), alice.client.post("/api/v1/documents", {"source": ""})):
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "no_file"


def test_a_hostile_name_is_shown_harmless_and_never_reaches_the_store(alice: Any) -> None:
    item = item_of(send(alice, ("../../\u202eevil\u0007 \U0001f600" + "n" * 300 + ".txt", b"hostile")))
    assert item["name"].startswith("evil \U0001f600nnn")
    assert item["name"].endswith(".txt")
    assert len(item["name"]) <= 255
    assert "evil" not in DocumentVersion.objects.get().storage_key


def test_a_source_is_named_by_its_name_or_its_id(alice: Any, uploads: Any) -> None:
    source = uploads(alice.organisation)
    made = alice.client.post("/api/v1/sources", {"name": "Handbooks"}, content_type="application/json").json()
    assert item_of(send(alice, ("a.txt", b"a"), source="Handbooks"))["source"]["id"] == made["id"]
    assert item_of(send(alice, ("b.txt", b"b"), source=made["id"]))["source"]["name"] == "Handbooks"
    assert item_of(send(alice, ("c.txt", b"c")))["source"]["id"] == str(source.id)
    assert send(alice, ("d.txt", b"d"), source="Nowhere").status_code == 404


def test_32_uploads_at_once_lose_nothing(alice: Any) -> None:
    def one(number: int) -> int:
        client = Client(headers={"Authorization": f"Bearer {alice.key}"})
        try:
            file = SimpleUploadedFile(f"{number}.txt", b"number %d " % number + os.urandom(20_000).hex().encode())
            return client.post("/api/v1/documents", {"file": file}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(one, range(32))) == [202] * 32
    assert Document.objects.count() == Job.objects.count() == DocumentVersion.objects.count() == 32
    assert all(storage().exists(version.storage_key) for version in DocumentVersion.objects.all())


def test_the_same_bytes_sent_16_times_at_once_are_one_document(alice: Any) -> None:
    def one(number: int) -> Any:
        client = Client(headers={"Authorization": f"Bearer {alice.key}"})
        try:
            return item_of(client_post(client))["id"]
        finally:
            connections.close_all()

    def client_post(client: Client) -> Any:
        return client.post("/api/v1/documents", {"file": SimpleUploadedFile("same.txt", b"the same bytes")})

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(one, range(16)))) == 1
    assert Document.objects.count() == Job.objects.count() == 1


def test_uploading_again_after_a_failure_tries_again(alice: Any) -> None:
    item = item_of(send(alice, ("x.txt", b"was unlucky")))
    Job.objects.update(state="failed", error_code="parse_crashed")
    Document.objects.update(state="failed", error_code="parse_crashed", error_message="It crashed.")
    assert alice.client.get(f"/api/v1/documents/{item['id']}").json()["error"]["code"] == "parse_crashed"
    again = item_of(send(alice, ("x.txt", b"was unlucky")))
    assert (again["id"], again["state"], again["error"]) == (item["id"], "queued", None)
    assert Job.objects.filter(state="queued").count() == 1


def test_deleting_removes_the_rows_and_leaves_a_job_for_the_rest(alice: Any) -> None:
    item = item_of(send(alice, ("x.txt", b"to be deleted")))
    version = DocumentVersion.objects.get()
    assert alice.client.delete(f"/api/v1/documents/{item['id']}").status_code == 204
    assert not Document.objects.exists()
    job = Job.objects.get(state="queued")
    assert job.kind == "document_delete"
    assert job.payload == {"versions": [str(version.id)], "objects": [version.storage_key]}
    assert alice.client.delete(f"/api/v1/documents/{item['id']}").status_code == 404


def test_a_queued_document_can_be_cancelled_and_tried_again(alice: Any) -> None:
    item = item_of(send(alice, ("x.txt", b"cancel me")))
    address = f"/api/v1/documents/{item['id']}"
    assert alice.client.post(f"{address}/retry").status_code == 409
    assert alice.client.post(f"{address}/cancel").json()["state"] == "cancelled"
    assert alice.client.post(f"{address}/cancel").status_code == 409
    answer = alice.client.post(f"{address}/retry")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert sorted(Job.objects.values_list("state", flat=True)) == ["cancelled", "queued"]


def test_the_list_is_paged_newest_first_and_filtered(alice: Any) -> None:
    names = [f"report {number}.txt" for number in range(5)]
    for name in names:
        send(alice, (name, name.encode()))
    Document.objects.filter(name="report 2.txt").update(state="ready")
    seen, cursor = [], ""
    while True:
        page = alice.client.get("/api/v1/documents", {"limit": 2, "cursor": cursor}).json()
        seen += [item["name"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        send(alice, (f"new {cursor}.txt", cursor.encode()))
    assert seen == names[::-1]
    assert [item["name"] for item in get(alice, "?state=ready")] == ["report 2.txt"]
    assert [item["name"] for item in get(alice, "?q=REPORT 3")] == ["report 3.txt"]
    assert get(alice, "?source=Uploads&q=report 1")[0]["name"] == "report 1.txt"


def get(person: Any, query: str) -> Any:
    return person.client.get("/api/v1/documents" + query).json()["items"]


@pytest.mark.parametrize("query", ["?state=lost", "?cursor=nonsense", "?limit=0", "?limit=1000", "?limit=x"])
def test_a_filter_that_is_none_is_refused(alice: Any, query: str) -> None:
    assert alice.client.get("/api/v1/documents" + query).status_code == 422


def test_the_original_is_a_download_that_no_browser_runs(alice: Any) -> None:
    script = b"<html><script>alert(1)</script></html>"
    item = item_of(send(alice, ('quo"te ü.html', script)))
    Document.objects.update(media_type="text/html")
    answer = alice.client.get(f"/api/v1/documents/{item['id']}/content")
    with pytest.warns(Warning, match="asynchronous iterators"):
        assert b"".join(answer) == script
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''quo%22te%20%C3%BC.html")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "script-src" not in answer["Content-Security-Policy"]


RANGES = [
    ("bytes=0-0", 206, 0, 0),
    ("bytes=3-6", 206, 3, 6),
    ("bytes=3-", 206, 3, 9),
    ("bytes=-4", 206, 6, 9),
    ("bytes=-400", 206, 0, 9),
    ("bytes=5-999999999", 206, 5, 9),
    # A range that makes no sense, or several ranges, are answered with the whole file.
    ("bytes=10-", 200, 0, 9),
    ("bytes=6-3", 200, 0, 9),
    ("bytes=-0", 200, 0, 9),
    ("bytes=-", 200, 0, 9),
    ("bytes=0-1,4-5", 200, 0, 9),
    ("bytes=1-99999999999999999999999999", 200, 0, 9),
    ("pages=1-2", 200, 0, 9),
]


def test_a_range_of_the_original_is_that_range(alice: Any, subtests: pytest.Subtests) -> None:
    address = f"/api/v1/documents/{item_of(send(alice, ('x.txt', b'0123456789')))['id']}/content"
    for asked, status, first, last in RANGES:
        with subtests.test(asked=asked, status=status):
            response = alice.client.get(address, headers={"Range": asked})
            with pytest.warns(Warning, match="asynchronous iterators"):
                assert (response.status_code, b"".join(response)) == (status, b"0123456789"[first : last + 1])
            assert response["Content-Length"] == str(last - first + 1)
            assert response.get("Content-Range") == (f"bytes {first}-{last}/10" if status == 206 else None)
            assert (response["Accept-Ranges"], response["X-Content-Type-Options"]) == ("bytes", "nosniff")
            for tag, expected in ((response["ETag"], status), ('"of another file"', 200)):
                headers = {"Range": asked, "If-Range": tag}
                assert alice.client.get(address, headers=headers).status_code == expected


def test_a_lost_object_is_said(alice: Any) -> None:
    item = item_of(send(alice, ("x.txt", b"object that gets lost")))
    storage().delete(DocumentVersion.objects.get().storage_key)
    answer = alice.client.get(f"/api/v1/documents/{item['id']}/content")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "file_missing")


READ = ["", "/content", "/chunks", "/text", "/pages/1"]
WRITE = [("delete", ""), ("post", "/retry"), ("post", "/cancel")]


@pytest.fixture
def addresses(alice: Any) -> list[str]:
    item = item_of(send(alice, ("secret.txt", b"of acme alone")))
    return [f"/api/v1/documents/{item['id']}", f"/api/v1/sources/{item['source']['id']}"]


def test_another_organisation_finds_no_address(addresses: list[str], charlie: Any) -> None:
    document, source = addresses
    before = digest()
    calls = [("get", document + path) for path in READ] + [(method, document + path) for method, path in WRITE]
    calls += [("get", source), ("delete", source)]
    for method, address in calls:
        assert getattr(charlie.client, method)(address).status_code == 404, (method, address)
    patched = charlie.client.patch(source, {"name": "mine"}, content_type="application/json")
    assert patched.status_code == 404
    assert send(charlie, ("x.txt", b"x"), source=source.rpartition("/")[2]).status_code == 404
    assert get(charlie, "") == []
    assert get(charlie, "?q=secret") == []
    assert charlie.client.get("/api/v1/documents", {"source": source.rpartition("/")[2]}).status_code == 404
    assert charlie.client.get("/api/v1/sources").json()["items"] == []
    assert digest() == before


def test_a_viewer_reads_and_does_not_write(addresses: list[str], bob: Any) -> None:
    document, source = addresses
    before = digest()
    for address in (document, source, "/api/v1/documents", "/api/v1/sources", document + "/content"):
        assert bob.client.get(address).status_code == 200
    for method, path in WRITE:
        assert getattr(bob.client, method)(document + path).status_code == 403
    assert bob.client.delete(source).status_code == 403
    assert bob.client.patch(source, {"name": "x"}, content_type="application/json").status_code == 403
    assert bob.client.post("/api/v1/sources", {"name": "x"}, content_type="application/json").status_code == 403
    assert send(bob, ("x.txt", b"x")).status_code == 403
    assert digest() == before


def test_nobody_without_a_key_or_session_gets_anything(addresses: list[str]) -> None:
    document, source = addresses
    client = Client()
    for address in [document + path for path in READ] + [source, "/api/v1/documents", "/api/v1/documents/events"]:
        assert client.get(address).status_code == 401, address
    for method, path in WRITE:
        assert getattr(client, method)(document + path).status_code == 401


def test_unknown_ids_are_not_found(alice: Any) -> None:
    for path in READ:
        assert alice.client.get(f"/api/v1/documents/{uuid4()}{path}").status_code == 404


def digest() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d::text FROM library_document d UNION ALL SELECT s::text FROM library_source s"
            " UNION ALL SELECT j::text FROM jobs_job j ORDER BY 1"
        )
        return cursor.fetchall()
