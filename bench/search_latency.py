"""How long a hybrid search takes through the Edge process, as the chat asks it: one request over HTTP.

    python -m bench.search_latency

Made-up passages: unit vectors of 384 numbers in clusters, 80 words of 50,000 by Zipf's law; questions of 8 words. All
in one organisation, and in 50 of which one is asked. Prints a table, saves JSON in bench/results/.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np

from app.lib.http import http_session_close
from app.llm.embeddings import EmbeddingSpace
from app.retrieval.fusion import candidates_fuse
from app.retrieval.index import IndexReader, IndexServer, Point
from app.retrieval.index_writer import IndexWriter
from app.retrieval.sparse import SparseVector
from bench.engines import RESULTS, cpu_s, engine, memory_mb

SIZES = (1_000, 10_000, 30_000, 100_000)
DIMENSIONS, CLUSTERS, VOCABULARY = 384, 200, 50_000
PASSAGE_WORDS, QUESTION_WORDS = 80, 8
QUESTIONS, WARMING = 200, 20

Row = dict[str, Any]


class Corpus:
    """Endless made-up passages and questions, the same in every run."""

    def __init__(self, organisations: int) -> None:
        self.chance = np.random.default_rng(7)
        self.centres = self.chance.normal(size=(CLUSTERS, DIMENSIONS))
        self.organisations = [str(uuid.UUID(int=n + 1)) for n in range(organisations)]
        self.made = 0

    def dense(self, count: int) -> Any:
        near = self.centres[self.chance.integers(CLUSTERS, size=count)]
        vectors = near + 1.5 * self.chance.normal(size=(count, DIMENSIONS))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def words(self, count: int, *, above: int = 0) -> SparseVector:
        """Return random words. above: the commonest words are function words, which are not indexed."""
        drawn = self.chance.zipf(1.15, size=count * 4)
        terms = np.unique(drawn[(drawn > above) & (drawn < VOCABULARY)][:count])
        return SparseVector(terms.tolist(), self.chance.uniform(0.5, 2.0, len(terms)).tolist())

    def points(self, count: int) -> Iterator[Point]:
        for vector in self.dense(count):
            organisation = self.organisations[self.made % len(self.organisations)]
            self.made += 1
            one = str(uuid.UUID(int=self.made))
            yield Point(one, organisation, one, one, one, vector.tolist(), self.words(PASSAGE_WORDS, above=50))


async def search_times(reader: IndexReader, corpus: Corpus) -> list[float]:
    """Return milliseconds of each question, fusion included."""
    times = []
    for vector in corpus.dense(QUESTIONS + WARMING):
        dense, words = vector.tolist(), corpus.words(QUESTION_WORDS, above=50)
        begun = time.perf_counter()
        found = await reader.search(organisation=corpus.organisations[0], dense=dense, words=words)
        hits = candidates_fuse(found, limit=18)
        times.append((time.perf_counter() - begun) * 1000)
        assert hits
    await http_session_close()
    return sorted(times[WARMING:])


def layout_measure(server: IndexServer, pid: int, organisations: int, sizes: tuple[int, ...]) -> list[Row]:
    space = EmbeddingSpace(f"made-up-{organisations}", DIMENSIONS)
    writer, reader, corpus = IndexWriter(server, space), IndexReader(server, space), Corpus(organisations)
    rows = []
    for size in sizes:
        points = list(corpus.points(size - corpus.made))
        begun = time.perf_counter()
        writer.points_upsert(points)
        upserts = len(points) / (time.perf_counter() - begun)
        time.sleep(7)  # the engine writes down what is new 5 s after the last update
        before = cpu_s(pid), time.process_time()
        times = asyncio.run(search_times(reader, corpus))
        after = cpu_s(pid), time.process_time()
        engine_ms, caller_ms = (
            (end - start) * 1000 / (QUESTIONS + WARMING) for start, end in zip(before, after, strict=True)
        )
        row = {
            "organisations": organisations,
            "chunks": size,
            "p50_ms": statistics.median(times),
            "p95_ms": times[int(len(times) * 0.95)],
            "engine_cpu_ms": engine_ms,
            "caller_cpu_ms": caller_ms,
            "upserts_per_s": upserts,
            "engine_mb": memory_mb(pid),
        }
        print(
            f"| {organisations} | {size:,} | {row['p50_ms']:.1f} | {row['p95_ms']:.1f} | {engine_ms:.1f} "
            f"| {caller_ms:.1f} | {upserts:,.0f} "
            f"| {row['engine_mb']:.0f} |",
            flush=True,
        )
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    options = parser.parse_args()
    print("| organisations | chunks | p50 ms | p95 ms | engine's CPU ms | caller's CPU ms | upserts/s | engine MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    rows: list[Row] = []
    for organisations in (1, 50):
        with (
            tempfile.TemporaryDirectory() as folder,
            engine("app.embedded.qdrant", "--folder", folder) as (address, pid),
        ):
            rows += layout_measure(IndexServer(address), pid, organisations, tuple(options.sizes))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "search_latency.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
