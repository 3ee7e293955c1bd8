"""One ranking from two: by meaning (cosine of dense vectors) and by words (BM25).

Chosen by measurement, docs/retrieval.md: the cosine above the worst of its list, plus the BM25 score as a share of the
best one, weighted. Unlike ranks, and unlike scores stretched to 0..1 for each question, this keeps how far apart the
passages really are by meaning: where the model cannot tell them apart, as with a language that it does not know, the
words decide by themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

# What all of BM25 counts in units of cosine; .3 to .5 differ by less than .003 nDCG@10.
WORDS_WEIGHT = 0.4
# Candidates of each kind that are fused; 30 lose .004 nDCG@10 and 20 lose .011.
CANDIDATES = 50


class Scored(NamedTuple):
    """A point as one of the two searches found it."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A candidate passage. A stage that did not have it among its best has no score."""

    id: str
    score: float
    dense: float | None
    words: float | None


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best of each search, best first."""

    dense: Sequence[Scored]
    words: Sequence[Scored]


def cosine_scale(cosine: float, unrelated: float) -> float:
    """A cosine as it would be if the model put unrelated texts at 0."""
    return (cosine - unrelated) / (1 - unrelated)


def candidates_fuse(candidates: Candidates, *, limit: int, unrelated: float = 0.0) -> list[Hit]:
    """The best `limit` passages, best first; equal scores in the order of their ids, so that a question repeats.

    `unrelated`: EmbeddingSpace.unrelated of the model.
    """
    dense, words = dict(candidates.dense), dict(candidates.words)
    floor = min(dense.values(), default=0.0)
    best = max(words.values(), default=0.0) or 1.0
    scores = {point: (score - floor) / (1 - unrelated) for point, score in dense.items()}
    for point, score in words.items():
        scores[point] = scores.get(point, 0.0) + WORDS_WEIGHT * score / best
    order = sorted(scores, key=lambda point: (-scores[point], point))
    return [Hit(point, scores[point], dense.get(point), words.get(point)) for point in order[:limit]]
