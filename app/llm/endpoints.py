"""Which model server answers, and what it says about itself: model name, context size, slots."""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from django.conf import settings

from app.errors import Upstream
from app.lib.http import http_session
from app.llm.embeddings import EMBEDDING_SIGNS

DEFAULT_CONTEXT = 4096  # tokens; the least that Ollama serves when nothing else is set
DEFAULT_SLOTS = 64  # requests at once, for a server that does not tell how many it takes
FACTS_S = 300.0
UNSURE_S = 5.0  # Ollama says how much it serves once the model is loaded, which the first question does
ASK_S = 3.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible model server. url ends in /v1; an empty model means the server's first one."""

    url: str
    model: str = ""
    api_key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def root(self) -> str:
        return self.url.rstrip("/").removesuffix("/v1")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a served model is called, how many tokens it reads, how many requests run at once.

    `sure` is False when the server does not say yet how much it reads, and the least is assumed.
    """

    model: str
    context: int = DEFAULT_CONTEXT
    slots: int = DEFAULT_SLOTS
    sure: bool = True


_facts: dict[Endpoint, tuple[float, Facts]] = {}  # until when they hold


def endpoint_default(model: str = "") -> Endpoint | None:
    """The deployment's model server, or None when there is none: answers are then extractive."""
    if not settings.LLM_URL:
        return None
    return Endpoint(settings.LLM_URL, model or settings.LLM_MODEL, settings.LLM_API_KEY)


async def endpoint_facts(endpoint: Endpoint) -> Facts:
    """Ask the server about its model; remembered for five minutes.

    Raises:
        Upstream: model_unavailable, when it does not answer or refuses; model_missing, when it has no model.
    """
    known = _facts.get(endpoint)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    entries = await _listed(endpoint)
    entry = _chosen(entries, endpoint.model)
    facts = await _measured(endpoint, endpoint.model or entry["id"], entry)
    _facts[endpoint] = (time.monotonic() + (FACTS_S if facts.sure else UNSURE_S), facts)
    return facts


def facts_forget(endpoint: Endpoint | None = None) -> None:
    """Ask again at the next turn, for example after another model was loaded; without an endpoint all are."""
    if endpoint is None:
        _facts.clear()
    else:
        _facts.pop(endpoint, None)


def same_model(one: str, other: str) -> bool:
    """Ollama calls a model `qwen2.5:latest` that was asked for as `qwen2.5`."""
    return one.removesuffix(":latest") == other.removesuffix(":latest")


def context_set(parameters: Any) -> int | None:
    """Tokens of context that a model's Modelfile sets, of what Ollama shows as its parameters."""
    found = re.search(r"^num_ctx\s+(\d+)\s*$", parameters, re.MULTILINE) if isinstance(parameters, str) else None
    return int(found[1]) if found and int(found[1]) else None


async def _listed(endpoint: Endpoint) -> list[dict[str, Any]]:
    status, models = await _get(endpoint, f"{endpoint.url}/models")
    if status != 200:
        raise Upstream("model_unavailable", details={"reason": f"HTTP {status}"})
    listed = models.get("data") if isinstance(models, dict) else None
    entries = [entry for entry in listed or [] if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
    if models is None or (not entries and not endpoint.model):
        raise Upstream("model_missing", details={"reason": "no_model"})
    return entries


def _chosen(entries: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """The entry of the wanted model, empty if it is not listed; without one the first that is not for embedding."""
    if wanted:
        return next((entry for entry in entries if same_model(entry["id"], wanted)), {})
    writes = (entry for entry in entries if not any(sign in entry["id"].lower() for sign in EMBEDDING_SIGNS))
    return next(writes, entries[0])


async def _measured(endpoint: Endpoint, model: str, entry: dict[str, Any]) -> Facts:
    """Context and slots from vLLM (`max_model_len`), llama.cpp (`/props`) or Ollama (`/api/ps`)."""
    if isinstance(entry.get("max_model_len"), int):
        return Facts(model, entry["max_model_len"])
    (_, props), (_, running) = await asyncio.gather(
        _get(endpoint, f"{endpoint.root}/props"), _get(endpoint, f"{endpoint.root}/api/ps")
    )
    if isinstance(props, dict):
        settings_of_slot = props.get("default_generation_settings")
        context = settings_of_slot.get("n_ctx") if isinstance(settings_of_slot, dict) else None
        slots = props.get("total_slots")
        return Facts(model, _whole(context, DEFAULT_CONTEXT), _whole(slots, DEFAULT_SLOTS))
    if not isinstance(running, dict):
        return Facts(model)
    for one in running.get("models") or []:
        if isinstance(one, dict) and same_model(model, str(one.get("name"))):
            return Facts(model, _whole(one.get("context_length"), DEFAULT_CONTEXT))
    _, shown = await _get(endpoint, f"{endpoint.root}/api/show", {"model": model})
    context = context_set(shown.get("parameters")) if isinstance(shown, dict) else None
    return Facts(model, context or DEFAULT_CONTEXT, sure=False)


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default


async def _get(endpoint: Endpoint, url: str, body: Any = None) -> tuple[int, Any]:
    """The status and the JSON at an address, None when there is none; posted when there is a body.

    Raises:
        Upstream: model_unavailable, when the server cannot be reached.
    """
    try:
        async with http_session().request(
            "GET" if body is None else "POST",
            url,
            json=body,
            headers=endpoint.headers,
            timeout=aiohttp.ClientTimeout(total=ASK_S),
            allow_redirects=False,
        ) as answer:
            return answer.status, orjson.loads(await answer.read()) if answer.status == 200 else None
    except orjson.JSONDecodeError:
        return 200, None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Upstream("model_unavailable", details={"reason": type(error).__name__}) from error
