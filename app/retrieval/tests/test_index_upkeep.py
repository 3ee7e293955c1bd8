"""A new collection that replaces the old one without a pause: with Edge, and with another server if configured."""

import asyncio
import random
from typing import Any

import pytest
from qdrant_client import QdrantClient
from qdrant_client import models as m

from app.llm.embeddings import EmbeddingSpace
from app.retrieval.index import IndexReader, IndexServer, alias_name, collection_name
from app.retrieval.index_upkeep import index_renew
from app.retrieval.index_writer import INDEXES, IndexWriter
from app.retrieval.sparse import SparseVector
from app.retrieval.tests.test_index import ACME, ONE_WORD, OTHER, point


def in_use(oracle: QdrantClient, space: EmbeddingSpace) -> str | None:
    named = {one.alias_name: one.collection_name for one in oracle.get_aliases().aliases}
    return named.get(alias_name(space))


def collections(oracle: QdrantClient, space: EmbeddingSpace) -> set[str]:
    base = collection_name(space)
    return {one.name.removeprefix(base) for one in oracle.get_collections().collections if one.name.startswith(base)}


def filled(writer: IndexWriter, count: int) -> None:
    chance = random.Random(5)
    writer.points_upsert(
        point(
            organisation=(ACME, OTHER)[n % 2],
            dense=[chance.gauss(0, 1) for _ in range(4)],
            words=SparseVector([1, 2 + n % 9], [chance.uniform(0.5, 2), 1.0]),
        )
        for n in range(count)
    )


async def answers(reader: IndexReader) -> list[Any]:
    found = [
        await reader.search(organisation=owner, dense=[1, 0.5, 0, 0], words=SparseVector([1, 5], [1.0, 1.0]), limit=20)
        for owner in (ACME, OTHER)
    ]
    return [({hit.id: pytest.approx(hit.score, abs=1e-3) for hit in one.dense}, dict(one.words)) for one in found]


async def test_a_renewal_keeps_every_point_and_leaves_one_collection(
    writer: IndexWriter, reader: IndexReader, space: EmbeddingSpace, oracle: QdrantClient
) -> None:
    filled(writer, 450)
    before = await answers(reader)
    for ending in ("-2", "-3"):
        assert await asyncio.to_thread(index_renew, writer) == 450
        assert (in_use(oracle, space), collections(oracle, space)) == (collection_name(space) + ending, {ending})
    assert await answers(reader) == before
    assert (writer.count(), writer.count(organisation=ACME)) == (450, 225)
    made = oracle.get_collection(collection_name(space) + "-3")
    assert set(made.payload_schema) == set(INDEXES)
    assert made.payload_schema["organisation"].params.is_tenant is True
    assert made.config.params.vectors["dense"].datatype == m.Datatype.FLOAT16


async def test_after_a_renewal_other_processes_write_and_delete_where_is_searched(
    server: IndexServer, writer: IndexWriter, reader: IndexReader, space: EmbeddingSpace
) -> None:
    elsewhere = IndexWriter(server, space)
    old, new = point(), point()
    elsewhere.points_upsert([old])
    index_renew(writer)
    elsewhere.points_upsert([new])
    elsewhere.points_delete([old.id])
    found = await reader.search(organisation=ACME, dense=[1, 0, 0, 0], words=ONE_WORD)
    assert {hit.id for hit in found.dense} == {hit.id for hit in found.words} == {new.id}


async def test_searches_go_on_while_it_is_renewed(writer: IndexWriter, reader: IndexReader) -> None:
    filled(writer, 1500)
    renewing = asyncio.create_task(asyncio.to_thread(index_renew, writer))
    searches = 0
    while not renewing.done():
        found = await reader.search(organisation=ACME, dense=[1, 0, 0, 0], words=ONE_WORD, limit=10)
        assert (len(found.dense), len(found.words)) == (10, 10)
        searches += 1
    assert await renewing == 1500
    assert searches > 3


async def test_what_a_renewal_left_that_was_cut_short_is_cleared(
    writer: IndexWriter, reader: IndexReader, space: EmbeddingSpace, oracle: QdrantClient
) -> None:
    filled(writer, 10)
    writer.collection_create(f"{collection_name(space)}-2")
    assert in_use(oracle, space) == collection_name(space)
    assert index_renew(writer) == 10
    assert collections(oracle, space) == {"-2"}
    assert writer.count() == 10


async def test_a_box_of_the_first_version_is_searched_before_it_has_an_alias(
    server: IndexServer, writer: IndexWriter, reader: IndexReader, space: EmbeddingSpace, oracle: QdrantClient
) -> None:
    filled(writer, 10)
    gone = m.DeleteAliasOperation(delete_alias=m.DeleteAlias(alias_name=alias_name(space)))
    oracle.update_collection_aliases([gone])
    upgraded = IndexWriter(server, space)
    found = await reader.search(organisation=ACME, dense=[1, 0, 0, 0], words=ONE_WORD)
    assert len(found.dense) == 5
    assert (upgraded.count(), len(list(upgraded.point_owners()))) == (10, 10)
    upgraded.points_upsert([point()])
    assert (in_use(oracle, space), upgraded.count()) == (collection_name(space), 11)
