"""How good a language model's answers are: the sample library's questions, through the real upload, search and turn.

    python -m bench.answers_model --model http://127.0.0.1:8080/v1 [--every 3] [--shown]

fact: the answer holds the expected words; cited: and cites the document that holds them. A question that no document
answers should be refused. `--every 3` asks each third question: a small model on two cores takes its time.
"""

import argparse
import json
import time
from collections import Counter
from typing import Any

from bench.answers import SAMPLES, ask, fill, plain
from bench.desk import desk
from bench.engines import RESULTS

Row = dict[str, Any]


def outcome_of(expected: Row, message: Row) -> str:
    refused = message["mode"] == "refused"
    if expected["contains"] is None:
        return "rightly refused" if refused else "wrongly answered"
    if refused:
        return "wrongly refused"
    documents = {citation["passage"]["document"]["name"] for citation in message["citations"]}
    cited = "cited" if expected["document"] in documents else "cited elsewhere" if documents else "uncited"
    return f"{'fact' if plain(expected['contains']) in plain(message['content']) else 'other words'}, {cited}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="address of the model server, with /v1")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--shown", action="store_true", help="print each answer")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    seconds: list[float] = []
    with desk(fill, model_url=arguments.model) as running:
        for expected in json.loads((SAMPLES / "questions.json").read_text())[:: arguments.every]:
            began = time.perf_counter()
            message = ask(running, expected["question"])
            seconds.append(time.perf_counter() - began)
            outcome = outcome_of(expected, message)
            counts[outcome] += 1
            modes[message["mode"]] += 1
            if arguments.shown:
                print(
                    f"{seconds[-1]:5.1f} s  {outcome}: {expected['question']} -> {message['content'][:200]!r}",
                    flush=True,
                )
    row = {**counts, "modes": dict(modes), "seconds": sum(seconds) / len(seconds)}
    print(row)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "answers_model.json").write_text(json.dumps(row, indent=2))


if __name__ == "__main__":
    main()
