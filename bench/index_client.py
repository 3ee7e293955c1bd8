"""Cost of Qdrant's client against a plain request: memory of a process, time and CPU of an upsert and of a query.

    python -m bench.index_client

One process does both, one after the other, against the same Edge process. Prints a table, saves JSON in bench/results/.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import orjson
import urllib3
from qdrant_client import QdrantClient
from qdrant_client import models as m

from app.retrieval.index import DENSE, WORDS, Point, organisation_filter
from bench.engines import RESULTS, ROOT, engine
from bench.search_latency import DIMENSIONS, QUESTION_WORDS, Corpus

COLLECTION, POINTS, PER_REQUEST, QUESTIONS = "bench", 10_000, 200, 200
# Packages that the worker has loaded before its first index work.
WORKER = "import django, app.celery; django.setup(); import app.library.tasks, app.library.reconcile.reconciler"

Row = dict[str, float]


def memory_of(program: str) -> tuple[float, float]:
    """Return proportional set size in MB and import time in ms that `program` adds to a worker."""
    measure = (
        f"{WORKER}\nimport time\nfrom bench.engines import memory_mb\nimport os\n"
        f"before, begun = memory_mb(os.getpid()), time.perf_counter()\n{program}\n"
        "print(memory_mb(os.getpid()) - before, (time.perf_counter() - begun) * 1000)"
    )
    environment = {
        "DJANGO_SETTINGS_MODULE": "app.settings",
        "REFDESK_DATA": tempfile.gettempdir(),
        "REFDESK_SECRET_KEY": "bench",
        "REFDESK_DATABASE_URL": "postgresql://127.0.0.1:9/unused",
        "REFDESK_VALKEY_URL": "redis://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", measure], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    size, took = done.stdout.split()
    return float(size), float(took)


def timed(calls: list[Callable[[], Any]]) -> Row:
    """Return median wall time and mean CPU of the caller, in ms."""
    walls, cpu = [], time.process_time()
    for call in calls:
        begun = time.perf_counter()
        call()
        walls.append((time.perf_counter() - begun) * 1000)
    return {"wall_ms": statistics.median(walls), "cpu_ms": (time.process_time() - cpu) * 1000 / len(calls)}


def body_of(point: Point) -> dict[str, Any]:
    words = {"indices": point.words.indices, "values": point.words.values}
    return {"id": point.id, "vector": {DENSE: point.dense, WORDS: words}, "payload": payload_of(point)}


def struct_of(point: Point) -> m.PointStruct:
    words = m.SparseVector(indices=list(point.words.indices), values=list(point.words.values))
    return m.PointStruct(id=point.id, vector={DENSE: list(point.dense), WORDS: words}, payload=payload_of(point))


def payload_of(point: Point) -> dict[str, str]:
    return {"organisation": point.organisation, "source": point.source, "document": point.document}


def compare(url: str) -> dict[str, Row]:
    client, pool = QdrantClient(url=url, check_compatibility=False), urllib3.PoolManager()
    client.create_collection(
        COLLECTION,
        vectors_config={DENSE: m.VectorParams(size=DIMENSIONS, distance=m.Distance.COSINE)},
        sparse_vectors_config={WORDS: m.SparseVectorParams(modifier=m.Modifier.IDF)},
    )
    client.create_payload_index(COLLECTION, "organisation", m.PayloadSchemaType.KEYWORD)

    def ask(method: str, path: str, body: Any) -> Any:
        response = pool.request(method, f"{url}/collections/{COLLECTION}/{path}", body=orjson.dumps(body))
        return orjson.loads(response.data)["result"]

    corpus = Corpus(1)
    points = list(corpus.points(POINTS))
    batches = [points[start : start + PER_REQUEST] for start in range(0, POINTS, PER_REQUEST)]
    plain, client_ = batches[::2], batches[1::2]
    within = organisation_filter(corpus.organisations[0])
    questions = [(vector.tolist(), corpus.words(QUESTION_WORDS, above=50)) for vector in corpus.dense(QUESTIONS)]

    def query_plain(dense: list[float], words: Any) -> Any:
        sparse = {"indices": words.indices, "values": words.values}
        pairs = ((DENSE, dense), (WORDS, sparse))
        searches = [{"query": query, "using": name, "filter": within, "limit": 50} for name, query in pairs]
        return ask("POST", "points/query/batch", {"searches": searches})

    def query_client(dense: list[float], words: Any) -> Any:
        sparse = m.SparseVector(indices=words.indices, values=words.values)
        chosen = m.Filter.model_validate(within)
        pairs = ((DENSE, dense), (WORDS, sparse))
        requests = [m.QueryRequest(query=query, using=name, filter=chosen, limit=50) for name, query in pairs]
        return client.query_batch_points(COLLECTION, requests)

    return {
        "upsert of 200, plain": timed(
            [lambda b=batch: ask("PUT", "points?wait=true", {"points": [body_of(p) for p in b]}) for batch in plain]  # type: ignore[misc]
        ),
        "upsert of 200, client": timed(
            [lambda b=batch: client.upsert(COLLECTION, [struct_of(p) for p in b]) for batch in client_]  # type: ignore[misc]
        ),
        "query, plain": timed([lambda q=question: query_plain(*q) for question in questions]),  # type: ignore[misc]
        "query, client": timed([lambda q=question: query_client(*q) for question in questions]),  # type: ignore[misc]
    }


def main() -> None:
    parts = {
        "client": "from qdrant_client import QdrantClient, models",
        "of it grpc": "import grpc",
        "of it numpy": "import numpy",
        "of it httpx": "import httpx",
    }
    memory = {name: memory_of(program) for name, program in parts.items()}
    with tempfile.TemporaryDirectory() as folder, engine("app.embedded.qdrant", "--folder", folder) as (url, _):
        times = compare(url)
    print("| loaded in a worker | MB (PSS) | ms |\n|---|---:|---:|")
    for name, (size, took) in memory.items():
        print(f"| {name} | {size:.0f} | {took:.0f} |")
    print("\n| call | wall ms | caller's CPU ms |\n|---|---:|---:|")
    for name, row in times.items():
        print(f"| {name} | {row['wall_ms']:.1f} | {row['cpu_ms']:.2f} |")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "index_client.json").write_text(json.dumps({"memory": memory, "times": times}, indent=1))


if __name__ == "__main__":
    main()
