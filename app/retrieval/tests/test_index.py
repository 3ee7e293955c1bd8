"""The contract of the vector store, with Qdrant's own client as the oracle."""

import math
import random
import threading
import uuid
from collections.abc import Sequence

import pytest
from qdrant_client import QdrantClient
from qdrant_client import models as m

from app.embedded.ports import port_find
from app.errors import Upstream
from app.lib.http import http_session_close
from app.llm.embeddings import EmbeddingSpace
from app.retrieval.index import IndexReader, IndexServer, Point, collection_name
from app.retrieval.index_writer import IndexWriter
from app.retrieval.sparse import SparseVector, document_encode, query_encode

ACME, OTHER = str(uuid.uuid4()), str(uuid.uuid4())
HANDBOOK, PRICES = str(uuid.uuid4()), str(uuid.uuid4())
ONE_WORD = SparseVector([1], [1.0])


def point(
    *,
    organisation: str = ACME,
    source: str = HANDBOOK,
    document: str = "",
    version: str = "",
    dense: Sequence[float] = (1, 0, 0, 0),
    words: SparseVector = ONE_WORD,
) -> Point:
    ids = {"document": document or str(uuid.uuid4()), "version": version or str(uuid.uuid4())}
    return Point(str(uuid.uuid4()), organisation, source, dense=list(dense), words=words, **ids)


def test_the_collection_is_made_once_by_many_workers(
    server: IndexServer, space: EmbeddingSpace, oracle: QdrantClient
) -> None:
    failures: list[BaseException] = []

    def ensure() -> None:
        try:
            IndexWriter(server, space).ensure_collection()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ensure) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    made = oracle.get_collection(collection_name(space))
    assert made.config.params.vectors["dense"].size == 4
    assert made.config.params.sparse_vectors["words"].modifier == m.Modifier.IDF
    assert set(made.payload_schema) == {"organisation", "source", "document", "version"}
    assert made.payload_schema["organisation"].params.is_tenant is True


def test_a_stored_point_is_what_qdrant_s_own_client_reads(
    writer: IndexWriter, space: EmbeddingSpace, oracle: QdrantClient
) -> None:
    stored = point(dense=[0, 3, 4, 0], words=SparseVector([7, 4_000_000_000], [0.5, 2.0]))
    writer.points_upsert([stored])
    [found] = oracle.retrieve(collection_name(space), [stored.id], with_payload=True, with_vectors=True)
    assert found.vector["dense"] == pytest.approx([0, 0.6, 0.8, 0], abs=1e-3)
    words = dict(zip(found.vector["words"].indices, found.vector["words"].values, strict=True))
    assert words == {7: 0.5, 4_000_000_000: 2.0}
    assert found.payload == {
        "organisation": ACME,
        "source": HANDBOOK,
        "document": stored.document,
        "version": stored.version,
    }


def test_the_same_id_replaces_the_point(writer: IndexWriter, space: EmbeddingSpace, oracle: QdrantClient) -> None:
    old = point(dense=[1, 0, 0, 0])
    new = Point(old.id, ACME, PRICES, old.document, old.version, [0, 1, 0, 0], SparseVector([2], [1.0]))
    writer.points_upsert([old])
    writer.points_upsert([new])
    [found] = oracle.retrieve(collection_name(space), [old.id], with_vectors=True)
    assert (found.vector["dense"], found.payload["source"]) == ([0, 1, 0, 0], PRICES)
    assert writer.count(organisation=ACME) == 1


async def test_a_search_never_leaves_its_organisation(writer: IndexWriter, reader: IndexReader) -> None:
    mine, theirs = point(), point(organisation=OTHER)
    writer.points_upsert([mine, theirs])
    found = await reader.search(organisation=ACME, dense=[1, 0, 0, 0], words=ONE_WORD)
    assert [hit.id for hit in found.dense] == [hit.id for hit in found.words] == [mine.id]
    nobody = await reader.search(organisation=str(uuid.uuid4()), dense=[1, 0, 0, 0], words=ONE_WORD)
    assert (list(nobody.dense), list(nobody.words)) == ([], [])


async def test_a_search_keeps_to_the_given_sources(writer: IndexWriter, reader: IndexReader) -> None:
    handbook, prices = point(source=HANDBOOK), point(source=PRICES)
    writer.points_upsert([handbook, prices])

    async def ids(sources: list[str] | None) -> set[str]:
        found = await reader.search(organisation=ACME, dense=[1, 0, 0, 0], words=ONE_WORD, sources=sources)
        assert {hit.id for hit in found.dense} == {hit.id for hit in found.words}
        return {hit.id for hit in found.dense}

    assert await ids([PRICES]) == {prices.id}
    assert await ids([PRICES, HANDBOOK]) == await ids(None) == {prices.id, handbook.id}
    assert await ids([str(uuid.uuid4())]) == await ids([]) == set()


async def test_results_and_scores_equal_those_of_qdrant_s_own_client(
    writer: IndexWriter, reader: IndexReader, space: EmbeddingSpace, oracle: QdrantClient
) -> None:
    chance = random.Random(7)

    def words() -> SparseVector:
        terms = sorted({min(int(chance.expovariate(0.05)), 300) for _ in range(12)})
        return SparseVector(terms, [chance.uniform(0.5, 2) for _ in terms])

    def dense() -> list[float]:
        return [chance.gauss(0, 1) for _ in range(4)]

    organisations = (ACME, OTHER)
    writer.points_upsert(point(organisation=organisations[n % 2], dense=dense(), words=words()) for n in range(450))
    within = m.Filter(must=[m.FieldCondition(key="organisation", match=m.MatchValue(value=ACME))])
    for _ in range(10):
        asked, terms = dense(), words()
        found = await reader.search(organisation=ACME, dense=asked, words=terms, limit=20)
        sparse = m.SparseVector(indices=terms.indices, values=terms.values)
        for ours, query, using in ((found.dense, asked, "dense"), (found.words, sparse, "words")):
            theirs = oracle.query_points(
                collection_name(space), query=query, using=using, query_filter=within, limit=20
            ).points
            assert dict(ours) == pytest.approx({hit.id: hit.score for hit in theirs}, abs=1e-5)
            assert [hit.score for hit in ours] == sorted((hit.score for hit in ours), reverse=True)


async def test_word_scores_are_bm25(writer: IndexWriter, reader: IndexReader) -> None:
    """Check term frequency from our vectors times Qdrant's idf: ln((N - n + 0.5) / (n + 0.5) + 1)."""
    texts = ["travel expenses are paid", "expenses expenses of the office", "holidays"]
    points = [point(words=document_encode(text, language="en")) for text in texts]
    writer.points_upsert(points)
    found = await reader.search(organisation=ACME, dense=None, words=query_encode("which expenses?", languages=["en"]))
    idf = math.log((3 - 2 + 0.5) / (2 + 0.5) + 1)
    expected = {}
    for stored, frequency, length in ((points[0], 1, 3), (points[1], 2, 3)):
        norm = 1.2 * (1 - 0.75 + 0.75 * length / 120)
        expected[stored.id] = idf * frequency * 2.2 / (frequency + norm)
    assert dict(found.words) == pytest.approx(expected, rel=1e-5)
    assert list(found.dense) == []


def test_deleting_leaves_exactly_the_rest(writer: IndexWriter) -> None:
    version = str(uuid.uuid4())
    by_id, by_version, kept = point(), point(version=version), point()
    theirs = point(organisation=OTHER, version=version)
    writer.points_upsert([by_id, by_version, kept, theirs])
    writer.points_delete([by_id.id, str(uuid.uuid4())])
    writer.points_delete_version(organisation=ACME, version=version)
    assert list(writer.point_ids(organisation=ACME)) == [kept.id]
    assert list(writer.point_ids(organisation=OTHER)) == [theirs.id]


def test_all_ids_are_listed_over_many_pages(writer: IndexWriter) -> None:
    stored = [point() for _ in range(2300)]
    writer.points_upsert(iter(stored))
    writer.points_upsert([point(organisation=OTHER)])
    listed = list(writer.point_ids(organisation=ACME))
    assert sorted(listed) == sorted(one.id for one in stored)
    assert writer.count(organisation=ACME) == 2300
    assert writer.count() == 2301
    assert {(one.id, one.version) for one in stored} <= {(one.id, one.version) for one in writer.point_owners()}


async def test_before_the_first_document_nothing_is_found_and_nothing_fails(
    writer: IndexWriter, reader: IndexReader
) -> None:
    found = await reader.search(organisation=ACME, dense=[1, 0, 0, 0], words=ONE_WORD)
    assert (list(found.dense), list(found.words)) == ([], [])
    assert writer.count(organisation=ACME) == 0
    assert list(writer.point_ids(organisation=ACME)) == []
    writer.points_delete([str(uuid.uuid4())])


def test_a_store_that_was_emptied_is_filled_again(
    writer: IndexWriter, space: EmbeddingSpace, oracle: QdrantClient
) -> None:
    writer.points_upsert([point()])
    oracle.delete_collection(collection_name(space))
    writer.points_upsert([point(), point()])
    assert writer.count() == 2
    assert set(oracle.get_collection(collection_name(space)).payload_schema) >= {"organisation"}


async def test_a_question_without_words_or_vector_asks_nobody(space: EmbeddingSpace) -> None:
    nowhere = IndexReader(IndexServer(f"http://127.0.0.1:{port_find(None)}"), space)
    found = await nowhere.search(organisation=ACME, dense=None, words=SparseVector([], []))
    assert (list(found.dense), list(found.words)) == ([], [])


def test_a_wrong_vector_is_refused_and_stores_nothing(writer: IndexWriter) -> None:
    with pytest.raises(Upstream) as refused:
        writer.points_upsert([point(dense=[1, 0])])
    assert refused.value.code == "search_unavailable"
    assert writer.count() == 0


async def test_a_store_that_is_down_is_named_as_such_and_may_be_tried_again() -> None:
    down, space = IndexServer(f"http://127.0.0.1:{port_find(None)}"), EmbeddingSpace("any", 4)
    with pytest.raises(Upstream) as searching:
        await IndexReader(down, space).search(organisation=ACME, dense=[1, 0, 0, 0], words=SparseVector([], []))
    await http_session_close()
    with pytest.raises(Upstream) as writing:
        IndexWriter(down, space).points_upsert([point()])
    for failed in (searching, writing):
        assert (failed.value.code, failed.value.retryable) == ("search_unavailable", True)


def test_models_with_like_names_have_collections_of_their_own() -> None:
    names = {
        collection_name(EmbeddingSpace(*of))
        for of in (("bge-m3", 1024), ("bge_m3", 1024), ("BGE-M3", 1024), ("bge-m3", 512), ("多语言" * 200, 4))
    }
    assert len(names) == 5
    assert all(len(name) <= 255 and name.isascii() and "/" not in name for name in names)
