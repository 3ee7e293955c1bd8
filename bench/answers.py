"""How good answers without a model are: does the quoted text hold the answer, is what nothing holds refused.

    python -m bench.answers [--data ../shared/data/retrieval]

The sample library goes through the real upload, ingest, search and turn, with its questions (app/operations/samples).
The public sets (xquad, nq-open-oracle) go straight to the choice of sentences, from the five passages that BM25 finds.
"""

import argparse
import json
import math
import re
import time
import urllib.request
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from app.chat.extractive import Readable, extract_make
from app.retrieval.sparse import document_encode, query_encode
from bench.desk import Desk, desk
from bench.engines import RESULTS, ROOT

SAMPLES = ROOT / "app" / "operations" / "samples"
SETS = {"xquad en": "en", "xquad de": "de", "xquad es": "es", "nq": ""}
Row = dict[str, Any]


def plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def lines_of(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.open()]


def fill() -> str:
    """Ingest the sample library in this process."""
    from app.accounts.keys import api_key_create
    from app.accounts.services import organisation_create
    from app.bots.services import bot_create
    from app.jobs.execution import job_run
    from app.jobs.models import Job
    from app.library.services.sources import source_for_uploads
    from app.operations.sample_library import samples_load

    organisation = organisation_create(slug="bench")
    bot_create(organisation=organisation, slug="default", name="Bench")
    samples_load(source=source_for_uploads(organisation=organisation))
    for job in Job.objects.all():
        job_run(job=job.pk)
    return api_key_create(organisation=organisation, name="bench")[1]


def ask(running: Desk, question: str) -> Row:
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/api/v1/bots/default/chat",
        data=json.dumps({"message": question, "stream": False}).encode(),
        headers={"Authorization": f"Bearer {running.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        message: Row = json.loads(answer.read())["message"]
    return message


def samples(running: Desk, *, shown: bool) -> Row:
    counts: Counter[str] = Counter()
    characters = 0
    for one in json.loads((SAMPLES / "questions.json").read_text()):
        message = ask(running, one["question"])
        refused = message["mode"] == "refused"
        if one["contains"] is None:
            outcome = "rightly refused" if refused else "wrongly answered"
        else:
            held = plain(one["contains"]) in plain(message["content"])
            outcome = "answered" if held else "wrongly refused" if refused else "other sentence"
            characters += len(message["content"])
        counts[outcome] += 1
        if shown and outcome not in ("answered", "rightly refused"):
            print(f"{outcome}: {one['question']} -> {message['content'][:200]!r}")
    answered = sum(counts[name] for name in ("answered", "other sentence", "wrongly refused"))
    return {"set": "samples", **counts, "characters": characters / answered}


class Index:
    """BM25 over a set's passages, by the words that the product indexes."""

    def __init__(self, corpus: list[Row]) -> None:
        self.corpus = corpus
        self.held: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for place, row in enumerate(corpus):
            vector = document_encode(f"{row.get('title', '')} {row['text']}")
            for term, weight in zip(vector.indices, vector.values, strict=True):
                self.held[term].append((place, weight))

    def best(self, question: str) -> list[Row]:
        scores: Counter[int] = Counter()
        for term in query_encode(question).indices:
            found = self.held.get(term, [])
            rarity = math.log(1 + (len(self.corpus) - len(found) + 0.5) / (len(found) + 0.5))
            for place, weight in found:
                scores[place] += weight * rarity  # type: ignore[assignment]
        return [self.corpus[place] for place, _ in scores.most_common(5)]


def public_set(folder: Path, name: str, language: str) -> Row:
    """Return figures. found: an answer stands in the five passages; quoted: of those, in the quoted sentences."""
    base, ending = (folder / "xquad", f".{language}.jsonl") if language else (folder / "nq-open-oracle", ".jsonl")
    index, questions = Index(lines_of(base / f"corpus{ending}")), lines_of(base / f"queries{ending}")
    found = quoted = characters = 0
    spent_s = 0.0
    for one in questions:
        answers = [plain(answer["text"] if isinstance(answer, dict) else answer) for answer in one["answers"]]
        passages = index.best(one["text"])
        began = time.perf_counter()
        readable = [Readable(n, row["text"], row.get("title", "")) for n, row in enumerate(passages, 1)]
        extract = extract_make(question=one["text"], passages=readable)
        spent_s += time.perf_counter() - began
        text = extract.text if extract else ""
        whole = plain(" ".join(row["text"] for row in passages))
        found += any(answer in whole for answer in answers)
        quoted += any(answer in plain(text) for answer in answers)
        characters += len(text)
    count = len(questions)
    row = {"set": name, "questions": count, "found": found / count, "quoted": quoted / found}
    return {**row, "characters": characters / count, "ms": 1000 * spent_s / count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "retrieval")
    parser.add_argument("--shown", action="store_true", help="print the questions that went wrong")
    arguments = parser.parse_args()
    with desk(fill, with_model=False) as running:
        rows = [samples(running, shown=arguments.shown)]
    print(rows[0])
    if arguments.data.is_dir():
        rows += [public_set(arguments.data, name, language) for name, language in SETS.items()]
    for row in rows[1:]:
        print(
            " · ".join(f"{key} {value:.3g}" if isinstance(value, float) else str(value) for key, value in row.items())
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "answers.json").write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
