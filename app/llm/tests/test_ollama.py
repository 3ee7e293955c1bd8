"""The contract with a real Ollama, on a tiny model created here: what Refdesk relies on, and what is refused."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from app.audit.models import AuditEntry
from app.errors import Upstream
from app.lib.http import http_session_close
from app.llm.deltas import Delta, FinishReason, Reply
from app.llm.embeddings import EmbeddingsClient, QuestionEmbedder, vector_numbers
from app.llm.endpoint import Endpoint
from app.llm.messages import ChatMessage
from app.llm.ollama import OllamaServer, PullProgress
from app.llm.providers import provider_of
from app.llm.providers.openai import BASE64
from app.llm.providers.protocol import ChatStream
from app.llm.routing import model_info
from app.llm.tests.real_servers import TinyOllama, tiny_ollama
from app.operations.management.commands.models import progress_line
from tests.people import Person
from tools.reference import ROOT

QUESTION = [ChatMessage.user("Do cats purr?")]
CONTEXT = 1024
LONG = 100_000  # tokens: takes minutes
AWAY = Endpoint("http://127.0.0.1:9/v1", "tiny")


@pytest.fixture(scope="module")
def ollama() -> Iterator[TinyOllama]:
    with tiny_ollama() as server:
        server.make("chat", num_ctx=CONTEXT)
        yield server


@pytest.fixture(autouse=True)
async def closed_session() -> AsyncIterator[None]:
    yield
    await http_session_close()


async def read(stream: ChatStream) -> list[Delta]:
    async with stream:
        return [delta async for delta in stream]


def reply_of(deltas: list[Delta]) -> Reply:
    reply = Reply()
    for delta in deltas:
        reply.add(delta)
    return reply


def stream_of(endpoint: Endpoint, *, max_tokens: int = 40) -> ChatStream:
    return provider_of(endpoint).chat(QUESTION, model=endpoint.model, max_tokens=max_tokens)


async def test_an_answer_is_streamed_with_its_usage(ollama: TinyOllama) -> None:
    deltas = await read(stream_of(ollama.endpoint))
    assert sum(1 for delta in deltas if delta.text) > 1
    reply = reply_of(deltas)
    assert reply.text.strip()
    assert (reply.usage.tokens_out, reply.finish_reason) == (40, FinishReason.LENGTH)
    assert 5 < reply.usage.tokens_in < 40


async def answers_soon(endpoint: Endpoint, within_s: float) -> bool:
    """Return whether the model is free: it serves one request at a time."""
    try:
        async with asyncio.timeout(within_s):
            await read(stream_of(endpoint, max_tokens=1))
    except TimeoutError:
        return False
    return True


async def test_ollama_stops_when_the_reader_has_left(ollama: TinyOllama) -> None:
    endpoint = ollama.endpoint
    await read(stream_of(endpoint, max_tokens=1))
    async with stream_of(endpoint, max_tokens=LONG) as stream:
        await anext(aiter(stream))
        assert not await answers_soon(endpoint, 2)
    assert await answers_soon(endpoint, 5)


async def test_ollama_stops_when_the_turn_is_cancelled(ollama: TinyOllama) -> None:
    endpoint = ollama.endpoint
    reading = asyncio.create_task(read(stream_of(endpoint, max_tokens=LONG)))
    await asyncio.sleep(1)
    assert not reading.done()
    reading.cancel()
    assert await answers_soon(endpoint, 5)


async def test_the_served_context_is_what_the_model_sets_loaded_or_not(ollama: TinyOllama) -> None:
    endpoint = Endpoint(f"{ollama.url}/v1", ollama.make("context", num_ctx=768))
    before = await model_info(endpoint)
    assert (before.context, before.context_known) == (768, False)
    await read(stream_of(endpoint, max_tokens=1))
    assert ollama.running()[endpoint.model] == 768
    endpoint.learnt.infos_forget()
    loaded = await model_info(endpoint)
    assert (loaded.context, loaded.context_known) == (768, True)


async def test_a_context_that_nobody_set_is_the_least_until_the_model_is_loaded(ollama: TinyOllama) -> None:
    endpoint = Endpoint(f"{ollama.url}/v1", ollama.make("unset"))
    assert (await model_info(endpoint)).context == 4096
    await read(stream_of(endpoint, max_tokens=1))
    endpoint.learnt.infos_forget()
    assert (await model_info(endpoint)).context == ollama.running()[endpoint.model]


async def test_ollama_cuts_a_prompt_beyond_the_context_without_a_word(ollama: TinyOllama) -> None:
    """Show why the context must be known before a prompt is made."""
    prompt = [ChatMessage.user("word " * 3 * CONTEXT)]
    stream = provider_of(ollama.endpoint).chat(prompt, model=ollama.endpoint.model, max_tokens=5)
    assert reply_of(await read(stream)).usage.tokens_in == CONTEXT


async def test_a_model_that_is_not_there_is_missing(ollama: TinyOllama) -> None:
    with pytest.raises(Upstream) as caught:
        await read(stream_of(Endpoint(ollama.endpoint.url, "nobody-has-this")))
    assert caught.value.code == "model_missing"


async def test_a_model_that_is_deleted_in_mid_answer_is_missing_for_the_next_question(ollama: TinyOllama) -> None:
    endpoint = Endpoint(f"{ollama.url}/v1", ollama.make("deleted", num_ctx=512))
    await model_info(endpoint)
    async with stream_of(endpoint, max_tokens=LONG) as stream:
        texts = aiter(stream)
        await anext(texts)
        await asyncio.to_thread(OllamaServer(endpoint).delete, endpoint.model)
        # The model in memory goes on answering.
        assert await anext(texts)
    with pytest.raises(Upstream) as caught:
        await read(stream_of(endpoint))
    assert caught.value.code == "model_missing"
    assert [model for model in OllamaServer(endpoint).models() if endpoint.model in model.name] == []


def test_vectors_come_in_the_order_of_their_texts_by_both_clients(ollama: TinyOllama) -> None:
    server = Endpoint(f"{ollama.url}/v1", ollama.endpoint.model)
    texts = [f"text number {number}" for number in range(70)]
    client = EmbeddingsClient(server)
    assert client.space().dimensions == 256
    together = [vector_numbers(vector) for vector in client.embed_documents(texts)]
    assert BASE64 not in server.learnt.refused
    for index in (0, 33, 69):
        [alone] = client.embed_documents([texts[index]])
        assert vector_numbers(alone) == pytest.approx(together[index], abs=1e-3)
    assert len({tuple(vector) for vector in together}) == len(texts)

    async def question() -> list[float]:
        return await QuestionEmbedder(server).embed_question(texts[33])

    assert asyncio.run(question()) == pytest.approx(together[33], abs=1e-3)


def test_an_embedding_model_that_is_not_there_is_embeddings_unavailable(ollama: TinyOllama) -> None:
    with pytest.raises(Upstream) as caught:
        EmbeddingsClient(Endpoint(f"{ollama.url}/v1", "nobody-has-this")).space()
    assert caught.value.code == "embeddings_unavailable"
    assert "not found" in str(caught.value.details)


def test_the_list_says_what_each_model_is_and_serves(ollama: TinyOllama) -> None:
    name = ollama.make("listed", num_ctx=640)
    [model] = [model for model in OllamaServer(ollama.endpoint).models() if model.name == f"{name}:latest"]
    assert (model.context, model.loaded, model.trained, model.embeds) == (640, False, 8192, False)
    assert model.bytes > 30_000_000
    assert model.parameters == "19.82M"


def test_a_model_that_cannot_be_fetched_is_a_plain_error(ollama: TinyOllama) -> None:
    with pytest.raises(Upstream) as caught:
        list(OllamaServer(ollama.endpoint).pull("127.0.0.1:9/nobody/has-this"))
    assert caught.value.code == "model_pull_failed"
    assert "127.0.0.1:9" in caught.value.details["reason"]


def test_a_deleted_model_is_gone_and_cannot_be_deleted_again(ollama: TinyOllama) -> None:
    name = ollama.make("gone")
    server = OllamaServer(ollama.endpoint)
    server.delete(name)
    assert f"{name}:latest" not in [model.name for model in server.models()]
    with pytest.raises(Upstream) as caught:
        server.delete(name)
    assert caught.value.code == "model_missing"


@pytest.mark.parametrize("asked", ["models", "delete", "pull"])
def test_a_server_that_is_away_is_model_unavailable(asked: str) -> None:
    server = OllamaServer(AWAY)
    with pytest.raises(Upstream) as caught:
        list(
            {"models": server.models, "delete": lambda: server.delete("x") or [], "pull": lambda: server.pull("x")}[
                asked
            ]()
        )
    assert caught.value.code == "model_unavailable"


def test_the_command_lists_and_deletes_and_leaves_a_trail(
    ollama: TinyOllama, alice: Person, settings: Any, capsys: Any
) -> None:
    settings.LLM_URL, settings.LLM_MODEL = ollama.endpoint.url, ""
    name = ollama.make("command", num_ctx=896)
    call_command("models")
    assert f"{name}:latest  19.82M parameters, 0.0 GB, 896 tokens of context of 8192" in capsys.readouterr().out
    call_command("models", "list", "--json")
    assert f"{name}:latest" in [model["name"] for model in json.loads(capsys.readouterr().out)]
    call_command("models", "delete", name)
    assert capsys.readouterr().out == f"{name} is deleted.\n"
    entry = AuditEntry.objects.get(action="ollama.delete")
    assert (entry.detail.content["target"], entry.organisation_id) == (name, None)
    with pytest.raises(CommandError, match="does not have this model"):
        call_command("models", "delete", name)


def test_the_command_says_plainly_that_there_is_no_ollama(settings: Any) -> None:
    settings.LLM_URL = ""
    with pytest.raises(CommandError, match="No model server is set"):
        call_command("models")
    settings.LLM_URL = AWAY.url
    with pytest.raises(CommandError, match="does not answer"):
        call_command("models", "list")


def test_progress_is_a_line_for_each_tenth_of_a_part() -> None:
    lines = {
        progress_line(PullProgress("pulling 71b0170a9d03", done, 4_000_000_000)) for done in range(0, 10**9, 10**7)
    }
    assert lines == {f"pulling 71b0170a9d03: {percent} % of 4,000 MB" for percent in (0, 10, 20)}
    assert progress_line(PullProgress("verifying sha256 digest")) == "verifying sha256 digest"


def test_the_web_process_loads_no_client_of_ollama() -> None:
    # The client's 10 MB would stay in an idle box's memory.
    program = "import sys, app.asgi, app.llm.ollama; print(sorted({'ollama', 'httpx'} & set(sys.modules)))"
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert process.stdout == "[]\n", process.stderr
