"""Fusion of two rankings: by meaning (cosine of dense vectors) and by words (BM25).

Chosen by measurement, bench/README.md: the cosine above the worst of its list, plus the BM25 score as a share of the
best one, weighted. Unlike ranks, and unlike scores stretched to 0..1 for each question, this keeps the
distances between passages by meaning: where the model cannot tell them apart, as with a language that it does not know,
the words decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

# The weight of the full BM25 score in units of cosine; .3 to .5 differ by less than .003 nDCG@10.
WORDS_WEIGHT = 0.4
# Candidates of each kind that are fused; 30 lose .004 nDCG@10 and 20 lose .011.
CANDIDATES = 50


class Scored(NamedTuple):
    """A point with its score in one of the two searches."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A candidate passage. The score of a stage is None if the passage was not among the stage's best."""

    id: str
    score: float
    dense: float | None
    words: float | None


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of each search, best first."""

    dense: Sequence[Scored]
    words: Sequence[Scored]


def cosine_scale(cosine: float, unrelated: float) -> float:
    """Scale a cosine so that unrelated texts of the model are at 0."""
    return (cosine - unrelated) / (1 - unrelated)


def candidates_fuse(candidates: Candidates, *, limit: int, unrelated: float = 0.0) -> list[Hit]:
    """Return the best `limit` passages, best first; equal scores in the order of ids, so that results are repeatable.

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
