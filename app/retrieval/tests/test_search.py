"""Search as in production: the packaged model, the Edge process and PostgreSQL, all real."""

import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from app.accounts.models import Organisation
from app.chat.tests.library import document_index
from app.embedded.ports import port_find
from app.lib.tenancy import SETTING
from app.library.models import Chunk, Document, DocumentVersion, Source
from app.llm.embeddings import QuestionEmbedder, environment_client, vector_numbers
from app.llm.endpoint import Endpoint
from app.llm.models_kept import embeddings_client, question_embedder
from app.retrieval import search
from app.retrieval.index import Point
from app.retrieval.index_loader import index_writer
from app.retrieval.index_writer import IndexWriter
from app.retrieval.search import (
    PASSAGES_SQL,
    candidates_find,
    passages_order,
    passages_parameters,
    passages_search,
)
from app.retrieval.sparse import document_encode

HOLIDAY = "Every employee has 28 days of paid holiday a year. Unused days expire at the end of March."
EXPENSES = "Travel expenses are reimbursed within two weeks when receipts are handed in."
PRINTER = "The printer X-200 shows error E17 when the toner is empty."

pytestmark = pytest.mark.django_db(transaction=True)
Store = Callable[..., Awaitable[Chunk]]


@pytest.fixture
def writer(qdrant: str, embedder: str) -> Iterator[IndexWriter]:
    made = index_writer(embeddings_client().space())
    yield made
    made.points_delete(point.id for point in made.point_owners())


@pytest.fixture
def store(writer: IndexWriter) -> Store:
    """Make a document of one chunk, ready and indexed."""

    def make(organisation: Organisation, text: str, source: str = "Uploads") -> Chunk:
        place, _ = Source.objects.get_or_create(organisation=organisation, name=source)
        document = document_index(organisation, f"{text[:20]}.txt", [text], source=place)
        return Chunk.objects.select_related("document__source", "version", "organisation").get(document=document)

    return sync_to_async(make)


async def texts(organisation: Organisation, query: str, sources: list[UUID] | None = None) -> list[str]:
    result = await passages_search(organisation=organisation.id, query=query, sources=sources)
    return [hit.text for hit in result.hits]


async def test_the_passage_that_answers_comes_first_with_its_scores_and_place(store: Store, acme: Organisation) -> None:
    stored = {text: await store(acme, text) for text in (EXPENSES, HOLIDAY, PRINTER)}
    result = await passages_search(organisation=acme.id, query="How many days off do I get each year?")
    best = result.hits[0]
    chunk = stored[HOLIDAY]
    assert (best.text, best.id, best.document, best.version) == (HOLIDAY, chunk.id, chunk.document_id, chunk.version_id)
    assert (best.place, best.version_number, best.document_name) == ({"kind": "text"}, 1, f"{HOLIDAY[:20]}.txt")
    assert best.dense > 0.3
    assert best.words > 0
    assert best.as_of == chunk.version.fetched
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
    assert result.supported
    assert set(result.timings) == {"embed_s", "search_s", "read_s"}


async def test_a_code_is_found_by_its_letters(store: Store, acme: Organisation) -> None:
    for text in (EXPENSES, HOLIDAY, PRINTER):
        await store(acme, text)
    assert (await texts(acme, "x200 e17"))[0] == PRINTER


async def test_what_the_documents_do_not_hold_is_not_supported(store: Store, acme: Organisation) -> None:
    for text in (EXPENSES, HOLIDAY, PRINTER):
        await store(acme, text)
    result = await passages_search(organisation=acme.id, query="Who won the chess world championship in 1972?")
    assert not result.supported
    assert result.support < 0.1


async def test_nobody_finds_another_organisation_s_passages(
    store: Store, acme: Organisation, other: Organisation
) -> None:
    await store(acme, HOLIDAY)
    theirs = await store(other, EXPENSES)
    assert await texts(acme, EXPENSES) == [HOLIDAY]
    assert await texts(acme, EXPENSES, [theirs.document.source_id]) == []


async def test_postgresql_is_the_second_check(
    store: Store, writer: IndexWriter, acme: Organisation, other: Organisation
) -> None:
    """Check that points which claim to belong to acme, or have no row, never become passages."""
    mine, theirs = await store(acme, HOLIDAY), await store(other, EXPENSES)
    [vector] = await sync_to_async(environment_client().embed_documents)([EXPENSES])
    lies = [
        Point(
            str(one),
            str(acme.id),
            str(mine.document.source_id),
            "d",
            "v",
            vector_numbers(vector),
            document_encode(EXPENSES),
        )
        for one in (theirs.id, uuid.uuid4())
    ]
    writer.points_upsert(lies)
    result = await candidates_find(organisation=acme.id, query=EXPENSES)
    assert {hit.id for hit in result.hits} == {str(mine.id), *(lie.id for lie in lies)}
    assert await texts(acme, EXPENSES) == [HOLIDAY]


async def test_only_the_active_version_is_read(store: Store, acme: Organisation) -> None:
    chunk = await store(acme, HOLIDAY)
    newer = await DocumentVersion.objects.acreate(
        organisation=acme, document_id=chunk.document_id, number=2, storage_key="y", sha256="y", bytes=1
    )
    await Document.objects.filter(id=chunk.document_id).aupdate(active_version=newer)
    assert await texts(acme, HOLIDAY) == []


async def test_a_document_that_moved_to_another_source_is_not_read_for_the_old_one(
    store: Store, acme: Organisation
) -> None:
    chunk = await store(acme, HOLIDAY, "Handbook")
    old = chunk.document.source_id
    elsewhere = await Source.objects.acreate(organisation=acme, name="Elsewhere")
    await Document.objects.filter(id=chunk.document_id).aupdate(source=elsewhere)
    assert await texts(acme, HOLIDAY) == [HOLIDAY]
    assert await texts(acme, HOLIDAY, [old]) == []


async def test_a_turn_can_read_the_passages_in_a_transaction_of_its_own(store: Store, acme: Organisation) -> None:
    for text in (EXPENSES, HOLIDAY, PRINTER):
        await store(acme, text)
    result = await candidates_find(organisation=acme.id, query="toner error")
    name = settings.DATABASES["default"]["NAME"]
    url = psycopg.conninfo.make_conninfo(settings.DATABASE_URL, dbname=name)
    async with await psycopg.AsyncConnection.connect(url) as database:
        await database.execute(f"SET {SETTING} = '{acme.id}'")
        cursor = await database.execute(PASSAGES_SQL, passages_parameters(organisation=acme.id, found=result))
        passages = passages_order(await cursor.fetchall(), found=result, limit=2)
    assert passages[0].text == PRINTER
    assert passages[0].place == {"kind": "text"}
    assert len(passages) == 2
    assert result.support([passage.text for passage in passages]) >= 0.5


async def test_words_alone_serve_while_the_embedding_model_is_down(
    store: Store, acme: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in (EXPENSES, HOLIDAY, PRINTER):
        await store(acme, text)
    down = QuestionEmbedder(Endpoint(f"http://127.0.0.1:{port_find(None)}/v1"))
    down._space = replace(environment_client().space())

    async def chosen() -> QuestionEmbedder:
        return down

    monkeypatch.setattr(search, "question_embedder", chosen)
    result = await candidates_find(organisation=acme.id, query="When are travel expenses reimbursed?")
    assert not result.dense
    assert [hit.dense for hit in result.hits] == [None] * len(result.hits)
    passages = await passages_search(organisation=acme.id, query="When are travel expenses reimbursed?")
    assert passages.hits[0].text == EXPENSES
    assert passages.supported


async def test_an_organisation_without_documents_finds_nothing(writer: IndexWriter, acme: Organisation) -> None:
    result = await passages_search(organisation=acme.id, query="anything?")
    assert (result.hits, result.support, result.supported) == ([], 0.0, False)


async def test_one_client_serves_a_whole_process(writer: IndexWriter) -> None:
    assert await question_embedder() is await question_embedder()
    assert await sync_to_async(lambda: index_writer(embeddings_client().space()))() is writer
