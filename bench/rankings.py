"""Two exact searches over texts in memory, with Qdrant's formulas, and ways to make one ranking of them."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from app.retrieval.fusion import CANDIDATES, Candidates, Scored, candidates_fuse
from app.retrieval.sparse import SparseVector

Fusion = Callable[[Candidates], list[str]]


class WordIndex:
    """BM25 from our vectors, with the inverse document frequency of Qdrant's `idf` modifier."""

    def __init__(self, vectors: Sequence[SparseVector]) -> None:
        self.size = len(vectors)
        postings: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for row, vector in enumerate(vectors):
            for term, value in zip(vector.indices, vector.values, strict=True):
                postings[term].append((row, value))
        self.postings = {
            term: (
                np.array([row for row, _ in held]),
                np.array([value for _, value in held])
                * math.log((self.size - len(held) + 0.5) / (len(held) + 0.5) + 1),
            )
            for term, held in postings.items()
        }

    def scores(self, query: SparseVector) -> Any:
        scores = np.zeros(self.size)
        for term in query.indices:
            if term in self.postings:
                rows, values = self.postings[term]
                scores[rows] += values
        return scores


def best_of(scores: Any, ids: Sequence[str], *, above: float = -math.inf) -> list[Scored]:
    count = min(CANDIDATES, len(ids))
    rows = np.argpartition(-scores, count - 1)[:count]
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    return [Scored(ids[row], float(scores[row])) for row in rows if scores[row] > above]


def _ranked(parts: Iterable[tuple[str, float]]) -> list[str]:
    scores: dict[str, float] = defaultdict(float)
    for one, score in parts:
        scores[one] += score
    return sorted(scores, key=lambda one: (-scores[one], one))


def rrf(k: int, dense: float = 1, words: float = 1) -> Fusion:
    """Rank by reciprocal ranks, as Qdrant: weight / (k + rank from 0)."""

    def fuse(found: Candidates) -> list[str]:
        lists = ((dense, found.dense), (words, found.words))
        return _ranked((hit.id, weight / (k + rank)) for weight, hits in lists for rank, hit in enumerate(hits))

    return fuse


def dbsf(found: Candidates) -> list[str]:
    """Rank by scores stretched from three deviations below the mean to three above, as Qdrant."""

    def stretched(hits: Sequence[Scored]) -> Iterable[tuple[str, float]]:
        scores = np.array([hit.score for hit in hits])
        spread = scores.std(ddof=1) if len(scores) > 1 else 0.0
        for hit in hits:
            yield hit.id, (hit.score - scores.mean() + 3 * spread) / (6 * spread) if spread else 0.5

    return _ranked([*stretched(found.dense), *stretched(found.words)])


def linear(dense: float) -> Fusion:
    """Rank by scores stretched to 0..1 within each list, weighted."""

    def stretched(hits: Sequence[Scored], weight: float) -> Iterable[tuple[str, float]]:
        scores = [hit.score for hit in hits]
        low, high = min(scores, default=0.0), max(scores, default=0.0)
        for hit in hits:
            yield hit.id, weight * (hit.score - low) / (high - low) if high > low else weight

    return lambda found: _ranked([*stretched(found.dense, dense), *stretched(found.words, 1 - dense)])


def cosine_and_share(weight: float, length: int = CANDIDATES) -> Fusion:
    """Rank as shipped, with another weight of words or fewer candidates."""

    def fuse(found: Candidates) -> list[str]:
        dense, words = found.dense[:length], found.words[:length]
        floor, best = min((hit.score for hit in dense), default=0.0), max((hit.score for hit in words), default=1.0)
        parts = [(hit.id, hit.score - floor) for hit in dense]
        return _ranked([*parts, *((hit.id, weight * hit.score / best) for hit in words)])

    return fuse


FUSIONS: dict[str, Fusion] = {
    "dense only": lambda found: [hit.id for hit in found.dense],
    "BM25 only": lambda found: [hit.id for hit in found.words],
    "RRF k=2": rrf(2),
    "RRF k=10": rrf(10),
    "RRF k=60": rrf(60),
    "RRF k=2, dense x2": rrf(2, 2, 1),
    "RRF k=2, words x2": rrf(2, 1, 2),
    "RRF k=10, words x2": rrf(10, 1, 2),
    "DBSF": dbsf,
    "min-max .3": linear(0.3),
    "min-max .4": linear(0.4),
    "min-max .5": linear(0.5),
    "min-max .6": linear(0.6),
    "cosine + .2 share": cosine_and_share(0.2),
    "cosine + .3 share": cosine_and_share(0.3),
    "cosine + .5 share": cosine_and_share(0.5),
    "cosine + .7 share": cosine_and_share(0.7),
    "cosine + .4, 20 each": cosine_and_share(0.4, 20),
    "cosine + .4, 30 each": cosine_and_share(0.4, 30),
    "shipped": lambda found: [hit.id for hit in candidates_fuse(found, limit=2 * CANDIDATES)],
}
