"""The vector stores of the contract tests: the Edge process always, another server if one is configured."""

import os
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator

import pytest
from qdrant_client import QdrantClient

from app.lib.http import http_session_close
from app.llm.embeddings import EmbeddingSpace
from app.retrieval.index import IndexReader, IndexServer, collection_name
from app.retrieval.index_writer import IndexWriter
from tests.engines import QDRANT_KEY
from tests.servers import server_url


@pytest.fixture(params=["edge", pytest.param("named", marks=pytest.mark.server("QDRANT"))])
def server(request: pytest.FixtureRequest) -> IndexServer:
    if request.param == "edge":
        return IndexServer(request.getfixturevalue("qdrant"), QDRANT_KEY)
    return IndexServer(server_url("QDRANT"), os.environ.get("REFDESK_TEST_QDRANT_API_KEY", ""))


@pytest.fixture
def oracle(server: IndexServer) -> Iterator[QdrantClient]:
    """Return Qdrant's own client, to read the store independently of our code."""
    with warnings.catch_warnings():
        # The client warns about a key over plain HTTP; this is loopback.
        warnings.simplefilter("ignore", UserWarning)
        client = QdrantClient(url=server.url, api_key=server.api_key or None, check_compatibility=False)
    yield client
    client.close()


@pytest.fixture
def space(oracle: QdrantClient) -> Iterator[EmbeddingSpace]:
    """Make a model of 4 dimensions; its collections are deleted at the end."""
    made = EmbeddingSpace(f"test {uuid.uuid4()}", 4)
    yield made
    for collection in oracle.get_collections().collections:
        if collection.name.startswith(collection_name(made)):
            oracle.delete_collection(collection.name)


@pytest.fixture
def writer(server: IndexServer, space: EmbeddingSpace) -> IndexWriter:
    return IndexWriter(server, space)


@pytest.fixture
async def reader(server: IndexServer, space: EmbeddingSpace) -> AsyncIterator[IndexReader]:
    yield IndexReader(server, space)
    await http_session_close()
