"""Either check between organisations is enough: with one of them removed, the other still shows nothing foreign.

The one place where our insides are patched. The walls are the filters (of the selectors' ORM, of the SQL, of the
vector search) and what stands behind them (PostgreSQL's row-level security, the re-read of every hit). 50
organisations hold the same documents, but for one word of each.
"""

import asyncio
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.test import AsyncClient, override_settings

from app.accounts.choices import Role
from app.accounts.models import Organisation
from app.accounts.services import organisation_create
from app.lib.ids import new_id
from app.lib.tenancy import everything_visible, organisations_visible
from app.library.choices import DocumentState
from app.library.models import Chunk, Source
from app.llm.embeddings import vector_numbers
from app.llm.models_kept import embeddings_client
from app.plans.ledger import SEARCH_CHARGED
from app.retrieval import index, search
from app.retrieval.index import Point
from app.retrieval.index_loader import index_writer
from app.retrieval.search import passages_search
from app.retrieval.sparse import document_encode
from tests.callers import HASHER, Callers, callers, key_of, session_of
from tests.documents import document_row
from tests.people import person_make
from tests.routes import requests_for, routes
from tests.snapshot import changes, snapshot

__all__ = ["callers"]  # a fixture

ORGANISATIONS = 50
# With `--all` ten times as many.
SEARCHES = 1_000
AT_ONCE = 16
SUBJECTS = ("pump", "boiler", "grinder", "valve", "sensor", "filter", "hose", "tray", "lid", "motor", "board", "route")
FACTS = (
    "The {subject} is cleaned every 30 days with cold water and dried with a soft cloth. Reference {word}.",
    "A {subject} that leaks is replaced within 24 months from delivery, free of charge. Reference {word}.",
    "Error E-{number} means that the {subject} is blocked: switch off and wait for ten minutes. Reference {word}.",
)
QUESTIONS = [
    question.format(subject=subject, number=number)
    for number, subject in enumerate(SUBJECTS, 10)
    for question in (
        "How often is the {subject} cleaned?",
        "What does error E-{number} of the {subject} mean?",
        "Who replaces a {subject} that leaks, and for how long?",
        "cold water for the {subject}",
        "{subject} blocked, what now",
    )
]


def word_of(number: int) -> str:
    return f"zq{number:03d}finch"


def texts_of(word: str) -> list[str]:
    return [
        fact.format(subject=subject, word=word, number=number)
        for number, subject in enumerate(SUBJECTS, 10)
        for fact in FACTS
    ]


class Towns:
    """The organisations by number, with a key of each."""

    def __init__(self) -> None:
        self.ids: list[UUID] = []
        self.keys: list[str] = []
        self.documents: list[UUID] = []

    def build(self) -> "Towns":
        # Every organisation has the same vectors, which is as near as duplicates come.
        client = embeddings_client()
        vectors = [vector_numbers(vector) for vector in client.embed_documents(texts_of(word_of(0)))]
        for number in range(ORGANISATIONS):
            word = word_of(number)
            organisation = organisation_create(slug=f"town-{number}", name=f"Town {number}")
            self.ids.append(organisation.pk)
            self.keys.append(person_make(f"mayor{number}", organisation, Role.VIEWER).key)
            chunks = [*self._chunks(organisation, word)]
            index_writer(client.space()).points_upsert(
                Point(
                    id=str(chunk.id),
                    organisation=str(organisation.pk),
                    source=str(chunk.document.source_id),
                    document=str(chunk.document_id),
                    version=str(chunk.version_id),
                    dense=vector,
                    words=document_encode(chunk.text),
                )
                for chunk, vector in zip(chunks, vectors, strict=True)
            )
        return self

    def _chunks(self, organisation: Organisation, word: str) -> Iterator[Chunk]:
        source = Source.objects.create(organisation=organisation, name=f"{word} manuals")
        texts = texts_of(word)
        for place in range(0, len(texts), 6):
            document = document_row(source, f"{word} manual {place}.txt", answers=True, state=DocumentState.READY)
            self.documents.append(document.pk)
            version = document.versions.get()
            rows = [
                Chunk(
                    id=new_id(),
                    organisation=organisation,
                    document=document,
                    version=version,
                    position=position,
                    text=text,
                    embed_text=text,
                    tokens=30,
                    start=0,
                    end=len(text),
                    place={"kind": "text"},
                )
                for position, text in enumerate(texts[place : place + 6])
            ]
            yield from Chunk.objects.bulk_create(rows)


@pytest.fixture(scope="module")
def towns(callers: Callers, qdrant: str, embedder: str) -> Towns:
    with override_settings(PASSWORD_HASHERS=[HASHER]):
        return Towns().build()


@pytest.fixture
def searches(all_combinations: bool) -> int:
    return 10 * SEARCHES if all_combinations else SEARCHES


# Each of the checks, removed.


@contextmanager
def vectors_unfiltered(patch: pytest.MonkeyPatch) -> Iterator[None]:
    with patch.context() as patched:
        patched.setattr(index, "organisation_filter", lambda organisation, *more: {"must": list(more)})
        yield


CONDITION = re.compile(r"\b\w+\.organisation_id = %\(organisation\)s")


@contextmanager
def rows_unfiltered(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the organisation out of the filters of the ORM and of the SQL of the search."""
    plain = QuerySet._filter_or_exclude  # type: ignore[attr-defined]
    assert len(CONDITION.findall(search.PASSAGES_SQL)) == 2

    def unfiltered(rows: Any, negate: bool, args: Any, kwargs: dict[str, Any]) -> Any:
        kept = {name: value for name, value in kwargs.items() if name not in ("organisation", "organisation_id")}
        return plain(rows, negate, args, kept)

    with patch.context() as patched:
        patched.setattr(QuerySet, "_filter_or_exclude", unfiltered)
        passages = CONDITION.sub("%(organisation)s::uuid IS NOT NULL", search.PASSAGES_SQL)
        patched.setattr(search, "PASSAGES_SQL", passages)
        patched.setattr(search, "CHARGED_SQL", f"WITH {SEARCH_CHARGED} {passages}")
        yield


async def words_found(towns: Towns, number: int, question: str) -> tuple[int, set[str]]:
    """Return how many of its own passages an organisation finds, and the words of others in them."""
    result = await passages_search(organisation=towns.ids[number], query=question, limit=8)
    text = " ".join(f"{hit.text} {hit.document_name}" for hit in result.hits)
    found = set(re.findall(r"zq\d{3}finch", text))
    own = word_of(number)
    return sum(own in hit.text for hit in result.hits), found - {own}


async def search_at_random(towns: Towns, times: int, seed: int, everything: bool = False) -> tuple[int, list[str]]:
    """Search at random; return the number of own passages found, and a sentence for each foreign one."""
    chance = random.Random(seed)
    asked = iter([(chance.randrange(ORGANISATIONS), chance.choice(QUESTIONS)) for _ in range(times)])
    own, foreign = 0, []

    async def work() -> None:
        nonlocal own
        for number, question in asked:
            with everything_visible() if everything else organisations_visible(towns.ids[number]):
                count, others = await words_found(towns, number, question)
            own += count
            foreign.extend(f"{number} found {word} by {question!r}" for word in others)

    await asyncio.gather(*(asyncio.create_task(work()) for _ in range(AT_ONCE)))
    return own, foreign


async def test_without_the_filter_of_the_vectors_nothing_foreign_is_found(
    towns: Towns, monkeypatch: pytest.MonkeyPatch, searches: int
) -> None:
    with vectors_unfiltered(monkeypatch):
        own, foreign = await search_at_random(towns, searches // 2, seed=1)
    assert foreign == []
    assert own > 0


async def test_without_any_filter_of_ours_row_level_security_shows_nothing_foreign(
    towns: Towns, monkeypatch: pytest.MonkeyPatch, searches: int
) -> None:
    with vectors_unfiltered(monkeypatch), rows_unfiltered(monkeypatch):
        own, foreign = await search_at_random(towns, searches // 2, seed=2)
    assert foreign == []
    assert own > 0


async def test_without_row_level_security_our_filters_show_nothing_foreign(towns: Towns) -> None:
    own, foreign = await search_at_random(towns, 1000, seed=3, everything=True)
    assert foreign == []
    # Everybody finds a whole list of their own: near-duplicates of others take no place in it.
    assert own == 8 * 1000


async def test_without_both_walls_foreign_passages_are_found(towns: Towns, monkeypatch: pytest.MonkeyPatch) -> None:
    # Otherwise the tests above would prove nothing.
    with vectors_unfiltered(monkeypatch), rows_unfiltered(monkeypatch):
        _, foreign = await search_at_random(towns, 50, seed=4, everything=True)
    assert len(foreign) > 50


@pytest.mark.parametrize("taken", ["vectors", "rows"])
async def test_the_same_through_the_api(towns: Towns, monkeypatch: pytest.MonkeyPatch, taken: str) -> None:
    chance, client = random.Random(5), AsyncClient()
    both = taken == "rows"
    with vectors_unfiltered(monkeypatch), rows_unfiltered(monkeypatch) if both else vectors_unfiltered(monkeypatch):
        for _ in range(150):
            number = chance.randrange(ORGANISATIONS)
            headers = {"Authorization": f"Bearer {towns.keys[number]}"}
            sent = {"query": chance.choice(QUESTIONS), "limit": 20}
            responses = [await client.post("/api/v1/search", sent, content_type="application/json", headers=headers)]
            responses += [await client.get("/api/v1/documents?limit=200", headers=headers)]
            document = chance.choice(towns.documents)
            responses += [
                await client.get(f"/api/v1/documents/{document}{more}", headers=headers) for more in ("", "/chunks")
            ]
            assert [response.status_code for response in responses[:2]] == [200, 200]
            for response in responses:
                assert set(re.findall(r"zq\d{3}finch", response.content.decode())) <= {word_of(number)}


async def test_without_the_orm_s_filters_no_door_shows_or_changes_a_foreign_row(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: list[str] = []
    callers_tried = [session_of("session", callers.other[Role.OWNER]), key_of("key", callers.other[Role.OWNER].key)]
    before = await sync_to_async(snapshot)()
    with rows_unfiltered(monkeypatch):
        for caller in callers_tried:
            for route in routes():
                for request in requests_for(route, callers.tenant):
                    response = await caller.send(route.method, request)
                    wrong += [f"{route.name} leaks {word}" for word in callers.words if word in response.text]
                    after = await sync_to_async(snapshot)()
                    wrong += [
                        f"{route.name} as {caller.name} changed {each}"
                        for each in changes(before, after, but={callers.other_id})
                    ]
                    before = after
                    if "{" in route.path and not route.path.endswith("{n}") and response.status < 400:
                        wrong.append(f"{route.name}: {response.status}")
    assert not wrong, "\n".join(wrong)
