"""How passages are cut and what is embedded with them: which finds the right document, and the figures of the answer.

    python -m bench.passages FOLDER [--embeddings URL] [--documents 8]

FOLDER is the set of 10-Q reports (docs/*.pdf and qna_data.csv). Questions are those of a single report; their reports
are one knowledge base. Of the 5 best passages: the share from the right report, and the share of the answer's figures
(numbers of three digits and more) that stand in those of the right report. `named` questions begin with the report's
name, as a person types it: a file's name must be found.
"""

import argparse
import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.library.parsers import parse
from app.library.parsers.blocks import ChunkDraft, embed_text
from app.library.parsers.media import PDF
from app.library.pipeline.chunking import chunk
from app.library.pipeline.tokens import minilm_counter
from app.llm.embeddings import EmbeddingsClient
from app.llm.endpoint import Endpoint
from app.retrieval.fusion import Candidates, candidates_fuse
from app.retrieval.sparse import document_encode, query_encode
from bench.engines import engine
from bench.rankings import WordIndex, best_of
from bench.retrieval_sets import vectors_of

BEST = 5
READS = 254
_FIGURE = re.compile(r"\d[\d,.]*\d\d\b")


@dataclass(frozen=True)
class Question:
    text: str
    report: str
    figures: frozenset[str]


@dataclass(frozen=True)
class Passage:
    report: str
    draft: ChunkDraft


def questions_of(folder: Path, reports: Sequence[str]) -> list[Question]:
    questions: list[Question] = []
    with (folder / "qna_data.csv").open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            report = row["Source Docs"].strip("*")
            # Years and dates are in every report.
            figures = {figure for figure in _FIGURE.findall(row["Answer"]) if not re.fullmatch(r"20\d\d", figure)}
            if report in reports and row["Question Type"].startswith("Single-Doc"):
                questions.append(Question(row["Question"], report, frozenset(figures)))
    return questions


def named(passage: Passage) -> str:
    """Return the text with the document's name before the titles of its sections."""
    return embed_text((passage.report, *passage.draft.context), passage.draft.text)


def plain(passage: Passage) -> str:
    return passage.draft.embed_text


# What is embedded, and what the word index has.
VARIANTS: dict[str, tuple[Callable[[Passage], str], Callable[[Passage], str]]] = {
    "titles of sections": (plain, plain),
    "name in the word index": (plain, named),
    "name in both": (named, named),
    "text alone": (lambda one: one.draft.text, lambda one: one.draft.text),
}


def measure(
    passages: Sequence[Passage],
    questions: Sequence[Question],
    client: EmbeddingsClient,
    variant: str,
    *,
    ask_name: bool,
) -> tuple[float, float]:
    """Return the share of passages from the right report, and of the answers' figures found."""
    dense_text, word_text = VARIANTS[variant]
    dense = vectors_of(client, [dense_text(one) for one in passages])
    words = WordIndex([document_encode(word_text(one), language="en") for one in passages])
    texts = [f"{one.report}: {one.text}" if ask_name else one.text for one in questions]
    vectors = vectors_of(client, texts)
    ids = [str(row) for row in range(len(passages))]
    right, found = [], []
    for question, text, vector in zip(questions, texts, vectors, strict=True):
        candidates = Candidates(
            best_of(dense @ vector, ids), best_of(words.scores(query_encode(text, languages=["en"])), ids, above=0)
        )
        best = [passages[int(hit.id)] for hit in candidates_fuse(candidates, limit=BEST)]
        own = [one for one in best if one.report == question.report]
        right.append(len(own) / BEST)
        if question.figures:
            shown = set(_FIGURE.findall(" ".join(one.draft.text for one in own)))
            found.append(len(question.figures & shown) / len(question.figures))
    return float(np.mean(right)), float(np.mean(found))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--embeddings", default="")
    options.add_argument("--documents", type=int, default=8)
    options.add_argument("--variants", nargs="*", default=list(VARIANTS))
    arguments = options.parse_args()
    files = sorted((arguments.folder / "docs").glob("*.pdf"))
    questions = questions_of(arguments.folder, [path.stem for path in files])
    asked = sorted(
        {question.report for question in questions}, key=lambda one: [q.report for q in questions].index(one)
    )
    chosen = asked[: arguments.documents]
    questions = [question for question in questions if question.report in chosen]
    counter = minilm_counter()
    passages = [
        Passage(path.stem, draft)
        for path in files
        if path.stem in chosen
        for draft in chunk(parse(path, PDF), max_tokens=READS, count=counter)
    ]
    mean = sum(passage.draft.tokens for passage in passages) / len(passages)
    print(f"{len(chosen)} reports, {len(passages)} passages of {mean:.0f} tokens, {len(questions)} questions\n")
    with engine("app.embedded.embeddings") as (address, _):
        client = EmbeddingsClient(Endpoint(arguments.embeddings or f"{address}/v1"))
        print("| embedded and indexed | right report@5 | figures@5 | named: right report@5 | figures@5 |")
        print("|---|---:|---:|---:|---:|", flush=True)
        for variant in arguments.variants:
            cells = [*measure(passages, questions, client, variant, ask_name=False)]
            cells += measure(passages, questions, client, variant, ask_name=True)
            print(f"| {variant} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
