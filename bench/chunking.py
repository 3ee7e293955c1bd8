"""How much of what answers a question its best passages hold, and how much else, for a few sizes of passages.

    python -m bench.chunking FOLDER --embeddings URL [--corpus NAME …]

FOLDER holds `corpora/*.md` and `questions_df.csv` (question, excerpts with character ranges, corpus). Ranges are
found again in our text by their content. Recall and precision are of characters of the excerpts, over the 5 passages
nearest to the question.
"""

import argparse
import csv
import json
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.library.parsers import parse
from app.library.parsers.blocks import ChunkDraft, Parsed, full_text
from app.library.parsers.media import MARKDOWN
from app.library.pipeline.chunking import chunk
from app.library.pipeline.tokens import minilm_counter
from app.llm.embeddings import EmbeddingsClient
from app.llm.endpoint import Endpoint
from bench.retrieval_sets import vectors_of

SETTINGS = ((128, 0), (254, 0), (254, 50))
BEST = 5
READS = 254


@dataclass(frozen=True)
class Question:
    text: str
    spans: tuple[tuple[int, int], ...]


def questions_of(path: Path, corpus: str, whole: str) -> list[Question]:
    """Return those whose excerpts are all found in our text."""
    found: list[Question] = []
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            if row["corpus_id"] != corpus:
                continue
            spans = [_span(reference["content"], whole) for reference in json.loads(row["references"])]
            if all(spans):
                found.append(Question(row["question"], tuple(span for span in spans if span)))
    return found


def _span(excerpt: str, whole: str) -> tuple[int, int] | None:
    """Return where the words of an excerpt stand, whatever is between them but words."""
    words = re.findall(r"\w+", excerpt)
    match = re.search(r"\W+".join(map(re.escape, words)), whole) if words else None
    return match.span() if match else None


def measure(
    questions: Sequence[Question], drafts: Sequence[ChunkDraft], client: EmbeddingsClient
) -> tuple[float, float]:
    passages = vectors_of(client, [draft.embed_text for draft in drafts])
    asked = vectors_of(client, [question.text for question in questions])
    recalls, precisions = [], []
    for question, vector in zip(questions, asked, strict=True):
        best = [drafts[row] for row in np.argsort(-(passages @ vector))[:BEST]]
        shown = {at for draft in best for at in range(draft.start, draft.end)}
        wanted = {at for start, end in question.spans for at in range(start, end)}
        recalls.append(len(shown & wanted) / len(wanted))
        # Text that two passages repeat is read twice.
        precisions.append(len(shown & wanted) / sum(draft.end - draft.start for draft in best))
    return float(np.mean(recalls)), float(np.mean(precisions))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embeddings", required=True, help="address of an OpenAI-compatible server, with /v1")
    parser.add_argument("--corpus", action="append", help="only this one; may be repeated")
    given = parser.parse_args()
    client = EmbeddingsClient(Endpoint(given.embeddings))
    print("| corpus | tokens | overlap | passages | questions | recall | precision | cutting s |\n" + "|---" * 8 + "|")
    means: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for path in sorted((given.folder / "corpora").glob("*.md")):
        if given.corpus and path.stem not in given.corpus:
            continue
        parsed: Parsed = parse(path, MARKDOWN)
        questions = questions_of(given.folder / "questions_df.csv", path.stem, full_text(parsed.blocks))
        for target, overlap in SETTINGS:
            begin = time.process_time()
            drafts = chunk(
                parsed, target_tokens=target, overlap_tokens=overlap, max_tokens=READS, count=minilm_counter()
            )
            spent = time.process_time() - begin
            result = measure(questions, drafts, client)
            means[target, overlap].append(result)
            cells = (path.stem, target, overlap, len(drafts), len(questions), f"{result[0]:.3f}", f"{result[1]:.3f}")
            print("| " + " | ".join(map(str, (*cells, f"{spent:.2f}"))) + " |", flush=True)
    for (target, overlap), results in means.items():
        recall, precision = np.mean(results, axis=0)
        print(f"| **mean** | {target} | {overlap} | | | **{recall:.3f}** | **{precision:.3f}** | |")


if __name__ == "__main__":
    main()
