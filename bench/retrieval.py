"""How to rank: dense, BM25 and their fusions over public sets, each alone and all as one knowledge base.

    python -m bench.retrieval --data ../shared/data/retrieval

Vectors are computed once (20 minutes on 2 cores) and kept in the temporary folder. Texts are ranked as they are: an
abstract or a paragraph is one passage. Prints tables, saves JSON in bench/results/.
"""

import argparse
import json
import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from app.llm.embeddings import EmbeddingsClient
from app.llm.endpoint import Endpoint
from app.retrieval.fusion import Candidates
from app.retrieval.sparse import document_encode, query_encode
from bench.answerability import refusals_measure, refusals_print
from bench.engines import RESULTS, engine
from bench.rankings import FUSIONS, WordIndex, best_of
from bench.retrieval_sets import RetrievalSet, sets_load, vectors_of

QUESTIONS_PER_SET = 400
# nDCG@10, recall@5, recall@10
Figures = tuple[float, float, float]


def figures_of(ranking: Sequence[str], relevant: Mapping[str, float]) -> Figures:
    """Return the figures of a ranking. Gains are linear in the grades, as in trec_eval."""
    gains = [relevant.get(one, 0.0) for one in ranking[:10]]
    ideal = sum(grade / math.log2(rank + 2) for rank, grade in enumerate(sorted(relevant.values())[::-1][:10]))
    gain = sum(grade / math.log2(rank + 2) for rank, grade in enumerate(gains))
    return gain / ideal, sum(g > 0 for g in gains[:5]) / len(relevant), sum(g > 0 for g in gains) / len(relevant)


class KnowledgeBase:
    """Some sets as one: an id is (set's name, id) joined."""

    def __init__(self, sets: Sequence[RetrievalSet], client: EmbeddingsClient) -> None:
        self.ids = [f"{one.name}/{text}" for one in sets for text in one.texts]
        self.texts = [text for one in sets for text in one.texts.values()]
        self.dense = np.concatenate([vectors_of(client, list(one.texts.values())) for one in sets])
        self.words = WordIndex([document_encode(text) for text in self.texts])
        self.rows = {one: row for row, one in enumerate(self.ids)}


def questions_of(one: RetrievalSet, client: EmbeddingsClient) -> list[tuple[str, str, np.ndarray]]:
    """Return id, text and vector of up to QUESTIONS_PER_SET questions, always the same."""
    vectors = vectors_of(client, list(one.questions.values()))
    asked = [(key, text, vectors[row]) for row, (key, text) in enumerate(one.questions.items())]
    return random.Random(1).sample(asked, min(QUESTIONS_PER_SET, len(asked)))


def measure(base: KnowledgeBase, one: RetrievalSet, client: EmbeddingsClient) -> dict[str, Figures]:
    """Return mean figures of each fusion for a set's questions over a knowledge base."""
    found: dict[str, list[Figures]] = defaultdict(list)
    for key, text, vector in questions_of(one, client):
        relevant = {f"{one.name}/{text_id}": grade for text_id, grade in one.judgements[key].items()}
        candidates = Candidates(
            best_of(base.dense @ vector, base.ids),
            best_of(base.words.scores(query_encode(text)), base.ids, above=0),
        )
        for name, fuse in FUSIONS.items():
            found[name].append(figures_of(fuse(candidates), relevant))
    return {name: tuple(np.mean(rows, axis=0).tolist()) for name, rows in found.items()}


def table_print(title: str, measured: dict[str, dict[str, Figures]]) -> None:
    """Print a Markdown table: nDCG@10 of each set, then the means of all three figures."""
    print(f"\n{title}\n\n| ranking | {' | '.join(measured)} | nDCG@10 | recall@5 | recall@10 |")
    print("|---|" + "---:|" * (len(measured) + 3))
    for name in FUSIONS:
        rows = [figures[name] for figures in measured.values()]
        cells = [f"{row[0]:.3f}" for row in rows] + [f"**{np.mean([row[i] for row in rows]):.3f}**" for i in range(3)]
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of sets")
    options = parser.parse_args()
    sets = [one for one in sets_load(options.data) if not options.only or one.name in options.only]
    with engine("app.embedded.embeddings") as (address, _):
        client = EmbeddingsClient(Endpoint(f"{address}/v1"))
        for one in sets:
            print(f"{one.name}: {len(one.texts)} texts, {len(one.questions)} questions", flush=True)
            vectors_of(client, list(one.texts.values()))
            vectors_of(client, list(one.questions.values()))
        alone = {one.name: measure(KnowledgeBase([one], client), one, client) for one in sets}
        pooled = KnowledgeBase(sets, client)
        together = {one.name: measure(pooled, one, client) for one in sets}
        refusals = refusals_measure(
            sets, pooled.ids, pooled.texts, pooled.dense, pooled.words, lambda one: questions_of(one, client)
        )
    table_print("Each set alone", alone)
    table_print(f"All as one knowledge base of {len(pooled.ids)} texts", together)
    refusals_print(refusals)
    RESULTS.mkdir(exist_ok=True)
    content = {"alone": alone, "together": together, "refusals": refusals}
    (RESULTS / "retrieval.json").write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
