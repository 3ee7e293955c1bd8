"""The Edge engine as a process: refused requests, access by key, and no loss by a kill."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from qdrant_client import models as m

from tests.engines import QDRANT_KEY, ROOT

COLLECTION = {"vectors": {"dense": {"size": 2, "distance": "Cosine"}}, "sparse_vectors": {"words": {"modifier": "idf"}}}


class Engine:
    """An engine's process with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = self.start()

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "app.embedded.qdrant", "--folder", str(self.folder), "--port", "0"]
        environment = {**os.environ, "REFDESK_QDRANT_API_KEY": "own"}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split(" listens on ")[1].strip()
        return self.process

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=20)

    def client(self) -> QdrantClient:
        return QdrantClient(url=self.url, metadata={"api-key": "own"}, check_compatibility=False)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "vectors")
    yield made
    if made.process.poll() is None:
        made.end(signal.SIGKILL)


def call(url: str, method: str, path: str, body: Any = None, key: str = QDRANT_KEY) -> tuple[int, Any]:
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, content, {"api-key": key} if key else {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def fill(client: QdrantClient, count: int) -> None:
    client.create_collection(
        "docs",
        vectors_config={"dense": m.VectorParams(size=2, distance=m.Distance.COSINE, datatype=m.Datatype.FLOAT16)},
        sparse_vectors_config={"words": m.SparseVectorParams(modifier=m.Modifier.IDF)},
    )
    client.create_payload_index("docs", "organisation", m.KeywordIndexParams(type="keyword", is_tenant=True))
    points = [
        m.PointStruct(
            id=str(uuid.UUID(int=n + 1)),
            vector={"dense": [1.0, n], "words": m.SparseVector(indices=[n % 7], values=[1.0])},
            payload={"organisation": f"o{n % 3}"},
        )
        for n in range(count)
    ]
    client.upsert("docs", points, wait=True)


def everything(client: QdrantClient) -> list[Any]:
    return [record.model_dump() for record in client.scroll("docs", limit=1000, with_vectors=True)[0]]


def test_a_kill_right_after_an_answer_loses_nothing(engine: Engine) -> None:
    fill(engine.client(), 300)
    engine.client().delete("docs", [str(uuid.UUID(int=1))], wait=True)
    before = everything(engine.client())
    for _ in range(2):
        engine.end(signal.SIGKILL)
        engine.start()
        assert everything(engine.client()) == before
    assert len(before) == 299
    within = m.Filter(must=[m.FieldCondition(key="organisation", match=m.MatchValue(value="o1"))])
    assert engine.client().count("docs", within).count == 100
    assert engine.client().get_collection("docs").payload_schema["organisation"].params.is_tenant is True


def test_a_stop_is_clean_and_the_data_is_there_again(engine: Engine) -> None:
    fill(engine.client(), 50)
    before = everything(engine.client())
    assert engine.end(signal.SIGTERM) in (0, -signal.SIGTERM)
    engine.start()
    assert everything(engine.client()) == before


def test_a_second_process_on_the_same_folder_says_so_in_one_line(engine: Engine) -> None:
    fill(engine.client(), 1)
    command = [sys.executable, "-m", "app.embedded.qdrant", "--folder", str(engine.folder), "--port", "0"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert second.stderr.startswith("qdrant: ")
    assert len(second.stderr.splitlines()) == 1
    assert engine.client().count("docs").count == 1


def test_a_deleted_collection_stays_deleted_and_leaves_no_files(engine: Engine) -> None:
    fill(engine.client(), 10)
    assert engine.client().delete_collection("docs")
    assert list((engine.folder / "shards").iterdir()) == []
    engine.end(signal.SIGKILL)
    engine.start()
    assert engine.client().get_collections().collections == []


def test_without_the_key_only_health_is_open(qdrant: str) -> None:
    assert [call(qdrant, "GET", path, key="")[0] for path in ("/", "/healthz", "/livez", "/readyz")] == [200] * 4
    for key in ("", "guess", QDRANT_KEY + "x"):
        assert call(qdrant, "GET", "/collections", key=key)[0] == 401
        assert call(qdrant, "DELETE", "/collections/any", key=key)[0] == 401
    assert call(qdrant, "GET", "/collections")[0] == 200


Q = {"query": [1, 0], "using": "dense"}
# Cases in addition to those of app/retrieval/tests/test_qdrant_contract.py, which hold for every Qdrant.
REFUSED = [
    ("POST", "/collections/nowhere/points/query", Q, 404),
    ("PUT", "/collections/bad", {"vectors": {"a": {"size": 0, "distance": "Dot"}}}, 422),
    ("PUT", "/collections/a%2Fb", COLLECTION, 422),
    ("PUT", "/collections/bad", b"{nothing", 400),
    ("PUT", "/collections/bad", b"[]", 400),
    ("PUT", "/collections/{docs}/points", {"points": [{"id": True, "vector": {}}]}, 400),
    ("PUT", "/collections/{docs}/points", {"points": []}, 400),
    ("PUT", "/collections/{docs}/index", {"field_name": "a", "field_schema": "integer"}, 501),
    ("POST", "/collections/{docs}/points/delete", {"filter": {"perhaps": []}}, 400),
    ("POST", "/collections/{docs}/points/count", {"filter": {"must": [{"key": "a", "match": {"value": True}}]}}, 400),
    ("POST", "/collections/{docs}/points/count", {"filter": {"must": [{"key": "a", "range": {"gt": 1}}]}}, 400),
    ("POST", "/collections/{docs}/points/query", {"query": {"recommend": {}}}, 501),
    ("POST", "/collections/{docs}/points/facet", {}, 404),
    ("GET", "/telemetry", None, 404),
    ("GET", "/collections/../../etc/passwd", None, 404),
]


def test_what_is_wrong_is_refused_with_the_server_s_status_and_changes_nothing(qdrant: str) -> None:
    docs = f"docs-{uuid.uuid4()}"
    call(qdrant, "PUT", f"/collections/{docs}", COLLECTION)
    kept = {"points": [{"id": 7, "vector": {"dense": [1, 0]}, "payload": {"a": "x"}}]}
    call(qdrant, "PUT", f"/collections/{docs}/points?wait=true", kept)
    answers = [call(qdrant, method, path.format(docs=docs), body) for method, path, body, _ in REFUSED]
    assert [answer[0] for answer in answers] == [status for *_, status in REFUSED]
    assert all(json.loads(content)["status"]["error"] for _, content in answers)
    counted = json.loads(call(qdrant, "POST", f"/collections/{docs}/points/count", {})[1])
    assert counted["result"] == {"count": 1}
    call(qdrant, "DELETE", f"/collections/{docs}")


def test_a_body_beyond_the_limit_is_refused(qdrant: str) -> None:
    status, content = call(qdrant, "PUT", "/collections/any/points", b" " * (33 * 1024 * 1024))
    assert (status, b"larger than allowed" in content) == (400, True)


def test_an_alias_names_a_collection_also_after_a_kill_and_goes_with_it(engine: Engine) -> None:
    client = engine.client()
    fill(client, 3)
    named = m.CreateAliasOperation(create_alias=m.CreateAlias(collection_name="docs", alias_name="in-use"))
    client.update_collection_aliases([named])
    assert client.count("in-use").count == 3
    engine.end(signal.SIGKILL)
    engine.start()
    client = engine.client()
    assert [(one.alias_name, one.collection_name) for one in client.get_aliases().aliases] == [("in-use", "docs")]
    assert (client.count("in-use").count, client.collection_exists("in-use")) == (3, True)
    client.delete_collection("docs")
    assert (client.get_aliases().aliases, client.collection_exists("in-use")) == ([], False)


def test_a_change_of_aliases_is_made_whole_or_not_at_all(engine: Engine) -> None:
    client = engine.client()
    fill(client, 1)
    for wrong in ({"collection_name": "nowhere", "alias_name": "b"}, {"collection_name": "docs", "alias_name": "docs"}):
        actions = [{"create_alias": {"collection_name": "docs", "alias_name": "a"}}, {"create_alias": wrong}]
        status, _ = call(engine.url, "POST", "/collections/aliases", {"actions": actions}, key="own")
        assert status in (404, 409)
    assert client.get_aliases().aliases == []
