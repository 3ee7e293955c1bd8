from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from app.jobs.models import Job
from app.library.models import Document, Run, RunItem, Source

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
    assert (
        sorted(Job.objects.values_list("kind", "state"))
        == [("document_delete", "queued")] * 3 + [("ingest", "cancelled")] * 3
    )


@pytest.mark.parametrize("field", ["organisation", "organisation_id", "cursor", "credential", "state"])
def test_a_field_that_nobody_may_set_is_refused(alice: Any, other: Any, field: str) -> None:
    sent = {"name": "Mine", field: str(other.id)}
    assert alice.client.post(ADDRESS, sent, content_type="application/json").status_code == 422
    assert not Source.objects.exists()


def test_a_source_shows_its_kind_its_settings_and_its_schedule(alice: Any) -> None:
    made = alice.client.post(ADDRESS, {"name": "Wiki", "kind": "push"}, content_type="application/json").json()
    assert (made["kind"], made["settings"], made["last_run"]) == ("push", {}, None)
    assert made["schedule"] == {"preset": "off", "cron": None, "time_zone": "UTC", "next_run": None}
    listed = alice.client.get(ADDRESS).json()["items"]
    assert [item["name"] for item in listed] == ["Wiki"]


@pytest.mark.parametrize(
    "sent",
    [
        {"kind": "website"},
        {"kind": "Uploads"},
        {"settings": {"start": ["https://example.org"]}},
        {"settings": []},
        {"schedule": {"preset": "yearly"}},
        {"schedule": {"preset": "daily"}},  # a source that is sent its documents has no schedule
        {"schedule": {"every": 5}},
    ],
)
def test_what_a_kind_does_not_have_is_refused(alice: Any, sent: dict[str, Any]) -> None:
    answer = alice.client.post(ADDRESS, {"name": "Mine", **sent}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
    made = make(alice, "Mine").json()
    patched = alice.client.patch(f"{ADDRESS}/{made['id']}", sent, content_type="application/json")
    assert patched.status_code == 422


def test_the_kind_of_a_source_stays(alice: Any) -> None:
    address = f"{ADDRESS}/{make(alice, 'Mine').json()['id']}"
    assert alice.client.patch(address, {"kind": "push"}, content_type="application/json").status_code == 422
    assert alice.client.patch(address, {}, content_type="application/json").json()["kind"] == "uploads"


def test_runs_are_listed_newest_first_with_what_became_of_their_items(alice: Any, bob: Any, charlie: Any) -> None:
    source = Source.objects.get(pk=make(alice, "Shelf").json()["id"])
    runs = [Run.objects.create(organisation=source.organisation, source=source, state="done") for _ in range(3)]
    for number, outcome in enumerate(("read", "robots", "read")):
        RunItem.objects.create(
            organisation=source.organisation, run=runs[2], external_id=f"item {number}", outcome=outcome
        )
    address = f"{ADDRESS}/{source.pk}/runs"
    page = bob.client.get(f"{address}?limit=2").json()
    rest = bob.client.get(f"{address}?limit=2&cursor={page['next']}").json()
    assert [run["id"] for run in page["items"] + rest["items"]] == [str(run.pk) for run in reversed(runs)]
    assert bob.client.get(f"{ADDRESS}/{source.pk}").json()["last_run"]["id"] == str(runs[2].pk)
    run = f"/api/v1/runs/{runs[2].pk}"
    assert bob.client.get(run).json()["state"] == "done"
    items = bob.client.get(f"{run}/addresses?limit=2").json()
    more = bob.client.get(f"{run}/addresses?limit=2&cursor={items['next']}").json()
    assert [item["external_id"] for item in items["items"] + more["items"]] == ["item 0", "item 1", "item 2"]
    only = bob.client.get(f"{run}/addresses?outcome=robots").json()["items"]
    assert [(item["external_id"], item["url"], item["status"]) for item in only] == [("item 1", None, None)]
    assert bob.client.get(f"{run}/addresses?outcome=lost").status_code == 422
    assert bob.client.post(address).status_code == 403
    for path in (address, run, f"{run}/addresses"):
        assert charlie.client.get(path).status_code == 404
    assert charlie.client.post(address).status_code == 404
