import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from app.accounts.models import Organisation
from app.errors import CODES
from app.library.choices import DocumentState
from app.library.models import Document, DocumentVersion, Source
from app.library.places import place_label
from tests.documents import document_row
from tests.people import Person

Uploads = Callable[[Organisation], Source]


def page_data(html: str, name: str) -> Any:
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


def names(html: str) -> list[str]:
    return [document["name"] for document in page_data(html, "documents-page")["documents"]]


def test_documents_are_listed_with_their_state_newest_first(
    alice: Person, acme: Organisation, uploads: Uploads
) -> None:
    source = uploads(acme)
    document_row(source, "old.pdf", state=DocumentState.READY, pages=12, chunks=40)
    document_row(source, "broken.pdf", state=DocumentState.FAILED, error_code="encrypted_file")
    html = alice.client.get("/documents").content.decode()
    assert names(html) == ["broken.pdf", "old.pdf"]
    assert page_data(html, "documents-page")["documents"][0]["error"]["hint"] == "Save a copy without the password."


def test_filters_are_in_the_address(alice: Person, acme: Organisation, uploads: Uploads) -> None:
    source = uploads(acme)
    document_row(source, "handbook.pdf", state=DocumentState.READY)
    document_row(source, "handbook old.pdf", state=DocumentState.FAILED)
    document_row(source, "prices.csv", state=DocumentState.READY)
    assert names(alice.client.get("/documents?q=handbook&state=ready").content.decode()) == ["handbook.pdf"]
    assert names(alice.client.get("/documents?state=nonsense").content.decode())[0] == "prices.csv"
    empty = alice.client.get("/documents?q=nothing-like-this").content.decode()
    assert "No document fits" in empty


def test_the_empty_list_teaches_editors_and_explains_to_viewers(alice: Person, bob: Person) -> None:
    assert "Drop files here" in alice.client.get("/documents").content.decode()
    seen_by_bob = bob.client.get("/documents").content.decode()
    assert "An editor of Acme can upload some." in seen_by_bob
    assert 'type="file"' not in seen_by_bob


def test_a_long_list_has_pages(alice: Person, acme: Organisation, uploads: Uploads) -> None:
    source = uploads(acme)
    for number in range(105):
        document_row(source, f"{number}.txt")
    assert len(names(alice.client.get("/documents").content.decode())) == 100
    assert names(alice.client.get("/documents?page=2&state=queued").content.decode())[-1] == "0.txt"


def test_another_organisation_sees_nothing(
    alice: Person, charlie: Person, acme: Organisation, uploads: Uploads
) -> None:
    document = document_row(uploads(acme), "secret.pdf")
    assert names(charlie.client.get("/documents").content.decode()) == []
    assert alice.client.get(f"/documents/{document.id}").status_code == 200
    assert charlie.client.get(f"/documents/{document.id}").status_code == 404


def test_a_hostile_name_stays_text(alice: Person, acme: Organisation, uploads: Uploads) -> None:
    evil = '</script><img src=x onerror="alert(1)">.pdf'
    document = document_row(uploads(acme), evil)
    for path in ("/documents", f"/documents/{document.id}"):
        html = alice.client.get(path).content.decode()
        assert "<img src=x" not in html


def test_a_document_s_page_says_why_it_failed(alice: Person, acme: Organisation, uploads: Uploads) -> None:
    document = document_row(uploads(acme), "scan.pdf", state=DocumentState.FAILED, error_code="no_text")
    html = alice.client.get(f"/documents/{document.id}").content.decode()
    shown = page_data(html, "document-page")
    assert shown["document"]["error"]["code"] == "no_text"
    assert shown["words"]["states"]["failed"] == "Failed"
    assert '<ol class="timeline" id="timeline"><li' in html  # in which step


def test_files_inside_a_document_name_it_and_it_names_them(
    alice: Person, charlie: Person, acme: Organisation, uploads: Uploads
) -> None:
    source = uploads(acme)
    mail = document_row(source, "offer <1>.eml", state=DocumentState.READY)
    file = document_row(source, "prices.csv", state=DocumentState.READY)
    Document.objects.filter(pk=file.pk).update(parent=mail)
    DocumentVersion.objects.filter(document=mail).update(
        warnings=["member_not_read:encrypted_file:{secret}.txt", "members_left_out:3", "something_new:x"]
    )
    html = alice.client.get("/documents").content.decode()
    assert f'href="/documents/{mail.pk}">in offer &lt;1&gt;.eml</a>' in html
    assert page_data(html, "documents-page")["documents"][0]["parent"] == str(mail.pk)
    assert names(alice.client.get(f"/documents?parent={mail.pk}").content.decode()) == ["prices.csv"]
    assert len(names(alice.client.get("/documents?parent=nonsense").content.decode())) == 2
    shown = alice.client.get(f"/documents/{mail.pk}").content.decode()
    assert f'<a href="/documents/{file.pk}" dir="auto">prices.csv</a>' in shown
    assert f"{{secret}}.txt: {CODES['encrypted_file'].message}" in shown
    assert "Files beyond the limit, which were not read: 3." in shown
    assert "Something new: x." in shown
    assert (
        f'<a href="/documents/{mail.pk}">offer &lt;1&gt;.eml</a>'
        in alice.client.get(f"/documents/{file.pk}").content.decode()
    )
    assert charlie.client.get(f"/documents/{mail.pk}").status_code == 404


def test_a_document_that_is_done_shows_no_step(alice: Person, acme: Organisation, uploads: Uploads) -> None:
    source = uploads(acme)
    for state in DocumentState:
        document = document_row(source, f"{state}.pdf", state=state)
        html = alice.client.get(f"/documents/{document.id}").content.decode()
        done = state in (DocumentState.READY, DocumentState.CANCELLED)
        assert ('id="timeline" hidden>' in html) is done, state


@pytest.mark.parametrize(
    ("place", "label"),
    [
        ({"kind": "page", "page": 4}, "page 4"),
        ({"kind": "heading", "heading": ["Handbook", "Leave", "Carrying over"]}, "Leave › Carrying over"),
        ({"kind": "row", "rows": [3, 5], "sheet": None}, "rows 3–5"),
        ({"kind": "row", "rows": [3, 3], "sheet": "Prices"}, "Prices, row 3"),
        ({"kind": "time", "start_s": 75.4}, "1:15"),
        ({"kind": "time", "start_s": 3725}, "1:02:05"),
        ({"kind": "time", "start_s": 75.4, "end_s": 75.9}, "1:15"),
        ({"kind": "time", "start_s": 75.4, "end_s": 3725}, "1:15–1:02:05"),
        ({"kind": "text"}, ""),
    ],
)
def test_a_place_is_said_in_words(place: dict[str, Any], label: str) -> None:
    assert place_label(place) == label
