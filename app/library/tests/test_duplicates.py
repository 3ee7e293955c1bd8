"""Documents that repeat others: the same bytes, and most of the same passages."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from app.jobs.tests.running import jobs_run
from app.library.models import Chunk, Document, DocumentMatch
from app.library.pipeline.matches import _MATCHES, PER_PASSAGE
from app.library.selectors.duplicates import _AMONG, duplicates_among, duplicates_of
from app.library.tests.stores import long_text, upload
from tests.people import Person


@pytest.fixture(autouse=True)
def engines(qdrant: str, embedder: str) -> None:
    """Have the engines that an ingest needs."""


def sections(count: int, *, other: int = 0) -> bytes:
    """Return sections of a page each, of which the last `other` are of another depot."""
    texts = [long_text(1, f"parcel {number}").decode() for number in range(count - other)]
    texts += [long_text(1, f"crate {number}").decode() for number in range(other)]
    return "\n\n".join(text.replace("Section 0", f"Section {number}") for number, text in enumerate(texts)).encode()


def shown(person: Person, document: Document) -> list[tuple[str, int, bool]]:
    payload = person.client.get(f"/api/v1/documents/{document.pk}").json()
    return [(row["document"]["name"], row["percent"], row["same_bytes"]) for row in payload["duplicates"]]


def test_a_document_with_the_bytes_of_another_is_shown_as_its_duplicate(alice: Person, charlie: Person) -> None:
    one, two = (upload(alice.organisation, name, b"# Rules\n\nNo smoking.") for name in ("one.md", "two.md"))
    theirs = upload(charlie.organisation, "theirs.md", b"# Rules\n\nNo smoking.")
    assert shown(alice, one) == [("two.md", 100, True)]
    assert shown(alice, two) == [("one.md", 100, True)]
    assert shown(charlie, theirs) == []
    jobs_run()
    assert shown(alice, one) == [("two.md", 100, True)]
    assert shown(charlie, theirs) == []
    page = alice.client.get(f"/documents/{one.pk}").content.decode()
    assert "This repeats another document" in page
    assert f'<a href="/documents/{two.pk}" dir="auto">two.md</a> <span>the same file</span>' in page
    assert alice.client.get("/documents").content.decode().count('class="duplicate-word">duplicate<') == 2
    assert "duplicate-word" not in charlie.client.get("/documents").content.decode()
    alice.client.delete(f"/api/v1/documents/{two.pk}")
    assert shown(alice, one) == []


def test_a_document_that_shares_most_passages_is_near_and_one_that_shares_some_is_not(
    alice: Person, charlie: Person
) -> None:
    first = upload(alice.organisation, "first.md", sections(10))
    near = upload(alice.organisation, "near.md", sections(10, other=2))
    far = upload(alice.organisation, "far.md", sections(10, other=3))
    theirs = upload(charlie.organisation, "theirs.md", sections(10))
    jobs_run()
    count = Chunk.objects.filter(document=first).count()
    assert count >= 10
    [row] = shown(alice, near)
    assert row[0] == "first.md"
    assert 80 <= row[1] < 100
    assert ("near.md", row[1], False) in shown(alice, first)
    # Nine of ten of far's own passages stand in near, but not all in first.
    assert "first.md" not in [name for name, _, _ in shown(alice, far)]
    assert shown(charlie, theirs) == []
    assert "near duplicate" in alice.client.get("/documents").content.decode()


def test_a_short_document_that_stands_whole_in_a_long_one_is_shown_on_its_own_page_only(alice: Person) -> None:
    short = upload(alice.organisation, "short.md", sections(3))
    long = upload(alice.organisation, "long.md", sections(12))
    jobs_run()
    assert shown(alice, short) == [("long.md", 100, False)]
    assert shown(alice, long) == []


def test_a_new_version_that_repeats_nothing_is_no_duplicate_any_more(alice: Person) -> None:
    first = upload(alice.organisation, "first.md", sections(4))
    second = upload(alice.organisation, "second.md", sections(4) + b"\n\n")
    jobs_run()
    assert shown(alice, first) == [("second.md", 100, False)]
    upload(alice.organisation, "second.md", b"# Something else\n\nNothing of it is left.")
    jobs_run()
    assert (shown(alice, first), shown(alice, second)) == ([], [])
    assert not DocumentMatch.objects.exists()


def test_a_passage_of_many_documents_costs_no_more_than_one_of_few(alice: Person) -> None:
    for number in range(PER_PASSAGE + 5):
        upload(alice.organisation, f"{number}.md", b"# Notice\n\nThis mail is confidential." + b"\n" * number)
    jobs_run()
    newest = Document.objects.latest("created")
    assert len(duplicates_of(organisation=alice.organisation.pk, document=newest.pk)) == PER_PASSAGE
    assert not DocumentMatch.objects.filter(percent__gt=100).exists()
    ids = list(Document.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as queries:
        assert set(duplicates_among(organisation=alice.organisation.pk, documents=ids)) == set(ids)
    assert len(queries) == 1


def test_the_comparison_and_the_list_read_indexes_and_no_whole_table(alice: Person) -> None:
    document = upload(alice.organisation, "one.md", sections(3))
    jobs_run()
    version = document.versions.get().pk
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO library_chunk (id, organisation_id, document_id, version_id, position, text, embed_text,"
            " tokens, start, \"end\", place) SELECT gen_random_uuid(), %s, %s, %s, 1000 + n, 'text ' || n, '', 1, 0, 1,"
            " '{}' FROM generate_series(1, 20000) n",
            [alice.organisation.pk, document.pk, version],
        )
        cursor.execute("ANALYZE library_chunk")
        values = {
            "job": version, "fence": 0, "organisation": alice.organisation.pk, "document": document.pk,
            "version": version, "chunks": 3, "documents": [document.pk],
        }  # fmt: skip
        for statement in (_MATCHES, _AMONG):
            cursor.execute(f"EXPLAIN {statement}", values)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan on library_chunk" not in plan
        cursor.execute(f"EXPLAIN {_MATCHES}", values)
        assert "chunk_by_text" in "\n".join(line for (line,) in cursor.fetchall())
