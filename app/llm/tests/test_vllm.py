"""The contract with a real vLLM: what Refdesk relies on, and what is refused."""

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator

import pytest

from app.errors import Upstream
from app.lib.http import http_session_close
from app.llm.deltas import FinishReason, Reply
from app.llm.endpoint import Endpoint
from app.llm.messages import ChatMessage
from app.llm.providers import provider_of
from app.llm.providers.protocol import ChatStream
from app.llm.routing import model_info
from app.llm.tests.real_servers import needs_vllm, vllm_endpoint, wait_until

pytestmark = needs_vllm
QUESTION = [ChatMessage.user("Do cats purr?")]
CONTEXT = 2048  # the context that the tests' server is started with
LONG = 2000  # tokens: takes some seconds


@pytest.fixture
async def vllm() -> AsyncIterator[Endpoint]:
    yield vllm_endpoint()
    await http_session_close()


def stream_of(endpoint: Endpoint, *, max_tokens: int) -> ChatStream:
    return provider_of(endpoint).chat(QUESTION, model=endpoint.model, max_tokens=max_tokens)


def metric(endpoint: Endpoint, name: str) -> float:
    """Return the sum of one of the server's own metrics."""
    with urllib.request.urlopen(f"{endpoint.root}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    samples = [line for line in lines if line.startswith(f"vllm:{name}{{")]
    assert samples, name
    return sum(float(line.rsplit(" ", 1)[1]) for line in samples)


async def test_the_served_context_is_found_with_and_without_a_name(vllm: Endpoint) -> None:
    assert await model_info(vllm) == await model_info(Endpoint(vllm.url))
    assert (await model_info(vllm)).context == CONTEXT


async def test_an_answer_is_streamed_with_its_usage(vllm: Endpoint) -> None:
    reply, texts = Reply(), 0
    async with stream_of(vllm, max_tokens=120) as stream:
        async for delta in stream:
            reply.add(delta)
            texts += bool(delta.text)
    assert texts > 1
    assert reply.text.strip()
    assert (reply.usage.tokens_out, reply.finish_reason) == (120, FinishReason.LENGTH)
    assert 5 < reply.usage.tokens_in < 40


async def stands_still(endpoint: Endpoint) -> bool:
    """Return whether no request runs and no token is made. (vLLM 0.32's counter of aborts stays 0.)"""
    if not await wait_until(lambda: metric(endpoint, "num_requests_running") == 0, within_s=2):
        return False
    tokens = metric(endpoint, "generation_tokens_total")
    await asyncio.sleep(0.5)
    return metric(endpoint, "generation_tokens_total") == tokens


async def test_vllm_gives_up_an_answer_whose_reader_has_left(vllm: Endpoint) -> None:
    assert await stands_still(vllm)
    ended, tokens = metric(vllm, "request_success_total"), metric(vllm, "generation_tokens_total")
    async with stream_of(vllm, max_tokens=LONG) as stream:
        await anext(aiter(stream))
    assert await stands_still(vllm)
    assert metric(vllm, "generation_tokens_total") - tokens < LONG
    assert metric(vllm, "request_success_total") == ended


async def test_vllm_gives_up_an_answer_that_is_cancelled(vllm: Endpoint) -> None:
    async def read() -> None:
        async with stream_of(vllm, max_tokens=LONG) as stream:
            async for _ in stream:
                pass

    reading = asyncio.create_task(read())
    assert await wait_until(lambda: metric(vllm, "num_requests_running") == 1, within_s=10)
    ended = metric(vllm, "request_success_total")
    reading.cancel()
    assert await stands_still(vllm)
    assert metric(vllm, "request_success_total") == ended


async def test_a_prompt_beyond_the_context_is_prompt_too_long(vllm: Endpoint) -> None:
    stream = provider_of(vllm).chat([ChatMessage.user("word " * 3000)], model=vllm.model)
    with pytest.raises(Upstream) as caught:
        await stream.__aenter__()
    assert (caught.value.code, caught.value.details["status"]) == ("prompt_too_long", 400)
    assert re.search(r"longer than the model reads", caught.value.message)


async def test_a_model_that_it_does_not_serve_is_missing(vllm: Endpoint) -> None:
    with pytest.raises(Upstream) as caught:
        await provider_of(vllm).chat(QUESTION, model="another").__aenter__()
    assert caught.value.code == "model_missing"


async def test_a_key_that_it_does_not_ask_for_does_no_harm(vllm: Endpoint) -> None:
    info = await model_info(Endpoint(vllm.url, vllm.model, "sesame"))
    assert info.context == CONTEXT
