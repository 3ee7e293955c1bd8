"""Public retrieval sets as texts, questions and judgements, with their vectors kept between runs."""

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.llm.embeddings import EmbeddingsClient

# A long document is cut as the product would, about: words of a passage, and words that the next one repeats.
PASSAGE_WORDS, REPEATED_WORDS = 180, 20
KEPT = Path(tempfile.gettempdir()) / "refdesk-bench-vectors"


@dataclass(frozen=True)
class RetrievalSet:
    """`judgements` maps a question's id to its relevant texts and their grades."""

    name: str
    texts: dict[str, str]
    questions: dict[str, str]
    judgements: dict[str, dict[str, float]]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _judgements(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text().splitlines()[1:]:
        question, text, grade = line.split("\t")
        found.setdefault(question, {})[text] = float(grade)
    return found


def _text(document: dict[str, Any]) -> str:
    # One of Cranfield's documents is empty.
    return f"{document.get('title') or ''}\n{document['text']}".strip() or "-"


def _made(name: str, corpus: Path, queries: Path, judged: Path, *, every: int = 1) -> RetrievalSet:
    """Return a set. every: of the questions, to bound the time of a large set."""
    judgements = _judgements(judged)
    questions = [(line["_id"], line["text"]) for line in _lines(queries)][::every]
    texts = {document["_id"]: _text(document) for document in _lines(corpus)}
    return RetrievalSet(name, texts, {one: text for one, text in questions if one in judgements}, judgements)


def _covid(folder: Path) -> RetrievalSet:
    """Return long articles in passages; those that hold an answer as a whole are relevant."""
    texts: dict[str, str] = {}
    spans: dict[str, list[tuple[int, int, str]]] = {}
    for document in _lines(folder / "corpus.jsonl"):
        words = list(re.finditer(r"\S+", document["text"]))
        for first in range(0, max(1, len(words) - REPEATED_WORDS), PASSAGE_WORDS - REPEATED_WORDS):
            part = words[first : first + PASSAGE_WORDS]
            start, end = part[0].start(), part[-1].end()
            passage = f"{document['_id']}#{first}"
            texts[passage] = f"{document.get('title') or ''}\n{document['text'][start:end]}".strip()
            spans.setdefault(document["_id"], []).append((start, end, passage))
    questions, judgements = {}, {}
    for line in _lines(folder / "queries.jsonl"):
        relevant = {
            passage: 1.0
            for answer in line["answers"]
            for start, end, passage in spans[line["doc"]]
            if start <= answer["answer_start"] and answer["answer_start"] + len(answer["text"]) <= end
        }
        if relevant and not line.get("impossible"):
            questions[line["_id"]], judgements[line["_id"]] = line["text"], relevant
    return RetrievalSet("covid-qa", texts, questions, judgements)


def sets_load(folder: Path) -> list[RetrievalSet]:
    def plain(name: str, *, at: str = "", every: int = 1) -> RetrievalSet:
        place = folder / (at or name)
        return _made(name, place / "corpus.jsonl", place / "queries.jsonl", place / "qrels.tsv", every=every)

    def xquad(language: str) -> RetrievalSet:
        place = folder / "xquad"
        corpus, queries = place / f"corpus.{language}.jsonl", place / f"queries.{language}.jsonl"
        return _made(f"xquad-{language}", corpus, queries, place / "qrels.tsv")

    science = folder / "scifact"
    return [
        *(xquad(language) for language in ("en", "de", "es")),
        plain("cmrc-zh", at="cmrc2018-zh", every=4),
        plain("cranfield"),
        plain("nq", at="nq-open-oracle"),
        _covid(folder / "covid-qa-longdoc"),
        plain("cisi"),
        plain("cacm"),
        _made("scifact", science / "corpus.jsonl", science / "queries.train.jsonl", science / "qrels.train.tsv"),
    ]


def vectors_of(client: EmbeddingsClient, texts: list[str]) -> Any:
    """Return a matrix of unit vectors, one row per text; computed once per model and list of texts."""
    space = client.space()
    digest = hashlib.sha256("\0".join([space.model, *texts]).encode()).hexdigest()
    kept = KEPT / f"{digest}.npy"
    if not kept.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        matrix = np.frombuffer(b"".join(client.embed_documents(texts)), "<f4").reshape(len(texts), -1)
        draft = kept.with_suffix(".new.npy")
        np.save(draft, matrix / np.linalg.norm(matrix, axis=1, keepdims=True))
        draft.rename(kept)
    return np.load(kept)
