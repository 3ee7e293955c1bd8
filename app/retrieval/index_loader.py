"""Import the code that writes to Qdrant, and Qdrant's client, at the first index work.

Workers and commands call these; the web process never does.
"""

from functools import cache
from typing import TYPE_CHECKING

from app.llm.embeddings import EmbeddingSpace
from app.retrieval.index import server_default

if TYPE_CHECKING:
    from app.retrieval.index_upkeep import IndexSweep
    from app.retrieval.index_writer import IndexWriter


@cache
def index_writer(space: EmbeddingSpace) -> "IndexWriter":
    """Return the process's writer of a model's vectors."""
    from app.retrieval.index_writer import IndexWriter

    return IndexWriter(server_default(), space)


def index_sweep() -> "IndexSweep":
    """Return the object that counts and deletes an organisation's points."""
    from app.retrieval.index_upkeep import IndexSweep

    return IndexSweep(server_default())


def index_copy(space: EmbeddingSpace) -> int:
    """Copy all vectors into a new collection and switch to it; return the number of points."""
    from app.retrieval.index_upkeep import index_renew

    return index_renew(index_writer(space))


def index_delete(space: EmbeddingSpace) -> None:
    """Delete all vectors of a model."""
    from app.retrieval.index_upkeep import index_drop

    index_drop(index_writer(space))


def index_exists(space: EmbeddingSpace) -> bool:
    """Return whether there are vectors of a model."""
    return index_writer(space).collection_in_use() is not None
