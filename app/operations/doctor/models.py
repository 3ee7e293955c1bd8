"""Checks of the language model: whether it responds, exists, and has enough context for a whole turn."""

import asyncio
from collections.abc import Iterator

from app.errors import RefdeskError, Upstream
from app.lib.http import http_session_close
from app.llm.endpoint import Endpoint, ModelInfo
from app.llm.ollama import InstalledModel, OllamaServer
from app.llm.providers.server_info import same_model
from app.llm.routing import endpoint_default, model_info
from app.operations.doctor.findings import Finding, ok, warning

TURN_TOKENS = 6000  # rules, passages, history and answer of a usual turn
CONTEXT_WELL = 8192
MORE = "Serve 8192 or more (Ollama: OLLAMA_CONTEXT_LENGTH, or num_ctx of the model; vLLM: --max-model-len)."


def model_check() -> Iterator[Finding]:
    endpoint = endpoint_default()
    if endpoint is None:
        yield ok("model", "none: answers are quoted from the documents")
        return
    try:
        info = asyncio.run(_info(endpoint))
    except Upstream as error:
        yield _away(endpoint, error)
        return
    installed = _installed(endpoint)
    if installed is not None:
        entry = next((model for model in installed if same_model(model.name, info.model)), None)
        if entry is None:
            yield _missing(info, installed)
            return
        if entry.embeds:
            yield warning("model", f"{info.model} only makes vectors", "Name a model that writes: REFDESK_LLM_MODEL.")
            return
    yield _context(endpoint, info)


def _away(endpoint: Endpoint, error: Upstream) -> Finding:
    reason = error.details.get("reason")
    if error.code == "model_missing":
        text, todo = f"{endpoint.url} has no model", "Fetch one: manage.py models pull qwen2.5:3b, for example."
    elif reason in ("HTTP 401", "HTTP 403"):
        text, todo = f"{endpoint.url} refuses the key ({reason})", "Correct REFDESK_LLM_API_KEY."
    else:
        text = f"{endpoint.url} does not answer ({reason})"
        todo = "Start the model server, or correct REFDESK_LLM_URL."
    return warning("model", f"{text}: answers are quoted from the documents", todo)


def _missing(info: ModelInfo, installed: list[InstalledModel]) -> Finding:
    names = ", ".join(model.name for model in installed) or "none"
    return warning(
        "model",
        f"{info.model} is not there ({names}): answers are quoted from the documents",
        f"manage.py models pull {info.model} fetches it, or name another: REFDESK_LLM_MODEL.",
    )


def _context(endpoint: Endpoint, info: ModelInfo) -> Finding:
    text = f"{info.model} at {endpoint.url}, {info.context} tokens of context"
    if not info.context_known:
        text += " until it is loaded, which the first question does"
    if info.context < TURN_TOKENS:
        return warning("model", f"{text}: a whole turn takes about {TURN_TOKENS}, so it is shown fewer passages", MORE)
    if info.context < CONTEXT_WELL:
        return warning("model", f"{text}: long passages and histories are cut", MORE)
    return ok("model", text)


def _installed(endpoint: Endpoint) -> list[InstalledModel] | None:
    """Return an Ollama's models; None for another make of server, which serves the model that it was started with."""
    server = OllamaServer(endpoint)
    try:
        return server.models() if server.is_ollama() else None
    except (RefdeskError, ImportError):
        return None


async def _info(endpoint: Endpoint) -> ModelInfo:
    try:
        return await model_info(endpoint)
    finally:
        await http_session_close()
