"""Files inside mails and archives, through the API and a real worker: documents linked to their holder."""

import io
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from app.errors import Conflict
from app.library.connectors.protocol import Content, Item
from app.library.models import Document, DocumentVersion, Source
from app.library.services.documents import document_delete, document_retry
from app.library.services.intake import document_put
from app.library.services.sources import source_delete
from app.library.tests.mails import archive_of, encrypted, mail
from app.library.tests.stores import leases_age, stores_agree, stores_empty, upload, wait_jobs, wait_ready
from app.library.tests.workers import worker, worker_kill, worker_start
from app.retrieval.search import PASSAGES_SQL
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

PRICES = b"Berth,Price\nPier C,417 crowns\nPier D,389 crowns\n"
OFFER = mail(
    "Offer for the berth",
    "The offer is attached.",
    ("prices.csv", PRICES),
    (
        "",
        mail("Question about Pier C", "Is the key 7752 still right?", ("keys.txt", b"The spare key hangs at hook 31.")),
    ),
)


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str) -> None:
    stores_empty()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[None]:
    with worker(tmp_path / "worker.log"):
        yield


def tree() -> dict[str, str | None]:
    """Return each document's external id and that of its holder."""
    return {row.external_id: row.parent and row.parent.external_id for row in Document.objects.select_related("parent")}


def test_attachments_are_documents_linked_to_their_mail(alice: Any, charlie: Any, running: None) -> None:
    offer = upload(alice.organisation, "offer.eml", OFFER.as_bytes())
    wait_ready(offer)
    wait_jobs()
    question = "offer.eml/Question about Pier C.eml"
    assert tree() == {
        "offer.eml": None,
        "offer.eml/prices.csv": "offer.eml",
        question: "offer.eml",
        f"{question}/keys.txt": question,
    }
    assert set(Document.objects.values_list("state", flat=True)) == {"ready"}
    found = alice.client.get(f"/api/v1/documents?parent={offer.id}").json()["items"]
    assert {(item["name"], item["parent"], item["parent_name"]) for item in found} == {
        ("prices.csv", str(offer.id), "offer.eml"),
        ("Question about Pier C.eml", str(offer.id), "offer.eml"),
    }
    assert charlie.client.get(f"/api/v1/documents?parent={offer.id}").json()["items"] == []
    # A citation says which mail the file is from, whether it is read by the statement of answers or from its page.
    prices = Document.objects.get(name="prices.csv")
    [passage] = alice.client.get(f"/api/v1/documents/{prices.id}/chunks").json()["items"]
    assert passage["document"]["name"] == "prices.csv (in offer.eml)"
    with connection.cursor() as cursor:
        values = {"ids": [passage["id"]], "organisation": alice.organisation.id, "sources": None}
        cursor.execute(PASSAGES_SQL, values)
        assert cursor.fetchone()[5] == "prices.csv (in offer.eml)"
    stores_agree()


def test_a_new_version_keeps_what_is_the_same_and_removes_what_is_gone(alice: Any, running: None) -> None:
    first = {"same.txt": b"The gate opens at six.", "old/gone.txt": b"Leave me.", "changed.txt": b"Red."}
    box = upload(alice.organisation, "box.zip", archive_of(first))
    wait_ready(box)
    wait_jobs()
    before = {row.external_id: row.pk for row in Document.objects.all()}
    versions = DocumentVersion.objects.count()
    upload(alice.organisation, "box.zip", archive_of({**first, "changed.txt": b"Blue.", "old/gone.txt": b""}))
    wait_jobs()
    after = {row.external_id: row.pk for row in Document.objects.all()}
    # An empty file is no document, and its path is known still: what was there stays.
    assert after == before
    del first["old/gone.txt"]
    upload(alice.organisation, "box.zip", archive_of({**first, "changed.txt": b"Blue."}))
    wait_jobs()
    assert set(tree()) == {"box.zip", "box.zip/same.txt", "box.zip/changed.txt"}
    # Two further versions of the archive and one of the file that changed.
    assert DocumentVersion.objects.count() == versions + 3 - 1
    assert Document.objects.get(name="same.txt").version == 1
    assert Document.objects.get(name="changed.txt").version == 2
    document_retry(organisation=alice.organisation.id, document=box.id)
    wait_jobs()
    assert Document.objects.get(name="same.txt").version == 1
    document_delete(organisation=alice.organisation.id, document=box.id)
    wait_jobs()
    assert tree() == {}
    stores_agree()


def test_bad_members_hide_no_others_and_names_lead_nowhere(alice: Any, running: None) -> None:
    files = {
        "../../etc/passwd": b"root of all evil",
        "C:\\temp\\note.txt": b"The boiler has 4 bar.",
        "secret.txt": b"locked",
        "bomb.txt": b"0" * 30_000_000,
        "__MACOSX/._note.txt": b"junk",
        "empty.txt": b"",
        "folder/fine.txt": b"The boiler is red.",
    }
    box = upload(alice.organisation, "box.zip", encrypted(archive_of(files), "secret.txt"))
    wait_ready(box)
    wait_jobs()
    assert set(tree()) == {"box.zip", "box.zip/etc/passwd", "box.zip/C:/temp/note.txt", "box.zip/folder/fine.txt"}
    assert sorted(DocumentVersion.objects.get(document=box).warnings) == [
        "member_not_read:empty_file:empty.txt",
        "member_not_read:encrypted_file:secret.txt",
        "member_not_read:file_too_complex:bomb.txt",
    ]
    assert Document.objects.get(external_id="box.zip/etc/passwd").name == "passwd"
    stores_agree()


def test_archives_in_archives_end_at_the_third(alice: Any, running: None) -> None:
    data = archive_of({"deepest.txt": b"Nobody reads this."})
    for level in range(5):
        data = archive_of({f"{level}.zip": data, f"{level}.txt": f"This is level {level}.".encode()})
    upload(alice.organisation, "box.zip", data)
    wait_jobs()
    inside = [f"box.zip/{path}" for path in ("4", "4.zip/3", "4.zip/3.zip/2")]
    assert set(tree()) == {"box.zip", *(f"{path}.{suffix}" for path in inside for suffix in ("txt", "zip"))}
    last = Document.objects.get(name="2.zip")
    assert last.state == "ready"
    assert DocumentVersion.objects.get(document=last).warnings == ["members_too_deep"]


def test_a_killed_worker_loses_and_doubles_no_member(alice: Any, tmp_path: Path) -> None:
    files = {f"file {number}.txt": f"Locker {number} holds {number * 7} keys.".encode() for number in range(40)}
    box = upload(alice.organisation, "box.zip", archive_of(files))
    process = worker_start(tmp_path / "worker.log")
    wait_until(lambda: Document.objects.count() > 5, what="some members")
    worker_kill(process, signal.SIGKILL)
    leases_age()
    with worker(tmp_path / "worker.log"):
        wait_ready(box)
        wait_jobs()
    assert set(tree()) == {"box.zip", *(f"box.zip/{name}" for name in files)}
    assert set(Document.objects.values_list("state", "version").distinct()) == {("ready", 1)} | {
        ("ready", version) for version in Document.objects.filter(pk=box.pk).values_list("version", flat=True)
    }
    stores_agree()


def test_a_source_goes_with_what_is_inside_its_documents(alice: Any, running: None) -> None:
    upload(alice.organisation, "offer.eml", OFFER.as_bytes())
    wait_jobs()
    source = Source.objects.get(organisation=alice.organisation)
    assert source_delete(organisation=alice.organisation.id, source=source) == 4
    wait_jobs()
    assert tree() == {}
    stores_agree()


def test_nobody_takes_the_place_of_a_member(alice: Any, running: None) -> None:
    upload(alice.organisation, "offer.eml", OFFER.as_bytes())
    wait_jobs()
    source = Source.objects.get(organisation=alice.organisation)
    with pytest.raises(Conflict):
        document_put(
            organisation=alice.organisation.id,
            source=source,
            item=Item("offer.eml/prices.csv", "prices.csv"),
            content=Content(io.BytesIO(b"Other prices")),
        )
