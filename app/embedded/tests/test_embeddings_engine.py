"""The packaged embedding model as a process: OpenAI's schemas, questions first, limits, cancelled requests."""

import base64
import http.client
import json
import os
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.embedded.embedder import BATCH_TOKENS, batches_of
from tests.waiting import wait_until
from tools.reference import ROOT

LONG = "the holiday of every employee is requested from the line manager before it begins " * 30


def ask(address: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    content = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
    request = urllib.request.Request(address + path, content, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {"retry_after": error.headers.get("Retry-After"), **json.load(error)}


def waiting(address: str) -> dict[str, int]:
    return dict(ask(address, "/health")[1]["waiting"])


def wait_until_idle(address: str, within_s: float = 60) -> float:
    """Return seconds until nothing waits."""
    begun = time.monotonic()
    while any(waiting(address).values()):
        assert time.monotonic() - begun < within_s
        time.sleep(0.02)
    return time.monotonic() - begun


def test_numbers_and_base64_are_the_same_vector(embedder: str) -> None:
    _, floats = ask(embedder, "/v1/embeddings", {"input": "Hello", "model": "all-MiniLM-L6-v2"})
    _, packed = ask(embedder, "/v1/embeddings", {"input": ["Hello"], "encoding_format": "base64"})
    numbers = floats["data"][0]["embedding"]
    assert struct.unpack("<384f", base64.b64decode(packed["data"][0]["embedding"])) == pytest.approx(numbers)
    assert (floats["object"], floats["data"][0]["object"]) == ("list", "embedding")
    assert floats["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_a_text_has_the_same_vector_alone_and_in_company(embedder: str) -> None:
    texts = ["short", "a somewhat longer text about holidays", LONG, "another", "short"]
    _, together = ask(embedder, "/v1/embeddings", {"input": texts})
    assert [one["index"] for one in together["data"]] == [0, 1, 2, 3, 4]
    for text, one in zip(texts, together["data"], strict=True):
        _, alone = ask(embedder, "/v1/embeddings", {"input": text})
        cosine = sum(a * b for a, b in zip(one["embedding"], alone["data"][0]["embedding"], strict=True))
        # The int8 model scales by the whole batch, so other texts in the batch change a vector a little.
        assert cosine > 0.985


def test_what_the_model_does_not_read_is_said(embedder: str) -> None:
    _, answer = ask(embedder, "/v1/embeddings", {"input": ["short", LONG]})
    assert [one.get("truncated", False) for one in answer["data"]] == [False, True]
    assert answer["usage"]["prompt_tokens"] == 3 + 256
    _, models = ask(embedder, "/v1/models")
    assert (models["data"][0]["max_model_len"], models["data"][0]["dimensions"]) == (256, 384)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{nothing", 400),
        (b"[]", 400),
        ({}, 400),
        ({"input": ""}, 400),
        ({"input": []}, 400),
        ({"input": ["a", 1]}, 400),
        ({"input": ["a"] * 2049}, 400),
        ({"input": "a", "encoding_format": "int8"}, 400),
        ({"input": "a", "model": "text-embedding-3-small"}, 404),
        ({"input": "a" * (17 * 1024 * 1024)}, 413),
    ],
)
def test_a_wrong_request_is_told_so_in_openai_s_shape(embedder: str, body: Any, status: int) -> None:
    answered, content = ask(embedder, "/v1/embeddings", body)
    assert answered == status
    assert content["error"]["message"]
    assert content["error"]["type"] == "invalid_request_error"


def test_a_question_is_answered_while_documents_wait(embedder: str) -> None:
    slowest = 0.0
    with documents_sent(embedder, 120):
        for _ in range(5):
            begun = time.monotonic()
            status, _ = ask(embedder, "/v1/embeddings", {"input": "How many days?"}, {"X-Priority": "question"})
            slowest = max(slowest, time.monotonic() - begun)
            assert status == 200
        assert waiting(embedder)["documents"] == 120  # the documents are still being embedded
    assert slowest < 2  # 10 to 30 ms on idle cores; 120 documents take 4 s
    wait_until_idle(embedder)


def test_a_full_queue_says_when_to_come_back_and_questions_still_pass(embedder: str) -> None:
    with documents_sent(embedder, 2048):
        status, content = ask(embedder, "/v1/embeddings", {"input": "one more document"})
        assert status == 429
        assert int(content["retry_after"]) >= 1
        status, _ = ask(embedder, "/v1/embeddings", {"input": "How many?"}, {"X-Priority": "question"})
        assert status == 200
    wait_until_idle(embedder)


@contextmanager
def documents_sent(address: str, count: int) -> Iterator[None]:
    """Return a client whose documents wait; it leaves without its answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    connection.request("POST", "/v1/embeddings", json.dumps({"input": [LONG] * count}))
    try:
        wait_until(lambda: waiting(address)["documents"] == count)
        yield
    finally:
        connection.close()


def test_nothing_is_computed_for_a_client_that_left(embedder: str) -> None:
    with documents_sent(embedder, 400):
        pass
    assert wait_until_idle(embedder) < 6  # 400 take 12 s


def test_batches_hold_every_text_once_and_are_small() -> None:
    lengths = [256, 3, 90, 5, 256, 17, 60, 8, 120, 1, 40]
    batches = batches_of(lengths)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(len(batch) * max(lengths[place] for place in batch) <= BATCH_TOKENS for batch in batches)
    assert lengths[batches[0][0]] == 256
    assert len(batches) <= 6


def test_the_runtime_reports_its_use_to_nobody(tmp_path: Path) -> None:
    # Reports would leave an id of this machine and a queue of events below the home folder.
    code = (
        "from app.embedded.embedder import Embedder; from app.llm.embedding_models import MODELS; "
        "import time; Embedder(next(iter(MODELS.values()))); time.sleep(1)"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []
