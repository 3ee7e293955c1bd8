"""A replaced version stays as long as an answer cites it, and no longer."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import F
from django.test import Client

from app.accounts.models import Organisation
from app.bots.services import bot_create
from app.chat.models import Citation, Conversation, Message
from app.jobs.tests.running import jobs_run
from app.lib.storage import storage
from app.library.models import Chunk, Document, DocumentVersion, EmbeddingCache, VersionText
from app.library.tests.stores import long_text, stores_agree, stores_empty, upload
from app.privacy.models import RetentionRun
from app.privacy.retention.run import retention_run
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)
RULE = "After five full years with the company you have {} days of holiday."
FILE = "\n\n".join(["# Holiday", RULE, long_text(5).decode()])


@pytest.fixture(autouse=True)
def empty(db: Any, qdrant: str, embedder: str, valkey: str) -> None:
    stores_empty()


@pytest.fixture
def cited(acme: Organisation, alice: Person) -> Citation:
    """Make a citation of version 1 of a document, then version 2 of the document."""
    upload(acme, "handbook.md", FILE.format(28).encode())
    jobs_run()
    bot_create(organisation=acme, slug="default", name="Desk")
    question = "How many days of holiday after five full years?"
    call_command("ask", "default", question, organisation="acme", stdout=io.StringIO())
    Conversation.objects.update(user=alice.user)
    upload(acme, "handbook.md", FILE.format(30).encode())
    jobs_run()
    document = Document.objects.get()
    assert (document.state, document.version) == ("ready", 2)
    citation = Citation.objects.order_by("start").first()
    assert citation is not None
    return citation


def days_pass(days: int = 2) -> None:
    DocumentVersion.objects.update(retired=F("retired") - timedelta(days=days))
    RetentionRun.objects.all().delete()


def get(client: Client, address: str) -> Any:
    return client.get(f"/api/v1{address}")


def test_a_citation_of_an_old_version_opens_what_it_quoted(cited: Citation, alice: Person, charlie: Person) -> None:
    messages = get(alice.client, f"/conversations/{cited.message.conversation_id}/messages").json()["items"]
    passage = messages[1]["citations"][0]["passage"]
    assert passage["version"] == 1
    assert RULE.format(28) in passage["text"]
    address = f"/documents/{passage['document']['id']}"
    shown = get(alice.client, address).json()
    assert (shown["version"], shown["active_version"]) == (2, 2)
    text = get(alice.client, f"{address}/text?around={passage['id']}").json()
    assert (text["version"], text["media_type"]) == (1, "text/markdown")
    whole = "\n".join(block["text"] for block in text["blocks"])
    assert RULE.format(28) in whole
    assert RULE.format(30) not in whole
    assert text["mark"] is not None
    original = get(alice.client, f"{address}/content?version=1")
    with pytest.warns(Warning, match="asynchronous iterators"):
        assert b"".join(original).decode() == FILE.format(28)
    assert RULE.format(30) in get(alice.client, f"{address}/text").json()["blocks"][1]["text"]
    for path in ("/content?version=3", "/content?version=0", f"/content?version={2**40}", "/pages/1?version=1"):
        assert get(alice.client, address + path).status_code == 404
    for path in ("/content?version=1", f"/text?around={passage['id']}"):
        assert get(charlie.client, address + path).status_code == 404


def test_a_cited_version_stays_with_the_passages_that_are_cited(cited: Citation, acme: Organisation) -> None:
    before = Chunk.objects.filter(version__number=1).count()
    assert before > 3
    days_pass()
    assert retention_run()["acme"]["old_versions"] == 0
    assert set(Chunk.objects.filter(version__number=1).values_list("id", flat=True)) == set(
        Citation.objects.values_list("chunk_id", flat=True)
    )
    version = DocumentVersion.objects.get(number=1)
    assert VersionText.objects.filter(version=version).exists()
    assert storage().exists(version.storage_key)
    stores_agree()


def test_the_version_goes_when_its_last_citation_has_gone(cited: Citation) -> None:
    old = DocumentVersion.objects.get(number=1)
    Message.objects.all().delete()
    days_pass()
    assert retention_run(dry_run=True)["acme"]["old_versions"] == 1
    counts = retention_run()["acme"]
    assert counts["old_versions"] == 1
    # Vectors of its own text only: passages that both versions have stay embedded.
    assert counts["cached_vectors"] == 1
    assert EmbeddingCache.objects.exists()
    jobs_run()
    assert [row.number for row in DocumentVersion.objects.all()] == [2]
    assert not Chunk.objects.filter(version=old.pk).exists()
    assert not storage().exists(old.storage_key)
    stores_agree()


def test_a_version_stays_for_a_day_though_nothing_cites_it_yet(cited: Citation) -> None:
    """Keep it, because an answer that is being written may cite it."""
    Message.objects.all().delete()
    RetentionRun.objects.all().delete()
    assert retention_run()["acme"]["old_versions"] == 0
    assert Chunk.objects.filter(version__number=1).exists()


def test_the_bytes_stay_where_another_version_has_them(cited: Citation, acme: Organisation) -> None:
    Message.objects.all().delete()
    upload(acme, "handbook.md", FILE.format(28).encode())
    jobs_run()
    days_pass()
    assert retention_run()["acme"]["old_versions"] == 2
    jobs_run()
    version = DocumentVersion.objects.get()
    assert version.number == 3
    assert storage().exists(version.storage_key)
    stores_agree()


def test_an_erased_conversation_lets_its_versions_go(cited: Citation, bob: Person) -> None:
    Conversation.objects.update(user=bob.user)
    call_command("person_erase", "bob@example.org", organisation="acme", yes=True, stdout=io.StringIO())
    assert not Citation.objects.exists()
    days_pass()
    assert retention_run()["acme"]["old_versions"] == 1
