import json
from typing import Any

import pytest

from app.bots.models import Bot
from app.bots.services import bot_create, bot_update
from app.chat.tests.library import DESCALING, HOLIDAY, WARRANTY, document_index
from app.library.models import Source
from tests.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


async def search(person: Person, **body: Any) -> tuple[int, Any]:
    from django.test import AsyncClient

    response = await AsyncClient().post(
        "/api/v1/search", json.dumps(body), content_type="application/json", headers=person.headers
    )
    return response.status_code, json.loads(response.content)


@pytest.fixture
def sources(acme: Any, qdrant: str, embedder: str) -> tuple[Source, Source]:
    manuals = Source.objects.create(organisation=acme, name="manuals")
    people = Source.objects.create(organisation=acme, name="people")
    document_index(acme, "manual.pdf", [WARRANTY, DESCALING], source=manuals)
    document_index(acme, "handbook.docx", [HOLIDAY], source=people)
    return manuals, people


async def test_hits_come_in_rank_order_with_the_score_of_each_stage(
    bob: Person, sources: tuple[Source, Source]
) -> None:
    status, hits = await search(bob, query="How long is the warranty?")
    assert status == 200
    assert hits["hits"][0]["text"] == WARRANTY
    document = hits["hits"][0]["document"]
    assert document["name"] == "manual.pdf"
    assert document["url"] == f"http://localhost:8000/documents/{document['id']}"
    assert [hit["n"] for hit in hits["hits"]] == list(range(1, len(hits["hits"]) + 1))
    scores = [hit["score"] for hit in hits["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert hits["hits"][0]["scores"]["dense"] > 0.3
    assert hits["hits"][0]["scores"]["words"] > 0
    assert hits["support"] > 0.5


async def test_a_search_stays_in_the_sources_that_are_named(bob: Person, sources: tuple[Source, Source]) -> None:
    _, hits = await search(bob, query="warranty", sources=[str(sources[1].pk)])
    assert {hit["document"]["name"] for hit in hits["hits"]} == {"handbook.docx"}
    assert (await search(bob, query="warranty", limit=1))[1]["hits"][0]["text"] == WARRANTY


@pytest.fixture
def hr_bot(bob: Person, sources: tuple[Source, Source]) -> Bot:
    """Create a bot that reads only the second source."""
    bot = bot_create(organisation=bob.organisation, slug="hr", name="HR")
    bot_update(organisation=bob.organisation.pk, bot=bot, sources=[sources[1].pk])
    return bot


async def test_a_search_stays_in_the_bot_s_sources(bob: Person, sources: tuple[Source, Source], hr_bot: Bot) -> None:
    _, hits = await search(bob, query="warranty", bot="hr")
    assert {hit["document"]["name"] for hit in hits["hits"]} == {"handbook.docx"}
    _, hits = await search(bob, query="warranty", bot="hr", sources=[str(sources[0].pk)])
    assert hits["hits"] == []
    assert (await search(bob, query="warranty", bot="none"))[0] == 404


async def test_another_organisation_finds_nothing_and_names_nothing(
    charlie: Person, sources: tuple[Source, Source]
) -> None:
    assert (await search(charlie, query="warranty"))[1]["hits"] == []
    assert (await search(charlie, query="warranty", sources=[str(sources[0].pk)]))[0] == 404


@pytest.mark.parametrize(
    "body", [{}, {"query": ""}, {"query": " \x00"}, {"query": "x" * 2001}, {"query": "x", "limit": 0}]
)
async def test_a_search_for_nothing_is_refused(bob: Person, valkey: str, body: dict[str, Any]) -> None:
    assert (await search(bob, **body))[0] == 422
