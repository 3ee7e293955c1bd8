"""The language model: whether it answers, is there at all, and reads enough for a whole turn."""

import asyncio
from collections.abc import Iterator

from app.errors import RefdeskError, Upstream
from app.lib.http import http_session_close
from app.llm.endpoints import Endpoint, Facts, endpoint_default, endpoint_facts, same_model
from app.llm.ollama import InstalledModel, OllamaServer
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
        facts = asyncio.run(_facts(endpoint))
    except Upstream as error:
        yield _away(endpoint, error)
        return
    installed = _installed(endpoint)
    if installed is not None:
        here = next((one for one in installed if same_model(one.name, facts.model)), None)
        if here is None:
            yield _missing(facts, installed)
            return
        if here.embeds:
            yield warning("model", f"{facts.model} only makes vectors", "Name a model that writes: REFDESK_LLM_MODEL.")
            return
    yield _context(endpoint, facts)


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


def _missing(facts: Facts, installed: list[InstalledModel]) -> Finding:
    there = ", ".join(one.name for one in installed) or "none"
    return warning(
        "model",
        f"{facts.model} is not there ({there}): answers are quoted from the documents",
        f"manage.py models pull {facts.model} fetches it, or name another: REFDESK_LLM_MODEL.",
    )


def _context(endpoint: Endpoint, facts: Facts) -> Finding:
    text = f"{facts.model} at {endpoint.url}, {facts.context} tokens of context"
    if not facts.sure:
        text += " until it is loaded, which the first question does"
    if facts.context < TURN_TOKENS:
        return warning("model", f"{text}: a whole turn takes about {TURN_TOKENS}, so it is shown fewer passages", MORE)
    if facts.context < CONTEXT_WELL:
        return warning("model", f"{text}: long passages and histories are cut", MORE)
    return ok("model", text)


def _installed(endpoint: Endpoint) -> list[InstalledModel] | None:
    """An Ollama's models; None for another kind of server, which served the model that it was started with."""
    server = OllamaServer(endpoint)
    try:
        return server.models() if server.is_ollama() else None
    except (RefdeskError, ImportError):
        return None


async def _facts(endpoint: Endpoint) -> Facts:
    try:
        return await endpoint_facts(endpoint)
    finally:
        await http_session_close()
