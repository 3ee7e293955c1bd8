"""The choice of the server, and the facts that each make of server reports about its models."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import Settings

from app.errors import Upstream
from app.lib.http import ServerResponse
from app.llm.endpoint import UNCERTAIN_INFO_S, Endpoint, ModelInfo
from app.llm.exchange import Exchange, ExchangeFailed
from app.llm.providers import PROVIDERS, provider_of
from app.llm.providers.protocol import NoModelServed, ServedModel
from app.llm.routing import endpoint_default, endpoints_forget, model_info
from app.llm.tests.fake_llm import Script, ScriptedModel

ROOT_FOLDER = Path(__file__).parents[3]
ROOT = "http://models.example"
ENDPOINT = Endpoint(f"{ROOT}/v1")


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture(autouse=True)
def _nothing_learnt() -> None:
    endpoints_forget()


def run(exchange: Exchange[Any], contents: dict[str, Any]) -> tuple[Any, list[str]]:
    """Run an exchange against a server with these contents, by path; return also the requested paths."""
    paths: list[str] = []
    try:
        request = next(exchange)
        while True:
            path = request.url.removeprefix(ROOT)
            paths.append(path)
            content = contents.get(path)
            status = 404 if content is None else 200
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            request = exchange.send(ServerResponse(status, body))
    except StopIteration as end:
        return end.value, paths


def served(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"/v1/models": {"data": list(entries)}}


def test_vllm_tells_the_context_in_its_list() -> None:
    contents = served({"id": "qwen", "max_model_len": 8192})
    assert run(provider_of(ENDPOINT).info(""), contents) == (ModelInfo("qwen", 8192), ["/v1/models"])


def test_llama_cpp_tells_context_and_slots_in_its_properties() -> None:
    contents = {**served({"id": "qwen"}), "/props": {"default_generation_settings": {"n_ctx": 2048}, "total_slots": 3}}
    info, paths = run(provider_of(ENDPOINT).info(""), contents)
    assert info == ModelInfo("qwen", 2048, slots=3)
    assert paths == ["/v1/models", "/props"]


def test_ollama_tells_the_context_of_a_loaded_model() -> None:
    running = {"models": [{"name": "other", "context_length": 1}, {"name": "qwen:latest", "context_length": 16384}]}
    contents = {**served({"id": "qwen:latest"}), "/api/ps": running}
    assert run(provider_of(ENDPOINT).info("qwen"), contents)[0] == ModelInfo("qwen", 16384)


@pytest.mark.parametrize(("parameters", "context"), [("stop x\nnum_ctx   768\n", 768), ("stop x", 4096), (None, 4096)])
def test_ollama_s_context_is_not_known_for_sure_before_the_model_is_loaded(parameters: Any, context: int) -> None:
    contents = {**served({"id": "qwen"}), "/api/ps": {"models": []}, "/api/show": {"parameters": parameters}}
    assert run(provider_of(ENDPOINT).info("qwen"), contents)[0] == ModelInfo("qwen", context, context_known=False)


def test_a_server_of_another_make_gets_the_least_context() -> None:
    info, paths = run(provider_of(ENDPOINT).info("gpt"), served({"id": "gpt"}))
    assert info == ModelInfo("gpt", 4096)
    assert paths == ["/v1/models", "/props", "/api/ps"]


@pytest.mark.parametrize("content", [b"<html>", b"\xff", [], "text", {"models": "many"}, {"models": [None]}, {}])
def test_pages_that_mean_something_else_tell_nothing(content: Any) -> None:
    contents = {**served({"id": "gpt"}), "/props": b"<html>", "/api/ps": content, "/api/show": content}
    assert run(provider_of(ENDPOINT).info("gpt"), contents)[0].context == 4096


def test_the_list_of_models_is_read_leniently() -> None:
    contents = served({"id": "a", "max_model_len": "much"}, {"id": 5}, {"name": "b"}, {"id": "c", "max_model_len": 9})
    contents["/v1/models"]["data"].append("d")
    models, _ = run(provider_of(ENDPOINT).models(), contents)
    assert models == [ServedModel("a"), ServedModel("c", 9)]


@pytest.mark.parametrize("content", [b"<html>", [], {"data": 5}, "text"])
def test_a_list_that_is_none_is_a_failure(content: Any) -> None:
    with pytest.raises(ExchangeFailed, match="cannot be read"):
        run(provider_of(ENDPOINT).models(), {"/v1/models": content})


@pytest.mark.parametrize("content", [{}, {"data": None}, {"data": []}])
def test_a_server_without_a_model_has_none_unless_one_is_named(content: Any) -> None:
    with pytest.raises(NoModelServed):
        run(provider_of(ENDPOINT).info(""), {"/v1/models": content})
    assert run(provider_of(ENDPOINT).info("named"), {"/v1/models": content})[0] == ModelInfo("named")


def test_without_a_name_the_first_model_that_writes_is_taken() -> None:
    contents = served({"id": "bge-m3", "max_model_len": 1}, {"id": "small", "max_model_len": 2})
    assert run(provider_of(ENDPOINT).info(""), contents)[0] == ModelInfo("small", 2)
    only = served({"id": "bge-m3", "max_model_len": 1})
    assert run(provider_of(ENDPOINT).info(""), only)[0] == ModelInfo("bge-m3", 1)


async def test_what_a_server_says_is_asked_once_in_five_minutes(model: ScriptedModel) -> None:
    model.script(Script(context=2048, slots=3))
    endpoint = Endpoint(model.url)
    assert await model_info(endpoint) == ModelInfo("scripted", 2048, slots=3)
    model.script(Script(context=1024))
    assert (await model_info(endpoint)).context == 2048
    endpoint.learnt.infos_forget()
    assert (await model_info(endpoint)).context == 1024


async def test_each_of_a_server_s_models_has_a_context_of_its_own(model: ScriptedModel) -> None:
    names = {"bge-m3": 8192, "small:latest": 4096, "large": 32768}
    model.script(Script(models=[{"id": name, "max_model_len": context} for name, context in names.items()]))
    infos = {name: await model_info(Endpoint(model.url, name)) for name in ("", "small", "large")}
    assert {name: (info.model, info.context) for name, info in infos.items()} == {
        "": ("small:latest", 4096),
        "small": ("small", 4096),
        "large": ("large", 32768),
    }


def test_an_unsure_context_is_asked_for_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = Endpoint("http://a/v1").learnt
    learnt.info_keep("sure", ModelInfo("sure"))
    learnt.info_keep("unsure", ModelInfo("unsure", context_known=False))
    now = time.monotonic()
    monkeypatch.setattr("app.llm.endpoint.time.monotonic", lambda: now + UNCERTAIN_INFO_S + 1)
    assert learnt.info("unsure") is None
    assert learnt.info("sure") == ModelInfo("sure")
    monkeypatch.setattr("app.llm.endpoint.time.monotonic", lambda: now + 301)
    assert learnt.info("sure") is None


@pytest.mark.parametrize(("status", "reason"), [(401, "HTTP 401"), (503, "HTTP 503")])
async def test_a_server_that_refuses_its_list_is_model_unavailable(
    model: ScriptedModel, status: int, reason: str
) -> None:
    model.script(Script(models_status=status))
    with pytest.raises(Upstream) as caught:
        await model_info(Endpoint(model.url))
    assert (caught.value.code, caught.value.details) == ("model_unavailable", {"reason": reason})


async def test_nobody_listening_is_model_unavailable() -> None:
    with pytest.raises(Upstream) as caught:
        await model_info(Endpoint("http://127.0.0.1:9/v1"))
    assert caught.value.code == "model_unavailable"


def test_the_deployment_s_endpoint_keeps_what_is_learnt_for_every_model_of_it(settings: Settings) -> None:
    settings.LLM_URL, settings.LLM_MODEL, settings.LLM_API_KEY = "http://a/v1", "standard", "sesame"
    endpoint, other = endpoint_default(), endpoint_default("large")
    assert endpoint is not None
    assert other is not None
    assert (endpoint.model, other.model, other.api_key) == ("standard", "large", "sesame")
    assert endpoint.learnt is other.learnt
    settings.LLM_URL = "http://b/v1"
    elsewhere = endpoint_default()
    assert elsewhere is not None
    assert elsewhere.learnt is not endpoint.learnt
    settings.LLM_URL = ""
    assert endpoint_default() is None


def test_a_key_is_not_printed_with_its_endpoint() -> None:
    assert "sesame" not in repr(Endpoint("http://a/v1", api_key="sesame"))


def test_every_kind_of_endpoint_has_a_provider_and_no_other() -> None:
    for kind in PROVIDERS:
        endpoint = Endpoint("http://a/v1", kind=kind)
        assert provider_of(endpoint).endpoint is endpoint
    with pytest.raises(ValueError, match="no kind of model server; known are openai"):
        provider_of(Endpoint("http://a/v1", kind="telepathy"))


def test_the_recipe_of_a_provider_names_files_that_every_provider_has() -> None:
    recipe = (
        (ROOT_FOLDER / "CONTRIBUTING.md").read_text("utf-8").split("## Recipe: a new provider")[1].split("\n## ")[0]
    )
    paths = re.findall(r"`(app/[\w/<>.]+\.py)`", recipe)
    assert len(paths) >= 9
    missing = [
        path
        for kind in PROVIDERS
        for path in (path.replace("<kind>", kind) for path in paths)
        if not (ROOT_FOLDER / path).is_file()
    ]
    assert missing == []
