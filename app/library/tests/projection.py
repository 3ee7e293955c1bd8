"""Another embedding model for tests: the packaged one's vectors, projected to fewer dimensions, on a server of its own.

A fixed random projection keeps angles roughly, so that the new model finds what the packaged one finds; it is no model
that anybody would use.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from app.library.pipeline.tokens import counter_for
from app.llm.embedding_choice import embedding_choice_forget
from app.llm.embeddings import EmbeddingSpace, environment_client, vector_numbers
from app.llm.models import EmbeddingChange
from app.llm.tests.fake_server import FakeServer, Reply, serving
from app.retrieval.index_loader import index_delete

NAME = "projected"
SPACE = EmbeddingSpace(NAME, 256)


@cache
def _matrix(dimensions: int) -> Any:
    square = np.random.default_rng(11).standard_normal((384, 384))
    return np.linalg.qr(square)[0][:, :dimensions]


@dataclass
class Projection:
    """The server, with switches of its faults. limit: tokens above which it refuses a text."""

    fake: FakeServer
    dimensions: int
    limit: int = 0
    down: bool = False
    slow_s: float = 0.0

    @property
    def url(self) -> str:
        return self.fake.url

    def reply(self, body: dict[str, Any]) -> Reply:
        if self.down:
            return 503, {"error": "down"}, {}
        texts = body["input"]
        if self.limit and any(counter_for(NAME).count(text) + 2 > self.limit for text in texts):
            return 400, {"error": {"message": "maximum context length"}}, {}
        time.sleep(self.slow_s)
        vectors = [vector_numbers(vector) for vector in environment_client().embed_documents(texts)]
        rows = np.array(vectors) @ _matrix(self.dimensions)
        return 200, {"data": [{"index": n, "embedding": row.tolist()} for n, row in enumerate(rows)]}, {}


def changes_forget() -> None:
    """Return to the packaged model, without any change."""
    EmbeddingChange.objects.all().delete()
    embedding_choice_forget()
    index_delete(SPACE)


@contextmanager
def projection(*, dimensions: int = SPACE.dimensions, limit: int = 0) -> Iterator[Projection]:
    fake = FakeServer(lambda body: made.reply(body), models=[NAME])
    if limit:
        fake.facts = {"max_model_len": limit}
    made = Projection(fake, dimensions, limit)
    with serving(fake):
        yield made
