"""Seconds from the command to the first answer, at the second start of a box with the sample library.

python -m bench.start [--times N]
"""

import argparse
import json
import statistics
import tempfile
import time
import urllib.error
from pathlib import Path

from bench.engines import RESULTS
from tests.box.real_box import WholeBox

PATIENCE_S = 60
QUESTION = {"message": "What is the hotel limit for a night in London?", "stream": False}


def first_answer_s(box: WholeBox, key: str) -> float:
    """Start the box and ask until an answer with a citation comes; it is stopped afterwards."""
    began = time.monotonic()
    box.launch()
    while True:
        try:
            message = box.api("/api/v1/bots/default/chat", key, QUESTION)["message"]
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() - began > PATIENCE_S:
                raise
            time.sleep(0.02)
            continue
        taken = time.monotonic() - began
        assert message["citations"], message
        box.stop()
        return taken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    times: int = parser.parse_args().times
    with tempfile.TemporaryDirectory(prefix="refdesk-bench-") as folder:
        box = WholeBox(Path(folder) / "data", REFDESK_SAMPLES="1")
        try:
            box.start()
            key = box.manage("api_key_create", "--organisation", "default", "--name", "bench")
            box.await_ready_documents()
            box.stop()
            taken = [first_answer_s(box, key) for _ in range(times)]
        finally:
            box.stop()
    result = {"first_answer_s": taken, "median_s": statistics.median(taken)}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "start.json").write_text(json.dumps(result, indent=2))
    print(f"Second start to first answer: median {result['median_s']:.1f} s of {times}, target 5 s")


if __name__ == "__main__":
    main()
