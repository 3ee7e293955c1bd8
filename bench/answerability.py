"""How often a question that the documents answer is refused, and one that they do not answer is taken."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.llm.embedding_models import DEFAULT
from app.retrieval.answerability import support_measure
from app.retrieval.fusion import Candidates, candidates_fuse
from app.retrieval.language import language_detect
from app.retrieval.search import SUPPORTED_FROM
from app.retrieval.sparse import query_encode
from bench.rankings import WordIndex, best_of
from bench.retrieval_sets import RetrievalSet

QUESTIONS = 150
# Texts in the knowledge base: all; all but the texts that answer; nothing of the question's set (nor, for XQuAD,
# the same paragraphs in another language).
CASES = ("refused though answered", "taken, answer removed", "taken, other subject")
Questions = Callable[[RetrievalSet], Sequence[tuple[str, str, Any]]]


def family(name: str) -> str:
    return name.partition("/")[0].partition("-")[0]


def refusals_measure(
    sets: Sequence[RetrievalSet],
    ids: Sequence[str],
    texts: Sequence[str],
    dense: Any,
    words: WordIndex,
    questions: Questions,
) -> dict[str, dict[str, float]]:
    """Return shares by set and case."""
    rows = {one: row for row, one in enumerate(ids)}
    families = np.array([family(one) for one in ids])
    shares: dict[str, dict[str, float]] = {}
    for one in sets:
        counts: dict[str, list[bool]] = defaultdict(list)
        own = families == family(one.name)
        for key, text, vector in questions(one)[:QUESTIONS]:
            gold = [rows[f"{one.name}/{text_id}"] for text_id in one.judgements[key]]
            scores = (dense @ vector, words.scores(query_encode(text)))
            for case, hidden in zip(CASES, ([], gold, own), strict=True):
                cosines, bm25 = (score.copy() for score in scores)
                cosines[hidden], bm25[hidden] = -1, 0
                supported = _supported(text, cosines, bm25, ids, texts, rows)
                counts[case].append(supported != (case == CASES[0]))
        shares[one.name] = {case: sum(wrong) / len(wrong) for case, wrong in counts.items()}
    return shares


def _supported(
    text: str, cosines: Any, bm25: Any, ids: Sequence[str], texts: Sequence[str], rows: dict[str, int]
) -> bool:
    found = Candidates(best_of(cosines, ids), best_of(bm25, ids, above=0))
    best = candidates_fuse(found, limit=1)[0]
    known = language_detect(text, hint="en") in DEFAULT.languages
    passage, cosine = texts[rows[best.id]], found.dense[0].score
    return support_measure(question=text, passage=passage, cosine=cosine, known=known) >= SUPPORTED_FROM


def refusals_print(shares: dict[str, dict[str, float]]) -> None:
    print("\nWrong decisions\n\n| questions of | " + " | ".join(CASES) + " |\n|---|---:|---:|---:|")
    for name, row in shares.items():
        print(f"| {name} | " + " | ".join(f"{row[case]:.0%}" for case in CASES) + " |")
    means = [np.mean([row[case] for row in shares.values()]) for case in CASES]
    print("| **mean** | " + " | ".join(f"**{mean:.0%}**" for mean in means) + " |")
