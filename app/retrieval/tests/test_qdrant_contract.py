"""One contract for the embedded server and every other Qdrant: the status and the result of each operation."""

import json
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import urllib3

from app.embedded.edge_operations import OPERATIONS
from app.retrieval.index import IndexServer

A, B, C = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
KEYWORD = {"type": "keyword", "is_tenant": True}
COLLECTION = {
    "vectors": {"dense": {"size": 2, "distance": "Cosine", "datatype": "float16"}},
    "sparse_vectors": {"words": {"modifier": "idf"}},
    "hnsw_config": {"m": 0, "payload_m": 16},
    "strict_mode_config": {"enabled": True, "unindexed_filtering_retrieve": False},
}
POINTS = [
    {
        "id": point_id,
        "vector": {"dense": dense, "words": {"indices": [word], "values": [1.0]}},
        "payload": {"organisation": organisation},
    }
    for point_id, dense, word, organisation in ((A, [1, 0], 1, "x"), (B, [0, 1], 2, "x"), (C, [1, 0], 1, "y"))
]
X = {"must": [{"key": "organisation", "match": {"value": "x"}}]}
DONE = {"status": "completed"}
ON = "/collections/{name}"


class Step(NamedTuple):
    """A request in the order of the list, and the least content of its result."""

    method: str
    operation: str
    body: Any
    result: Any
    collection: str = "docs"
    status: int = 200


STEPS = (
    Step("GET", f"{ON}/exists", None, {"exists": False}),
    Step("GET", ON, None, None, status=404),
    Step("POST", f"{ON}/points/count", {"exact": True}, None, status=404),
    Step("PUT", ON, COLLECTION, True),
    Step("PUT", ON, COLLECTION, None, status=409),
    Step("GET", f"{ON}/exists", None, {"exists": True}),
    Step("GET", "/collections", None, {"collections": [{"name": "docs"}]}),
    Step("PUT", f"{ON}/index?wait=true", {"field_name": "organisation", "field_schema": KEYWORD}, DONE),
    Step("GET", ON, None, {"payload_schema": {"organisation": {"data_type": "keyword"}}, "points_count": 0}),
    Step("GET", ON, None, {"config": {"params": {"vectors": {"dense": {"size": 2, "datatype": "float16"}}}}}),
    Step("PUT", f"{ON}/points?wait=true", {"points": POINTS}, DONE),
    Step("POST", f"{ON}/points/count", {"exact": True}, {"count": 3}),
    Step("POST", f"{ON}/points/count", {"exact": True, "filter": X}, {"count": 2}),
    Step("POST", f"{ON}/points", {"ids": [A], "with_payload": True}, [{"id": A, "payload": {"organisation": "x"}}]),
    Step("POST", f"{ON}/points", {"ids": [B], "with_vector": ["dense"]}, [{"id": B, "vector": {"dense": [0, 1]}}]),
    Step("POST", f"{ON}/points/scroll", {"limit": 2}, {"points": [{"id": A}, {"id": B}], "next_page_offset": C}),
    Step("POST", f"{ON}/points/scroll", {"limit": 2, "offset": C}, {"points": [{"id": C}], "next_page_offset": None}),
    Step("POST", f"{ON}/points/query", {"query": [1, 0], "using": "dense", "filter": X, "limit": 1},
         {"points": [{"id": A, "score": 1.0}]}),
    Step("POST", f"{ON}/points/query/batch", {"searches": [
        {"query": [0, 1], "using": "dense", "filter": X, "limit": 1},
        {"query": {"indices": [2], "values": [1.0]}, "using": "words", "filter": X, "limit": 5},
    ]}, [{"points": [{"id": B, "score": 1.0}]}, {"points": [{"id": B}]}]),
    Step("POST", "/collections/aliases", {"actions": [
        {"create_alias": {"collection_name": "docs", "alias_name": "in-use"}}]}, True),
    Step("GET", "/aliases", None, {"aliases": [{"alias_name": "in-use", "collection_name": "docs"}]}),
    Step("POST", f"{ON}/points/count", {"exact": True}, {"count": 3}, collection="in-use"),
    Step("POST", f"{ON}/points/delete?wait=true", {"points": [A, str(uuid.UUID(int=9))]}, DONE, collection="in-use"),
    Step("POST", f"{ON}/points/delete?wait=true", {"filter": X}, DONE, collection="in-use"),
    Step("POST", f"{ON}/points/scroll", {"limit": 9}, {"points": [{"id": C}], "next_page_offset": None}),
    Step("POST", "/collections/aliases", {"actions": [{"delete_alias": {"alias_name": "in-use"}}]}, True),
    Step("POST", f"{ON}/points/count", {"exact": True}, None, collection="in-use", status=404),
    Step("DELETE", ON, None, True),
    Step("GET", f"{ON}/exists", None, {"exists": False}),
)  # fmt: skip

REFUSED = (
    ("PUT", f"{ON}/points?wait=true", {"points": [{"id": 1, "vector": {"dense": [1]}}]}, 400),
    ("PUT", f"{ON}/points?wait=true", {"points": [{"id": 1, "vector": {"other": [1, 0]}}]}, 400),
    ("PUT", f"{ON}/points?wait=true", {"points": [{"id": "abc", "vector": {}}]}, 400),
    ("PUT", f"{ON}/points?wait=true", {}, 400),
    (
        "PUT",
        f"{ON}/points?wait=true",
        {"points": [{"id": 1, "vector": {"words": {"indices": [1, 1], "values": [1, 2]}}}]},
        422,
    ),
    ("POST", f"{ON}/points/delete", {}, 400),
    ("POST", f"{ON}/points/scroll", {"limit": 0}, 422),
    ("POST", f"{ON}/points/query", {"query": [1], "using": "dense"}, 400),
    ("POST", "/collections/nowhere-{name}/points/query/batch", {"searches": []}, 404),
    ("PUT", "/collections/nowhere-{name}/points", {"points": [{"id": 1, "vector": {}}]}, 404),
    ("PUT", "/collections/bad-{name}", {"vectors": {"a": {"size": 2, "distance": "Far"}}}, 400),
)


class Caller:
    """Plain requests; the names of collections and aliases belong to this test alone."""

    def __init__(self, server: IndexServer) -> None:
        self.server, self.own = server, f"contract-{uuid.uuid4()}"
        self.http = urllib3.PoolManager(retries=False)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = None if body is None else self._named(json.dumps(body))
        response = self.http.request(
            method, self.server.url + path, body=content, headers=self.server.headers, timeout=20
        )
        return response.status, json.loads(response.data.decode().replace(f"{self.own}-", "")).get("result")

    def step(self, step: Step) -> tuple[int, Any]:
        return self.call(step.method, step.operation.replace("{name}", f"{self.own}-{step.collection}"), step.body)

    def _named(self, text: str) -> str:
        for key, name in (("collection_name", "docs"), ("alias_name", "in-use")):
            text = text.replace(f'"{key}": "{name}"', f'"{key}": "{self.own}-{name}"')
        return text


@pytest.fixture
def caller(server: IndexServer) -> Iterator[Caller]:
    made = Caller(server)
    yield made
    made.call("DELETE", f"/collections/{made.own}-docs")


def fits(expected: Any, result: Any) -> bool:
    """Return whether a result contains the expected fields; it may have others, and other points on the server."""
    if isinstance(expected, dict):
        return isinstance(result, dict) and all(fits(value, result.get(key)) for key, value in expected.items())
    if isinstance(expected, list) and expected and isinstance(expected[0], dict):
        shared = "name" in expected[0] or "alias_name" in expected[0]
        rows = [row for row in result if not shared or row in expected]
        return len(rows) == len(expected) and all(fits(*pair) for pair in zip(expected, rows, strict=True))
    if isinstance(expected, float | list):
        return bool(result == pytest.approx(expected, abs=1e-3))
    return bool(expected == result)


def test_every_operation_answers_as_the_contract_says(caller: Caller) -> None:
    wrong = []
    for number, step in enumerate(STEPS):
        status, result = caller.step(step)
        if status != step.status or not (fits(step.result, result) if status == 200 else result is None):
            wrong.append((number, step.method, step.operation, status, result))
    assert wrong == []


def test_what_is_wrong_is_refused_with_the_same_status_and_changes_nothing(caller: Caller) -> None:
    name = f"{caller.own}-docs"
    caller.call("PUT", f"/collections/{name}", COLLECTION)
    caller.call("PUT", f"/collections/{name}/points?wait=true", {"points": POINTS})
    statuses = [caller.call(method, path.replace("{name}", name), body)[0] for method, path, body, _ in REFUSED]
    assert statuses == [status for *_, status in REFUSED]
    assert caller.call("POST", f"/collections/{name}/points/count", {"exact": True}) == (200, {"count": 3})


def test_health_needs_no_key(server: IndexServer) -> None:
    http = urllib3.PoolManager(retries=False)
    responses = {path: http.request("GET", server.url + path) for path in ("/", "/healthz", "/livez", "/readyz")}
    assert {path: response.status for path, response in responses.items()} == dict.fromkeys(responses, 200)
    assert json.loads(responses["/"].data)["title"].startswith("qdrant")
    assert responses["/readyz"].data == b"all shards are ready"


def test_the_contract_walks_through_every_operation() -> None:
    assert {(step.method, step.operation.partition("?")[0]) for step in STEPS} == set(OPERATIONS)
