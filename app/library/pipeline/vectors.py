"""Vectors of passages: from the cache of their organisation, or made by a model and kept there.

A passage that was cut for a model with a higher limit is embedded in parts, none of which the model cuts off; its
vector is their mean, weighted by their lengths: docs/decisions/0010-passages-outlive-the-embedding-model.md.
"""

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from django.db import connection

from app.jobs.leases import Lease
from app.library.pipeline.context import StoredChunk, tokens_at_most
from app.library.pipeline.disk import disk_check
from app.library.pipeline.tokens import TokenCounter, counter_for
from app.llm.embeddings import EmbeddingsClient, EmbeddingSpace, vector_numbers
from app.llm.models_kept import KeptModel

FLOAT_BYTES = 4


def vectors_of(
    model: KeptModel, batch: Sequence[StoredChunk], *, organisation: UUID, lease: Lease, cut_for: str
) -> dict[bytes, bytes]:
    """Return the vectors of passages by the hash of their text. cut_for: the model whose limit the passages keep.

    Raises:
        RefdeskError: disk_full.
        Upstream: embeddings_unavailable.
    """
    known = vectors_cached(model.space, batch, organisation=organisation)
    missing = {one.content_hash: one.embed_text for one in batch if one.content_hash not in known}
    if missing:
        disk_check()
        texts, client = list(missing.values()), model.client
        vectors = client.embed_documents(texts) if cut_for == model.space.model else long_texts_embed(client, texts)
        fresh = dict(zip(missing, vectors, strict=True))
        _vectors_keep(model.space, fresh, organisation=organisation, lease=lease)
        known |= fresh
    return known


def vectors_cached(space: EmbeddingSpace, batch: Sequence[StoredChunk], *, organisation: UUID) -> dict[bytes, bytes]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT content_hash, vector FROM library_embeddingcache"
            " WHERE organisation_id = %s AND model = %s AND content_hash = ANY(%s) AND octet_length(vector) = %s",
            [organisation, space.model, list({one.content_hash for one in batch}), space.dimensions * FLOAT_BYTES],
        )
        return {bytes(content_hash): bytes(vector) for content_hash, vector in cursor.fetchall()}


def _vectors_keep(space: EmbeddingSpace, vectors: Mapping[bytes, bytes], *, organisation: UUID, lease: Lease) -> None:
    """Store vectors in the cache, and reset the job's count of deaths."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH lease AS (UPDATE jobs_job SET deaths = 0, waiting_since = NULL"
            " WHERE id = %s AND fence = %s AND state = 'running')"
            " INSERT INTO library_embeddingcache AS c (id, organisation_id, model, content_hash, vector)"
            " SELECT gen_random_uuid(), %s, %s, hash, vector FROM unnest(%s::bytea[], %s::bytea[]) AS v (hash, vector)"
            # A vector of another size was made by another model, to which the server gave the same name before.
            " ON CONFLICT (organisation_id, model, content_hash) DO UPDATE SET vector = excluded.vector"
            " WHERE octet_length(c.vector) <> octet_length(excluded.vector)",
            [lease.job, lease.fence, organisation, space.model, list(vectors), list(vectors.values())],
        )


def long_texts_embed(client: EmbeddingsClient, texts: Sequence[str]) -> list[bytes]:
    """Return a vector for each text, also for those above the model's limit. Raises Upstream."""
    space = client.space()
    counter, limit = counter_for(space.model), tokens_at_most(space)
    parts = [list(_parts(text, counter, limit)) for text in texts]
    vectors = iter(client.embed_documents([part for group in parts for part in group]))
    return [_mean(group, [next(vectors) for _ in group]) for group in parts]


def texts_above(space: EmbeddingSpace, texts: Sequence[str]) -> int:
    """Return how many texts are above the model's limit."""
    counter, limit = counter_for(space.model), tokens_at_most(space)
    return sum(counter.count(text) > limit for text in texts)


def _parts(text: str, counter: TokenCounter, limit: int) -> Iterator[str]:
    """Split a text between words, or inside a word that is above the limit by itself."""
    if len(text) <= 1 or counter.count(text) <= limit:
        yield text
        return
    middle = len(text) // 2
    spaces = [place for place in (text.rfind(" ", 1, middle), text.find(" ", middle, -1)) if place > 0]
    split = min(spaces, key=lambda place: abs(place - middle), default=middle)
    for half in (text[:split], text[split:]):
        if half.strip():
            yield from _parts(half, counter, limit)


def _mean(texts: Sequence[str], vectors: Sequence[bytes]) -> bytes:
    if len(vectors) == 1:
        return vectors[0]
    total = array("f", bytes(len(vectors[0])))
    for text, vector in zip(texts, vectors, strict=True):
        numbers = vector_numbers(vector)
        weight = len(text) / (math.hypot(*numbers) or 1.0)
        for place, number in enumerate(numbers):
            total[place] += weight * number
    norm = math.hypot(*total) or 1.0
    return array("f", [number / norm for number in total]).tobytes()
