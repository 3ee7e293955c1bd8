"""The contract with a real vLLM: what we rely on, and what it says when something is wrong."""

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator

import pytest

from app.errors import Upstream
from app.lib.http import http_session_close
from app.llm.chat import ChatStream
from app.llm.endpoints import Endpoint, endpoint_facts, facts_forget
from app.llm.tests.real_servers import needs_vllm, vllm_endpoint, wait_until

pytestmark = needs_vllm
QUESTION = [{"role": "user", "content": "Do cats purr?"}]
CONTEXT = 2048  # what the tests' server is started with
LONG = 2000  # tokens: some seconds


@pytest.fixture
async def vllm() -> AsyncIterator[Endpoint]:
    facts_forget()
    yield vllm_endpoint()
    facts_forget()
    await http_session_close()


def counted(endpoint: Endpoint, name: str, label: str = "") -> float:
    """The sum of one of its own metrics."""
    with urllib.request.urlopen(f"{endpoint.root}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith(f"vllm:{name}{{") and label in line]
    assert found, name
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


async def test_the_served_context_is_found_with_and_without_a_name(vllm: Endpoint) -> None:
    assert await endpoint_facts(vllm) == await endpoint_facts(Endpoint(vllm.url))
    assert (await endpoint_facts(vllm)).context == CONTEXT


async def test_an_answer_is_streamed_with_its_usage(vllm: Endpoint) -> None:
    parts: list[str] = []
    async with ChatStream(vllm, vllm.model, QUESTION, max_tokens=120) as stream:
        async for text in stream:
            parts.append(text)
    assert len(parts) > 1
    assert "".join(parts).strip()
    assert (stream.tokens_out, stream.finish_reason) == (120, "length")
    assert 5 < stream.tokens_in < 40


async def stands_still(endpoint: Endpoint) -> bool:
    """Whether nothing runs and no token is made. (vLLM 0.32 counts no aborts: the counter for them stays 0.)"""
    if not await wait_until(lambda: counted(endpoint, "num_requests_running") == 0, within_s=2):
        return False
    made = counted(endpoint, "generation_tokens_total")
    await asyncio.sleep(0.5)
    return counted(endpoint, "generation_tokens_total") == made


async def test_vllm_gives_up_an_answer_whose_reader_has_left(vllm: Endpoint) -> None:
    assert await stands_still(vllm)
    ended, made = counted(vllm, "request_success_total"), counted(vllm, "generation_tokens_total")
    async with ChatStream(vllm, vllm.model, QUESTION, max_tokens=LONG) as stream:
        await anext(aiter(stream))
    assert await stands_still(vllm)
    assert counted(vllm, "generation_tokens_total") - made < LONG
    assert counted(vllm, "request_success_total") == ended


async def test_vllm_gives_up_an_answer_that_is_cancelled(vllm: Endpoint) -> None:
    async def read() -> None:
        async with ChatStream(vllm, vllm.model, QUESTION, max_tokens=LONG) as stream:
            async for _ in stream:
                pass

    reading = asyncio.create_task(read())
    assert await wait_until(lambda: counted(vllm, "num_requests_running") == 1, within_s=10)
    ended = counted(vllm, "request_success_total")
    reading.cancel()
    assert await stands_still(vllm)
    assert counted(vllm, "request_success_total") == ended


async def test_a_prompt_beyond_the_context_is_refused_in_our_words(vllm: Endpoint) -> None:
    stream = ChatStream(vllm, vllm.model, [{"role": "user", "content": "word " * 3000}])
    with pytest.raises(Upstream) as caught:
        await stream.__aenter__()
    assert (caught.value.code, caught.value.details["status"]) == ("prompt_too_long", 400)
    assert re.search(r"longer than the model reads", caught.value.message)


async def test_a_model_that_it_does_not_serve_is_missing(vllm: Endpoint) -> None:
    with pytest.raises(Upstream) as caught:
        await ChatStream(vllm, "another", QUESTION).__aenter__()
    assert caught.value.code == "model_missing"


async def test_a_key_that_it_does_not_ask_for_does_no_harm(vllm: Endpoint) -> None:
    facts = await endpoint_facts(Endpoint(vllm.url, vllm.model, "sesame"))
    assert facts.context == CONTEXT
