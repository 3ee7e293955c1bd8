"""Documents that a program pushes under its own ids, and sources of that kind."""

import io
import json
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from app.audit.models import AuditEntry
from app.jobs.tests.running import jobs_run
from app.library.models import Document, DocumentVersion, Source
from app.library.tests.stores import stores_agree, stores_empty
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = {"external_id": "wiki/leave policy", "name": "Leave policy", "text": "You have 28 days of leave."}


@pytest.fixture
def address(alice: Person) -> str:
    made = alice.client.post("/api/v1/sources", {"name": "Wiki", "kind": "push"}, content_type="application/json")
    assert made.status_code == 201
    return f"/api/v1/sources/{made.json()['id']}"


def push(person: Person, address: str, **values: Any) -> Any:
    return person.client.post(f"{address}/documents", {**PAGE, **values}, content_type="application/json")


def push_file(person: Person, address: str, data: bytes = b"# Leave\n\n28 days.", **values: str) -> Any:
    file = SimpleUploadedFile("leave.md", data)
    return person.client.post(f"{address}/documents", {"file": file, **values})


def test_a_text_is_pushed_read_replaced_and_removed(alice: Person, address: str, qdrant: str, embedder: str) -> None:
    stores_empty()
    first = push(alice, address, url="https://wiki.example.org/leave", metadata={"space": "HR"})
    assert first.status_code == 202
    item = first.json()
    assert (item["outcome"], item["external_id"], item["name"], item["version"]) == (
        "created",
        "wiki/leave policy",
        "Leave policy",
        1,
    )
    assert (item["url"], item["metadata"]) == ("https://wiki.example.org/leave", {"space": "HR"})
    jobs_run()
    shown = alice.client.get(f"/api/v1/documents/{item['id']}").json()
    assert (shown["state"], shown["chunks"], shown["source"]["name"]) == ("ready", 1, "Wiki")
    again = push(alice, address, text="You have 30 days of leave.", name="Leave")
    assert (again.json()["id"], again.json()["outcome"], again.json()["version"]) == (item["id"], "replaced", 2)
    # Fields that are not sent stay; fields that are sent are replaced without a new version.
    assert again.json()["metadata"] == {"space": "HR"}
    same = push(alice, address, text="You have 30 days of leave.", name="Leave", metadata={})
    assert (same.json()["outcome"], same.json()["metadata"], same.json()["version"]) == ("unchanged", {}, 2)
    jobs_run()
    removed = alice.client.delete(f"{address}/documents/{quote('wiki/leave policy', safe='')}")
    assert removed.status_code == 204
    assert alice.client.delete(f"{address}/documents/wiki/leave%20policy").status_code == 404
    jobs_run()
    assert not Document.objects.exists()
    stores_agree()
    actions = list(
        AuditEntry.objects.filter(target_kind="document").order_by("number").values_list("action", flat=True)
    )
    assert actions == ["document.upload", "document.replace", "document.delete"]


def test_a_file_is_pushed_under_its_name_or_another_id(alice: Person, address: str) -> None:
    plain = push_file(alice, address).json()
    assert (plain["external_id"], plain["name"], plain["outcome"]) == ("leave.md", "leave.md", "created")
    named = push_file(alice, address, external_id="42", name="Leave", url="https://x.example/", metadata='{"a": 1}')
    assert (named.json()["external_id"], named.json()["name"], named.json()["metadata"]) == ("42", "Leave", {"a": 1})
    assert push_file(alice, address, external_id="42").json()["outcome"] == "unchanged"
    assert push_file(alice, address, b"other", external_id="42").json()["outcome"] == "replaced"
    assert len(set(DocumentVersion.objects.values_list("storage_key", flat=True))) == 2


def test_the_media_type_of_a_text_says_how_it_is_read(alice: Person, address: str, qdrant: str, embedder: str) -> None:
    stores_empty()
    texts = {
        "text/markdown": "# Leave\n\nYou have 28 days.",
        "text/html": "<p>You have <b>28</b> days.</p>",
        "text/csv": "Name;Days\nAda;28\n",
        "": "# not a heading",
    }
    for media_type, text in texts.items():
        assert push(alice, address, external_id=media_type or "none", text=text, media_type=media_type).json()["id"]
    jobs_run()
    read = dict(Document.objects.values_list("external_id", "media_type"))
    assert read == {
        "text/markdown": "text/markdown",
        "text/html": "text/html",
        "text/csv": "text/csv",
        "none": "text/plain",
    }


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"external_id": ""}, "external_id"),
        ({"external_id": " "}, "external_id"),
        ({"external_id": "a\nb"}, "external_id"),
        ({"external_id": "ä" * 1001}, "external_id"),
        ({"external_id": None}, "external_id"),
        ({"name": ""}, "name"),
        ({"text": ""}, "text"),
        ({"text": None}, "text"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": "https://x/" + "y" * 2000}, "url"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": "x" * 20_000}}, "metadata"),
        ({"organisation": "other"}, "organisation"),
    ],
)
def test_a_push_that_cannot_be_used_says_which_field(
    alice: Person, address: str, values: dict[str, Any], named: str
) -> None:
    answer = push(alice, address, **values)
    assert answer.status_code == 422
    assert named in answer.content.decode()
    assert not Document.objects.exists()


@pytest.mark.parametrize("metadata", ["nonsense", "[1]", "1", '"text"', '{"a": "' + "x" * 20_000 + '"}'])
def test_metadata_beside_a_file_is_an_object_of_json(alice: Person, address: str, metadata: str) -> None:
    answer = push_file(alice, address, metadata=metadata)
    assert (answer.status_code, "metadata" in answer.json()["error"]["message"]) == (422, True)


def test_other_bodies_are_refused(alice: Person, address: str) -> None:
    path = f"{address}/documents"
    other = alice.client.post(path, "x", content_type="text/plain")
    expected = ["application/json", "multipart/form-data"]
    assert (other.status_code, other.json()["error"]["details"]["expected"]) == (415, expected)
    assert alice.client.post(path, {"name": "x"}).json()["error"]["code"] == "no_file"
    empty = push_file(alice, address, b"")
    assert (empty.status_code, empty.json()["error"]["code"]) == (422, "empty_file")
    large = alice.client.post(path, json.dumps({**PAGE, "text": "x" * 3_000_000}), content_type="application/json")
    assert (large.status_code, large.json()["error"]["code"]) == (413, "request_too_large")


def test_a_source_of_another_organisation_takes_and_gives_nothing(
    address: str, alice: Person, bob: Person, charlie: Person
) -> None:
    push(alice, address)
    before = list(Document.objects.values())
    removal = f"{address}/documents/wiki/leave%20policy"
    assert push(charlie, address).status_code == push_file(charlie, address).status_code == 404
    assert charlie.client.delete(removal).status_code == 404
    assert push(bob, address).status_code == bob.client.delete(removal).status_code == 403
    assert list(Document.objects.values()) == before
    # The same id in another organisation's source is another document.
    own = charlie.client.post("/api/v1/sources", {"name": "Wiki", "kind": "push"}, content_type="application/json")
    assert push(charlie, f"/api/v1/sources/{own.json()['id']}").json()["outcome"] == "created"
    assert Document.objects.count() == 2


def test_a_run_of_a_source_that_documents_are_brought_to_says_so(alice: Person, address: str) -> None:
    for kind in ("push", "uploads"):
        Source.objects.update(kind=kind)
        answer = alice.client.post(f"{address}/runs")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "nothing_to_read")
        assert "pload documents to it, or push them" in answer.json()["error"]["details"]["hint"]
    listed = alice.client.get(f"{address}/runs")
    assert listed.json() == {"items": [], "next": None}


def test_files_can_be_uploaded_into_a_source_of_pushes(alice: Person, address: str) -> None:
    file = io.BytesIO(b"text")
    file.name = "x.txt"
    answer = alice.client.post("/api/v1/documents", {"file": file, "source": "Wiki", "external_id": "17"})
    [item] = answer.json()["items"]
    assert (item["source"]["name"], item["external_id"], item["name"]) == ("Wiki", "17", "x.txt")
