from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from app.jobs.models import Job
from app.library.models import Document, Source

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "/api/v1/sources"


def make(person: Any, name: str) -> Any:
    return person.client.post(ADDRESS, {"name": name}, content_type="application/json")


def test_a_source_is_made_read_renamed_and_deleted(alice: Any) -> None:
    made = make(alice, "  Manuals ")
    assert made.status_code == 201
    source = made.json()
    assert (source["name"], source["kind"], source["documents"]) == ("Manuals", "uploads", 0)
    address = f"{ADDRESS}/{source['id']}"
    renamed = alice.client.patch(address, {"name": "Handbooks"}, content_type="application/json")
    assert renamed.json()["name"] == "Handbooks"
    assert alice.client.get(address).json()["name"] == "Handbooks"
    assert alice.client.delete(address).status_code == 204
    assert alice.client.get(address).status_code == 404


def test_a_name_is_taken_once_in_an_organisation(alice: Any, charlie: Any) -> None:
    first, second = make(alice, "Manuals").json(), make(alice, "Guides").json()
    assert make(alice, "Manuals").status_code == 409
    assert make(charlie, "Manuals").status_code == 201
    address = f"{ADDRESS}/{second['id']}"
    assert alice.client.patch(address, {"name": first["name"]}, content_type="application/json").status_code == 409


@pytest.mark.parametrize("name", ["", "   ", "\x00", "x" * 201])
def test_a_name_that_is_none_is_refused(alice: Any, name: str) -> None:
    assert make(alice, name).status_code == 422


def test_deleting_a_source_deletes_its_documents_with_all_they_have(alice: Any) -> None:
    source = make(alice, "Old").json()
    for number in range(3):
        file = SimpleUploadedFile(f"{number}.txt", b"%d" % number)
        alice.client.post("/api/v1/documents", {"file": file, "source": "Old"})
    assert alice.client.get(f"{ADDRESS}/{source['id']}").json()["documents"] == 3
    assert alice.client.delete(f"{ADDRESS}/{source['id']}").status_code == 204
    assert not Document.objects.exists()
    assert not Source.objects.filter(pk=source["id"]).exists()
    assert list(Job.objects.values_list("kind", flat=True)) == ["document_delete"] * 3


def test_a_field_that_nobody_may_set_changes_nothing(alice: Any, other: Any) -> None:
    sent = {"name": "Mine", "organisation": str(other.id), "organisation_id": str(other.id), "kind": "website"}
    made = alice.client.post(ADDRESS, sent, content_type="application/json")
    if made.status_code == 201:
        row = Source.objects.get(pk=made.json()["id"])
        assert (row.organisation_id, row.kind) == (alice.organisation.id, "uploads")
    else:
        assert made.status_code == 422
