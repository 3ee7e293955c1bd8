"""Whole turns with real model servers behind them. Their text is nonsense; the requests to them are real."""

import time
from collections.abc import Iterator

import pytest
from django.conf import Settings

from app.accounts.models import Organisation
from app.bots.models import Bot
from app.bots.services import bot_create
from app.chat.tests.conftest import Desk, text_of
from app.chat.tests.library import DESCALING, WARRANTY, document_index
from app.chat.tests.test_turn_faults import Reader
from app.llm.endpoint import Endpoint
from app.llm.messages import ChatMessage
from app.llm.providers import provider_of
from app.llm.routing import endpoints_forget
from app.llm.tests.real_servers import needs_ollama, needs_vllm, tiny_ollama, vllm_endpoint
from tests.people import Person

QUESTION = "How long is the warranty of the Vale 3?"
CONTEXT = 2048
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def tiny() -> Iterator[Endpoint]:
    with tiny_ollama() as server:
        server.make("turn", num_ctx=CONTEXT)
        yield server.endpoint


@pytest.fixture(params=[pytest.param("ollama", marks=needs_ollama), pytest.param("vllm", marks=needs_vllm)])
def real_model(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Endpoint]:
    """Make the real server the deployment's model server."""
    endpoint = request.getfixturevalue("tiny") if request.param == "ollama" else vllm_endpoint()
    settings.LLM_URL, settings.LLM_MODEL = endpoint.url, endpoint.model
    endpoints_forget()
    yield endpoint
    endpoints_forget()


def library_with(acme: Organisation, passages: list[str], max_tokens: int) -> Bot:
    document_index(acme, "manual.pdf", passages)
    return bot_create(organisation=acme, slug="default", name="Reference desk", settings={"max_tokens": max_tokens})


@pytest.fixture
def brief_bot(acme: Organisation, qdrant: str, embedder: str) -> Bot:
    return library_with(acme, [WARRANTY, DESCALING], 60)


@pytest.fixture
def verbose_bot(acme: Organisation, qdrant: str, embedder: str) -> Bot:
    return library_with(acme, [WARRANTY, DESCALING], 8000)


@pytest.fixture
def long_passages(acme: Organisation, qdrant: str, embedder: str) -> Bot:
    more = " The warranty covers parts and labour." * 60
    return library_with(acme, [f"{WARRANTY} This is model number {n}.{more}" for n in range(12)], 60)


async def test_a_turn_is_written_by_the_server_s_model(
    desk: Desk, brief_bot: Bot, bob: Person, real_model: Endpoint
) -> None:
    events = await desk.ask(bob.key, QUESTION)
    message = events[-1][2]["message"]
    assert (events[0][2]["mode"], message["state"], message["error"]) == ("model", "done", None)
    assert message["usage"]["tokens_out"] == 60
    assert 200 < message["usage"]["tokens_in"] < CONTEXT
    assert text_of(events) == message["content"]


async def test_a_prompt_of_long_passages_is_fitted_to_the_served_context(
    desk: Desk, long_passages: Bot, bob: Person, real_model: Endpoint
) -> None:
    """Check the fit: Ollama would cut the prompt silently, from exactly CONTEXT tokens on.

    vLLM refuses a prompt that is too long. The tests' model there splits a text into more than twice as many tokens as
    we estimate: it gets fewer passages instead of none.
    """
    events = await desk.ask(bob.key, QUESTION)
    message = events[-1][2]["message"]
    assert (message["state"], message["error"]) == ("done", None)
    assert message["usage"]["tokens_out"] == 60
    assert CONTEXT / 4 < message["usage"]["tokens_in"] < CONTEXT - 60


async def test_a_turn_that_is_stopped_frees_the_model(
    desk: Desk, verbose_bot: Bot, bob: Person, tiny: Endpoint, settings: Settings
) -> None:
    settings.LLM_URL, settings.LLM_MODEL = tiny.url, tiny.model
    async with Reader(desk.post("/bots/default/chat", bob.key, {"message": QUESTION})) as reader:
        events = await reader.until("event: delta")
        status, stopped = await desk.json(desk.post(f"/messages/{events[0][2]['message']}/stop", bob.key))
    assert (status, stopped["state"]) == (200, "stopped")
    began = time.monotonic()
    async with provider_of(tiny).chat([ChatMessage.user("?")], model=tiny.model, max_tokens=1) as stream:
        assert [delta.text async for delta in stream if delta.text]
    # Ollama serves one request at a time: without a stop the rest of 600 tokens comes first.
    assert time.monotonic() - began < 4


async def test_a_model_that_is_not_there_leaves_the_passages_own_words(
    desk: Desk, library: Bot, bob: Person, real_model: Endpoint, settings: Settings
) -> None:
    settings.LLM_MODEL = "nobody-has-this"
    message = (await desk.ask(bob.key, QUESTION))[-1][2]["message"]
    assert (message["mode"], message["state"], message["error"]["code"]) == ("extractive", "done", "model_missing")
    assert "24 months" in message["content"]
