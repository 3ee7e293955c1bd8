"""The pages of sources in the portal."""

import re
from typing import Any
from uuid import uuid4

import pytest

from app.accounts.models import Organisation
from app.audit.models import AuditEntry
from app.library.choices import SourceKind
from app.library.models import Run, RunItem, Source
from app.library.services.sources import source_create
from app.library.tests.shelf import Shelf, shelf
from tests.documents import document_row
from tests.people import Person

__all__ = ["shelf"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)


def text(person: Person, path: str, status: int = 200) -> str:
    answer = person.client.get(path)
    assert answer.status_code == status
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def wiki(acme: Organisation) -> Source:
    return source_create(organisation=acme, name="Wiki & Co", kind=SourceKind.PUSH)


def test_without_sources_the_page_says_what_one_is(alice: Person, bob: Person) -> None:
    assert "Make a source" in text(alice, "/sources")
    page = text(bob, "/sources")
    assert "No sources yet" in page
    assert "An editor of Acme can make one." in page
    assert "/sources/new" not in page


def test_sources_are_listed_with_their_documents(bob: Person, charlie: Person, wiki: Source) -> None:
    document_row(wiki, "leave.md")
    page = text(bob, "/sources")
    assert "Wiki &amp; Co" in page
    assert f'href="/documents?source={wiki.pk}">1<' in page
    assert "Wiki" not in text(charlie, "/sources")
    listed = text(bob, f"/documents?source={wiki.pk}")
    assert "leave.md" in listed
    assert "leave.md" in text(bob, "/documents")


def test_a_source_of_pushes_is_made_and_says_how_to_push(alice: Person, bob: Person, settings: Any) -> None:
    form = text(alice, "/sources/new")
    assert "under ids of its own" in form
    answer = alice.client.post("/sources/new", {"name": "Wiki", "kind": "push"})
    source = Source.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/sources/{source.pk}")
    assert AuditEntry.objects.filter(action="source.create").count() == 1
    page = text(alice, f"/sources/{source.pk}")
    assert f"{settings.PUBLIC_URL}/api/v1/sources/{source.pk}/documents" in page
    assert "curl -H &quot;Authorization: Bearer $KEY&quot;" in page or 'curl -H "Authorization: Bearer $KEY"' in page
    assert "/admin/accounts/apikey/add/" in page
    assert "/admin/accounts/apikey/add/" not in text(bob, f"/sources/{source.pk}")
    assert bob.client.get("/sources/new").status_code == bob.client.post("/sources/new").status_code == 403


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ({"name": "", "kind": "push"}, 422, "A source needs a name."),
        ({"name": "Wiki & Co", "kind": "push"}, 409, "There is a source"),
        ({"name": "Site", "kind": "website"}, 422, "kind is one of push, uploads."),
    ],
)
def test_a_source_that_cannot_be_made_says_why(
    alice: Person, wiki: Source, sent: dict[str, str], status: int, words: str
) -> None:
    answer = alice.client.post("/sources/new", sent)
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert Source.objects.count() == 1


def test_a_source_of_uploads_says_how_to_add_files(bob: Person, acme: Organisation) -> None:
    source = source_create(organisation=acme, name="Uploads")
    page = text(bob, f"/sources/{source.pk}")
    assert f"-F source={source.pk}" in page
    assert "Runs" not in page


def test_another_organisation_s_source_is_not_there(charlie: Person, wiki: Source) -> None:
    for path in (f"/sources/{wiki.pk}", f"/sources/{uuid4()}"):
        text(charlie, path, 404)
    assert charlie.client.post(f"/sources/{wiki.pk}/runs").status_code == 404


def test_runs_are_shown_with_what_became_of_their_items(alice: Person, bob: Person, wiki: Source, shelf: Shelf) -> None:
    assert "Not read yet" in text(bob, f"/sources/{wiki.pk}")
    runs = [Run.objects.create(organisation=wiki.organisation, source=wiki, state="done") for _ in range(2)]
    for number in range(101):
        RunItem.objects.create(
            organisation=wiki.organisation,
            run=runs[1],
            external_id=f"item {number:03}",
            outcome="http_error" if number == 7 else "read",
            status=404 if number == 7 else None,
            detail="<b>gone</b>",
        )
    page = text(bob, f"/sources/{wiki.pk}")
    assert "item 000" in page
    assert "item 100" not in page
    assert "Refused by its server (404)" in page
    assert "<b>gone" not in page
    assert "item 100" in text(bob, f"/sources/{wiki.pk}?page=2")
    assert "item 000" not in text(bob, f"/sources/{wiki.pk}?outcome=http_error")
    assert "No items yet." in text(bob, f"/sources/{wiki.pk}?run={runs[0].pk}")
    for chosen in ("nonsense", uuid4()):
        text(bob, f"/sources/{wiki.pk}?run={chosen}", 404)
    assert "Read now" not in page


def test_an_editor_reads_a_source_now_and_its_page_follows(
    alice: Person, bob: Person, wiki: Source, shelf: Shelf
) -> None:
    assert f'action="/sources/{wiki.pk}/runs"' in text(alice, f"/sources/{wiki.pk}")
    assert bob.client.post(f"/sources/{wiki.pk}/runs").status_code == 403
    assert alice.client.post(f"/sources/{wiki.pk}/runs")["Location"] == f"/sources/{wiki.pk}"
    run = Run.objects.get()
    assert alice.client.get(f"/sources/{wiki.pk}")["Refresh"] == "3"
    Run.objects.filter(pk=run.pk).update(state="failed", error_code="source_empty")
    answer = alice.client.get(f"/sources/{wiki.pk}")
    assert "Refresh" not in answer.headers
    assert "Check its settings." in answer.content.decode()


def test_nothing_is_read_where_documents_are_brought(alice: Person, wiki: Source) -> None:
    answer = alice.client.post(f"/sources/{wiki.pk}/runs")
    assert answer.status_code == 409
    assert "nothing to read" in answer.content.decode()
