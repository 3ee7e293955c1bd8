import math
import time
from typing import Any

import pytest

from app.embedded.ports import port_find
from app.errors import Upstream
from app.llm.endpoint import Endpoint
from app.llm.providers.protocol import RankedDocument
from app.llm.rerank import documents_rerank
from app.llm.tests.fake_server import FakeServer, Reply, serving

DOCUMENTS = ["Dogs bark.", "Cats purr.", "Cows moo."]


def ranking_reply(*scores: float) -> Reply:
    """Return the reply of vLLM and llama.cpp: in any order, with more than is needed."""
    results = [{"index": n, "relevance_score": score, "document": {"text": "…"}} for n, score in enumerate(scores)]
    return 200, {"model": "m", "usage": {"total_tokens": 9}, "results": results[::-1]}, {}


async def test_documents_are_ranked_best_first_by_the_served_model() -> None:
    with serving(FakeServer(lambda _: ranking_reply(-4.2, 7.5, -4.2))) as server:
        endpoint = Endpoint(server.url, "bge-reranker", api_key="sesame")
        ranking = await documents_rerank(endpoint=endpoint, query="Which animal purrs?", documents=DOCUMENTS)
    assert ranking == [RankedDocument(1, 7.5), RankedDocument(0, -4.2), RankedDocument(2, -4.2)]
    assert server.paths == ["/v1/rerank"]
    assert server.bodies == [{"model": "bge-reranker", "query": "Which animal purrs?", "documents": DOCUMENTS}]
    assert server.headers[0]["Authorization"] == "Bearer sesame"


async def test_no_more_than_the_wanted_number_comes_back() -> None:
    # Some versions of llama.cpp ignore top_n and rank every document.
    with serving(FakeServer(lambda _: ranking_reply(0.1, 0.9, 0.5))) as server:
        ranking = await documents_rerank(endpoint=Endpoint(server.url, "m"), query="q", documents=DOCUMENTS, top_n=2)
    assert [document.index for document in ranking] == [1, 2]
    assert server.bodies[0]["top_n"] == 2


async def test_no_documents_are_ranked_without_a_request() -> None:
    with serving(FakeServer(lambda _: ranking_reply())) as server:
        assert await documents_rerank(endpoint=Endpoint(server.url), query="q", documents=[]) == []
        with pytest.raises(ValueError, match="top_n"):
            await documents_rerank(endpoint=Endpoint(server.url), query="q", documents=DOCUMENTS, top_n=0)
    assert server.bodies == []


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        [],
        {"results": None},
        {"results": []},
        {"results": [{"index": 0}]},
        {"results": [{"index": 3, "relevance_score": 1}]},
        {"results": [{"index": -1, "relevance_score": 1}]},
        {"results": [{"index": "0", "relevance_score": 1}]},
        {"results": [{"index": 0, "relevance_score": "high"}]},
        {"results": [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 2}]},
        {"results": [{"index": 0, "relevance_score": math.nan}]},
        {"results": [{"index": 0, "relevance_score": math.inf}]},
        {"error": "out of memory"},
    ],
)
async def test_a_response_without_a_proper_ranking_is_rerank_unavailable(content: Any) -> None:
    with serving(FakeServer(lambda _: (200, content, {}))) as server, pytest.raises(Upstream) as caught:
        await documents_rerank(endpoint=Endpoint(server.url, "m"), query="q", documents=DOCUMENTS)
    assert (caught.value.code, caught.value.retryable) == ("rerank_unavailable", True)


async def test_a_refusal_says_why_without_the_key() -> None:
    with serving(FakeServer(lambda _: (401, {"error": "Incorrect key: sesame"}, {}))) as server:
        endpoint = Endpoint(server.url, "m", api_key="sesame")
        with pytest.raises(Upstream) as caught:
            await documents_rerank(endpoint=endpoint, query="q", documents=DOCUMENTS)
    assert caught.value.details == {"reason": "HTTP 401", "reply": '{"error": "Incorrect key: ***"}'}
    assert len(server.bodies) == 1


async def test_a_busy_server_is_asked_once_more() -> None:
    replies = iter([(503, {}, {}), ranking_reply(0.1, 0.9, 0.5)])
    with serving(FakeServer(lambda _: next(replies))) as server:
        ranking = await documents_rerank(endpoint=Endpoint(server.url, "m"), query="q", documents=DOCUMENTS)
    assert ranking[0].index == 1
    with serving(FakeServer(lambda _: (503, {}, {"Retry-After": "1"}))) as server, pytest.raises(Upstream) as caught:
        await documents_rerank(endpoint=Endpoint(server.url, "m"), query="q", documents=DOCUMENTS)
    assert (caught.value.code, caught.value.retry_after_s) == ("rerank_unavailable", 1)
    assert len(server.bodies) == 2


async def test_a_server_that_is_away_is_told_apart_quickly() -> None:
    endpoint = Endpoint(f"http://127.0.0.1:{port_find(None)}/v1", "m")
    began = time.monotonic()
    with pytest.raises(Upstream) as caught:
        await documents_rerank(endpoint=endpoint, query="q", documents=DOCUMENTS)
    assert caught.value.code == "rerank_unavailable"
    assert time.monotonic() - began < 12  # of 15
